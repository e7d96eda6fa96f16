"""How the world comes in: the watch, lists, streams and Prometheus."""
