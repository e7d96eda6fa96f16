"""The chart as the real helm renders it."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.parts import parts
from sandbox.stack import Stack

ROOT: Final = Path(__file__).parents[3]
CHART: Final = ROOT / "charts" / "agentrollouts"
NAME: Final = "charttest"
FULL_NAME: Final = f"{NAME}-agentrollouts"
NAMESPACE: Final = "chart"
NAMESPACES: Final = ("team-a", "team-b")


def helm(*arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm; whether it succeeded is for the test to say."""
    command = [str(parts.helm()), *arguments]
    cluster = ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
    return subprocess.run([*command, *cluster], capture_output=True, text=True, timeout=150, check=False)  # noqa: S603 - ours


def with_values(values: Mapping[str, Any]) -> list[str]:
    """Values as arguments of helm."""
    return [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]


def rendered(values: Mapping[str, Any], *flags: str, name: str = NAME) -> list[dict[str, Any]]:
    """All objects of an installed chart."""
    return _template(values, "--no-hooks", *flags, name=name)


def hooks(values: Mapping[str, Any], *flags: str, name: str = NAME) -> list[dict[str, Any]]:
    """The objects that exist only during an uninstall."""
    objects = _template(values, *flags, name=name)
    return [each for each in objects if "helm.sh/hook" in each["metadata"].get("annotations", {})]


def _template(values: Mapping[str, Any], *flags: str, name: str) -> list[dict[str, Any]]:
    done = helm("template", name, str(CHART), f"--namespace={NAMESPACE}", *with_values(values), *flags)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in yaml.load_all(done.stdout, yaml.CSafeLoader) if manifest]


def dry_run(stack: Stack, objects: list[dict[str, Any]]) -> str:
    """Have the API server validate and admit objects; what kubectl says, a line for each.

    Raises:
        CommandError: it refused one.
    """
    flags = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "--filename=-")
    return stack.kubectl(
        "apply", *flags, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )


def of_kind(objects: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """The objects of some kinds."""
    return [manifest for manifest in objects if manifest["kind"] in kinds]
