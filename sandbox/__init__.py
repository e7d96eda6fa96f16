"""The local stack of real parts: Kubernetes API, Prometheus and a gateway, without containers.

Each sandbox lives in Linux namespaces of its own (`namespace`), its programs are built or unpacked once for
each user (`parts`), and `stack.Stack` starts and ends them. The demo, the end-to-end tests and the benches
stand on it. `python -m sandbox` is its command line.
"""
