"""The configuration of containerd, the kubelet, kube-proxy and the network of the pods."""

from pathlib import Path
from typing import Any, Final

from sandbox.isolation.namespace import ADDRESSES

ADDRESS: Final = ADDRESSES[0]
PLUGINS: Final = Path("/usr/lib/cni")
"""Where Debian installs the plugins of the network."""
STATE: Final = Path("/run/agentrollouts-node")
SOCKET: Final = STATE / "containerd.sock"
PAUSE: Final = "localhost/agentrollouts-pause:dev"
"""The image of the process that holds the namespaces of a pod."""

_PODS: Final = "10.88.0.0/24"


def containerd(root: Path, network: Path) -> str:
    """The TOML file of containerd.

    `restrict_oom_score_adj`: without CAP_SYS_RESOURCE runc cannot lower the score, and fails with a message
    that does not say so.

    Args:
        root: for images and containers; some 700 MB.
        network: the folder of `network`'s file.
    """
    plugin = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]  # makes a folder in /opt
root = "{root}"
state = "{STATE}"
[grpc]
  address = "{SOCKET}"
[{plugin}]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  [{plugin}.cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{network}"
  [{plugin}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def network(data: Path) -> dict[str, Any]:
    """The list of CNI plugins: ptp gives each pod a pair of interfaces and a route, and needs no bridge."""
    ipam = {
        "type": "host-local",
        "dataDir": str(data),
        "ranges": [[{"subnet": _PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": ipam}]}


def kubelet(cgroup: str, resolver: Path, plugins: Path) -> dict[str, Any]:
    """The kubelet's configuration.

    Anonymous requests are served because nothing outside this network namespace reaches it; logs and exec
    then need no certificates.

    Args:
        cgroup: name of the one that holds all pods.
        resolver: what becomes /etc/resolv.conf of the pods.
        plugins: an empty folder instead of one in /usr.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "resolvConf": str(resolver),
        "syncFrequency": "1s",  # how soon a mounted ConfigMap follows; a minute by default
        "volumePluginDir": str(plugins),
    }


def proxy(kubeconfig: Path) -> dict[str, Any]:
    """kube-proxy's configuration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": _PODS,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "conntrack": {"maxPerCore": 0, "min": 0},
    }
