"""The commands for those who build the operator: they generate files of the repository."""
