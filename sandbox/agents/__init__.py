"""Agents behind the gateway: processes, their endpoints and their metrics."""
