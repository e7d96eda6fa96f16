"""The stack with a real node in it: what is applied as a Deployment runs as pods.

Runs inside `python -m sandbox node`. The processes, the mounts and the network of the node end with the
namespaces, and its files are in memory. `sandbox.node.cgroups` removes the one thing that is left.
"""

import concurrent.futures
import json
import os
import subprocess
from pathlib import Path
from typing import Final

import yaml

from sandbox.errors import MissingPartError, NamespaceError, ProcessError
from sandbox.isolation import kernel, namespace
from sandbox.node import files
from sandbox.node.cgroups import VARIABLE
from sandbox.parts import parts
from sandbox.stack import Stack

NODE: Final = "node"

_IMPORT_SECONDS: Final = 240
_OWN_FOLDERS: Final = ("/run", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods")
"""containerd, the kubelet and the plugins have these built in; in memory, nothing of them stays behind."""


class Cluster(Stack):
    """A stack with one node, named `node`.

    Args:
        images: an archive of images, as `docker save` writes it; pods can use these and no others. Without it
            no pod can run.
    """

    _with_node = True

    def __init__(self, images: Path | None = None) -> None:
        super().__init__(quiet=True)
        self._images = images
        self._folder = Path(namespace.SCRATCH) / "node"

    def start(self) -> None:
        """Start the control plane, then the node, and wait until pods can run.

        Raises:
            MissingPartError: a program is not built, or the control plane is that of envtest.
            NamespaceError: this process is not inside `python -m sandbox node`.
            ProcessError: a program did not start, or containerd cannot read the images.
        """
        if VARIABLE not in os.environ or not namespace.inside():
            raise NamespaceError("start the command as `python -m sandbox node -- COMMAND`")
        if parts.control_plane().controller_manager is None:
            raise MissingPartError("a node needs the sandbox's own control plane; unset KUBEBUILDER_ASSETS")
        super().start()
        try:
            self._start_node(os.environ[VARIABLE])
        except BaseException:
            self.close(keep_logs=True)
            raise

    def _start_control_plane(self) -> None:
        """Start it while containerd unpacks the images, which takes as long."""
        for folder in _OWN_FOLDERS:
            Path(folder).mkdir(parents=True, exist_ok=True)
            kernel.mount("tmpfs", folder)
        (self._folder / "network").mkdir(parents=True)
        self._write("network/pods.conflist", json.dumps(files.network(self._folder / "addresses")))
        config = files.containerd(self._folder / "containerd", self._folder / "network")
        command = ("containerd", "--config", self._write("containerd.toml", config))
        self.add_process("containerd", command, healthy=_containerd_answers).start()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            unpacked = pool.submit(self._import)
            super()._start_control_plane()
            unpacked.result()

    def _import(self) -> None:
        if self._images is not None:
            done = _ctr("--namespace=k8s.io", "images", "import", str(self._images))
            if done.returncode != 0:
                raise ProcessError(f"containerd cannot import {self._images}: {done.stderr}")

    def _start_node(self, cgroup: str) -> None:
        resolver = self._write("resolv.conf", f"nameserver {files.ADDRESS}\n")
        kubelet = yaml.safe_dump(files.kubelet(cgroup, resolver, self._folder / "plugins"))
        proxy = yaml.safe_dump(files.proxy(self.kubeconfig))
        program, kubeconfig = str(parts.node()), f"--kubeconfig={self.kubeconfig}"
        credentials = self.kubeconfig.parent
        commands = {
            "kubelet": [
                f"--config={self._write('kubelet.yaml', kubelet)}",
                kubeconfig,
                f"--root-dir={self._folder / 'kubelet'}",
                f"--cert-dir={credentials / 'kubelet'}",
                f"--hostname-override={NODE}",
                f"--node-ip={files.ADDRESS}",
            ],
            "kube-proxy": [f"--config={self._write('proxy.yaml', proxy)}", f"--hostname-override={NODE}"],
            "kube-scheduler": [
                kubeconfig,
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
                f"--cert-dir={credentials / 'scheduler'}",
            ],
        }
        for name, flags in commands.items():
            self.add_process(name, [program, name, *flags]).launch()
        self.kubectl.insist("wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=1s", seconds=180)

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path


def _containerd_answers() -> bool:
    return files.SOCKET.exists() and _ctr("version").returncode == 0


def _ctr(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["ctr", "--address", str(files.SOCKET), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_IMPORT_SECONDS)
