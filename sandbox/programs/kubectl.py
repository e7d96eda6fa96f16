"""kubectl as a function: text in, text out, and an error that says what kubectl said."""

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.errors import CommandError

_SECONDS = 120
_POLL_SECONDS = 0.05


def environment(kubeconfig: Path) -> dict[str, str]:
    """Our variables, with those of kubectl and helm.

    Every sandbox has the same address, so what they remember of an API server must not outlive it.
    """
    remembered = kubeconfig.parent / "kubectl"
    return os.environ | {"KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(remembered)}


class Kubectl:
    """kubectl as one user.

    Args:
        program: the kubectl command.
        kubeconfig: who asks, and whom.
    """

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self._program = program
        self._environment = environment(kubeconfig)

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl.

        Args:
            arguments: after the word kubectl.
            stdin: what it reads from `-f -`.

        Returns:
            What it printed.

        Raises:
            CommandError: it failed, or took longer than two minutes.
        """
        command = [str(self._program), *arguments]
        try:
            done = subprocess.run(
                command,
                input=stdin or "",
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"kubectl {' '.join(arguments)}: no end after {_SECONDS} s") from error
        if done.returncode != 0:
            raise CommandError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def insist(self, *arguments: str, seconds: float) -> str:
        """Run kubectl until it succeeds: of some things the API server itself learns by watching.

        Raises:
            CommandError: it still failed after so many seconds.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self(*arguments)
            except CommandError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)

    def wait_kinds(self, *crds: str, seconds: float = 60) -> None:
        """Wait until CRDs are served, by default all of them.

        Repeated, since kubectl fails on a CRD that is so new that its conditions are null.

        Raises:
            CommandError: they were not within that time.
        """
        names = [f"crd/{name}" for name in crds] or ["crd", "--all"]
        self.insist("wait", *names, "--for=condition=Established", "--timeout=5s", seconds=seconds)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Read one object, or a list with its `items`.

        Raises:
            CommandError: it is not there, or kubectl failed otherwise.
        """
        manifest: dict[str, Any] = json.loads(self("get", *arguments, "--output=json"))
        return manifest

    def apply(self, manifests: Path | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
        """Apply a file, a folder, or objects, by server-side apply.

        Raises:
            CommandError: the API server refused one of them.
        """
        apply = ("apply", "--server-side", "--force-conflicts", "--filename")
        if isinstance(manifests, Path):
            return self(*apply, str(manifests))
        items = [manifests] if isinstance(manifests, Mapping) else manifests
        return self(*apply, "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))
