"""The administrator's limits as the settings have them now, applied to one object at a time."""
