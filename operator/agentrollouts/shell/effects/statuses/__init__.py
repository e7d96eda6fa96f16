"""Statuses on their way to the API server."""
