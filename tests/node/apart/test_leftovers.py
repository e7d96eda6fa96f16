"""A node leaves nothing on the machine, however it ends; run outside of it, and where it can run."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from sandbox.isolation import namespace
from sandbox.node import probe
from sandbox.node.cgroups import VARIABLE
from sandbox.stack import STATE
from tests.inside import ROOT, eventually

FOLDERS: Final = ("/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods")
"""Where the node mounts its own; they are made if they are missing, and stay empty."""
ELSEWHERE: Final = ("/etc/kubernetes", "/opt/cni", "/run/agentrollouts-node", "/usr/libexec/kubernetes")
NODE: Final = """
import pathlib, signal, sys
from sandbox.node.cluster import Cluster
with Cluster() as cluster:
    print("Ready", flush=True)
    if sys.argv[1] == "fails":
        raise KeyError
"""
PODS: Final = """
import pathlib, signal, sys
from sandbox.node.cluster import Cluster
with Cluster(pathlib.Path(sys.argv[2])) as cluster:
    sleeps = dict(name="sleeps", image="localhost/agentrollouts-pause:dev", imagePullPolicy="Never")
    pod = dict(apiVersion="v1", kind="Pod", metadata=dict(name="pod", namespace="default"))
    cluster.kubectl.insist("get", "serviceaccount/default", seconds=120)
    cluster.apply(dict(pod, spec=dict(containers=[sleeps])))
    cluster.kubectl("wait", "pod/pod", "--for=condition=Ready", "--timeout=120s")
    print("Ready", flush=True)
    signal.pause()
"""

pytestmark = pytest.mark.skipif(
    probe.missing() is not None or namespace.inside(), reason="no node can run here"
)


def traces() -> dict[str, list[str]]:
    """All that a node could leave behind."""
    files = [str(path) for folder in FOLDERS for path in Path(folder).glob("*")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "processes": [name for name in map(_named, Path("/proc").glob("[0-9]*")) if name],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob("**/agentrollouts-node-*")],
        "mounts": [line for line in mounts if any(folder in line for folder in (*FOLDERS, *ELSEWHERE))],
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "files": [*files, *filter(os.path.exists, ELSEWHERE)],
    }


def _named(process: Path) -> str:
    """The command of a process that a node started; empty for any other."""
    try:
        is_ours = f"{VARIABLE}=".encode() in (process / "environ").read_bytes()
        return (process / "cmdline").read_bytes().decode().replace("\0", " ") if is_ours else ""
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("program", "how", "code"),
    [(NODE, "ends", 0), (NODE, "fails", 1), (PODS, "is told to end", 128 + signal.SIGTERM)],
)
def test_nothing_remains(program: str, how: str, code: int) -> None:
    """After success, an error, and TERM no process, mount, interface, cgroup or file of the node is left."""
    before, logs = traces(), set(STATE.iterdir())
    command = [sys.executable, "-m", "sandbox", "node", "--", sys.executable, "-c", program, how]
    images = os.environ["AGENTROLLOUTS_IMAGES"]
    node = subprocess.Popen([*command, images], cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own
    assert node.stdout is not None
    assert node.stdout.readline() == "Ready\n"
    during = traces()
    assert during["cgroups"] != before["cgroups"]
    assert during["processes"] != before["processes"]

    if how == "is told to end":
        node.terminate()

    assert node.wait(120) == code
    eventually(lambda: traces() == before)
    made = set(STATE.iterdir()) - logs
    assert bool(made) == (how != "ends")  # the logs of what did not end well are kept
    for folder in made:
        shutil.rmtree(folder)
