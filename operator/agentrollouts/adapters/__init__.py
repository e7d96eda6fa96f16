"""The only third-party I/O: the API server, Prometheus, Alertmanager; few methods on plain values."""
