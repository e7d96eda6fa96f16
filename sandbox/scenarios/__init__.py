"""The releases of the demo's story, as manifests that a team would keep in Git: healthy, bad, fixed.

Each is bad by its bundle alone, and in a way that no check before the rollout can see. The header of each
file says what it is.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parent

HEALTHY: Final = "support-agent-4.1.0"
BAD_PROMPT: Final = "support-agent-4.2.0"
FIXED: Final = "support-agent-4.2.1"
DEAR: Final = "support-agent-4.3.0-dear"
LENIENT: Final = "support-agent-4.3.0-lenient"


def names() -> tuple[str, ...]:
    """Return the names of all releases, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def manifest_path(name: str) -> Path:
    """Return the file of a release, for `kubectl apply -f`.

    Raises:
        KeyError: There is no such release.
    """
    if name not in names():
        raise KeyError(f"no release {name} in the scenarios; there are {', '.join(names())}")
    return _FOLDER / f"{name}.yaml"


def load_release(name: str) -> dict[str, Any]:
    """Return the AgentRelease manifest of that name, a fresh copy at each call.

    Raises:
        KeyError: There is no such release.
    """
    manifest: dict[str, Any] = yaml.safe_load(_text(name))
    return manifest


@cache
def _text(name: str) -> str:
    return manifest_path(name).read_text(encoding="utf-8")
