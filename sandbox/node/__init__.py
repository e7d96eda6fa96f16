"""A real node beside the stack: kubelet, containerd and kube-proxy, so that pods run."""
