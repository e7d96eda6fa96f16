"""Tells whether this machine can run a real node: `python -m sandbox.node.probe`.

It prints what is missing in one sentence and exits with 77, which skips the tests. With `CI` set it exits
with 1: a CI that skips them in silence tests nothing.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from sandbox.node.files import PLUGINS

SKIP: Final = 77
_PROGRAMS: Final = ("containerd", "runc", "ctr")
_NAMESPACES: Final = ("unshare", "--net", "--pid", "--mount", "--fork", "true")


def missing() -> str | None:
    """What this machine lacks, as one sentence; None if a node can run here."""
    return next(_missing(), None)


def main() -> int:
    """Print what is missing and return the exit code."""
    problem = missing()
    if problem is None:
        return 0
    is_ci = bool(os.environ.get("CI"))
    print(f"{problem} {'CI does not skip them.' if is_ci else 'Skipped.'}", file=sys.stderr)
    return 1 if is_ci else SKIP


def _missing() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "The node tests need root."
    if subprocess.run(_NAMESPACES, capture_output=True, check=False).returncode != 0:
        yield (
            "The node tests need new network, PID and mount namespaces, and this system refuses them: "
            "run outside a container, or in a privileged one."
        )
    if not all(map(shutil.which, _PROGRAMS)) or not (PLUGINS / "ptp").exists():
        yield (
            "The node tests need the Debian packages containerd, runc and containernetworking-plugins: "
            "install them with apt-get."
        )
    if not shutil.which("iptables"):
        yield "The node tests need the Debian package iptables: install it with apt-get."


if __name__ == "__main__":
    sys.exit(main())
