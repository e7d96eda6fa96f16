"""The pages as HTML: functions from values to markup."""
