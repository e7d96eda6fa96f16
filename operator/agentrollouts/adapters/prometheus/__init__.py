"""Prometheus and servers that speak its API: a query in, rows or one error value out."""
