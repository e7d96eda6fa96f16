"""Which objects the view of a rollout needs besides it, from its manifest alone.

It needs no model, so that these objects can be read while the models are loaded.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentrollouts.insight.difference.snapshots import by_release

BUNDLE: Final = "bundle.json"
"""Key of the bundle in its snapshot."""


def named(rollout: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The releases that a person compares: stable, the canary, the desired one; each with its snapshot.

    Stable alone is compared with nothing, so at rest there is nothing to read.
    """
    status, spec = rollout.get("status") or {}, rollout.get("spec") or {}
    known = by_release([rollout])
    desired = (spec.get("releaseRef") or {}).get("name")
    serving = [each["release"] for each in (status.get("stable"), status.get("canary")) if each]
    names = dict.fromkeys([*serving, *([desired] if desired else [])])
    if status.get("stable") and len(names) == 1:
        return
    for name in names:
        yield name, known[name]["snapshot"] if name in known else None
