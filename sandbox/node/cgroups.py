"""The one thing of a node that no namespace holds: a cgroup in each hierarchy, for the kubelet's pods.

Made before the namespaces, and removed after them: by then the kernel has ended every process in them.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VARIABLE: Final = "AGENTROLLOUTS_CGROUP"
"""The environment variable that passes its name to the node."""

_ROOT: Final = Path("/sys/fs/cgroup")
_CPUSET: Final = ("cpuset.cpus", "cpuset.mems")
_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05


@contextlib.contextmanager
def made() -> Iterator[str]:
    """Make the cgroups; whatever the kubelet made in them is removed with them.

    Yields:
        Their name, the same in each hierarchy.
    """
    name = f"agentrollouts-node-{os.getpid()}"
    try:
        for hierarchy in _hierarchies():
            (hierarchy / name).mkdir()
            for (
                file
            ) in _CPUSET:  # version 1 copies neither to a new cgroup, and without them no process may enter
                if (hierarchy / file).exists():
                    (hierarchy / name / file).write_text((hierarchy / file).read_text())
        yield name
    finally:
        deadline = time.monotonic() + _SECONDS
        while not _removed(name) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)  # a process that was just killed holds its cgroup for a moment


def _hierarchies() -> list[Path]:
    """The mounted hierarchies: one for each controller in version 1, a single one in version 2."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return sorted({folder.resolve() for folder in _ROOT.iterdir() if (folder / "tasks").exists()})


def _removed(name: str) -> bool:
    """Remove them, also where runc made further ones; whether nothing is left."""
    folders = [*_ROOT.glob(name), *_ROOT.glob(f"*/{name}")]
    for folder in folders:
        for place, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                Path(place).rmdir()
    return not any(folder.exists() for folder in folders)
