"""The commands of the plugin: a module for each, imported when it runs."""
