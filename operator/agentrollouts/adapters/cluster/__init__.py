"""The Kubernetes API server: few verbs on plain values."""
