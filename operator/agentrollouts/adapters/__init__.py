"""The only third-party I/O: the API server and Prometheus, behind few methods on plain values."""
