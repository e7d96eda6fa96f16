"""Actions that have their last answer: what is remembered of them, so that they can be deleted one day.

Nothing else depends on them, and there may be thousands, so it is little, and bounded. What finds no room is
remembered after the next start.
"""

import marshal
from collections import Counter
from datetime import datetime
from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.action.retention import AnsweredAction
from agentrollouts.shell.relations import ROLLOUT, rollout_of

OF_ROLLOUT: Final = 200
"""Actions that are remembered of one rollout."""
OF_NAMESPACE: Final = 50_000
"""Actions that are remembered of one namespace; each takes about 150 bytes."""

_Known = dict[str, tuple[str, str, int, str]]
"""UID, version, attempt and time of creation by name."""


class AnsweredActions:
    """Answered actions by rollout, packed."""

    def __init__(self) -> None:
        self._packed: dict[Ref, bytes] = {}
        self._counts: Counter[str] = Counter()

    def add(self, action: Manifest) -> None:
        """An action has its last answer."""
        rollout, metadata = _rollout(action), action["metadata"]
        known, name, version = self._known(rollout), metadata["name"], metadata["resourceVersion"]
        if name in known and int(known[name][1]) >= int(version):
            return
        is_full = len(known) >= OF_ROLLOUT or self._counts[rollout.namespace] >= OF_NAMESPACE
        if name not in known and is_full:
            return
        attempt = int((action.get("spec") or {}).get("attempt") or 0)
        self._keep(
            rollout, {**known, name: (metadata["uid"], version, attempt, metadata["creationTimestamp"])}
        )

    def remove(self, action: Manifest) -> None:
        """An action is gone."""
        rollout = _rollout(action)
        known = self._known(rollout)
        if known.pop(action["metadata"]["name"], None):
            self._keep(rollout, known)

    def of(self, rollout: Ref) -> tuple[AnsweredAction, ...]:
        """The answered actions about a rollout, in no order."""
        return tuple(
            AnsweredAction(name, uid, version, attempt, datetime.fromisoformat(made))
            for name, (uid, version, attempt, made) in self._known(rollout).items()
        )

    def _known(self, rollout: Ref) -> _Known:
        packed = self._packed.get(rollout)
        known: _Known = marshal.loads(packed) if packed else {}  # noqa: S302 - made by `_keep`
        return known

    def _keep(self, rollout: Ref, known: _Known) -> None:
        self._counts[rollout.namespace] += len(known) - len(self._known(rollout))
        if known:
            self._packed[rollout] = marshal.dumps(known)
        else:
            self._packed.pop(rollout, None)
        if not self._counts[rollout.namespace]:
            del self._counts[rollout.namespace]


def _rollout(action: Manifest) -> Ref:
    return Ref(ROLLOUT, action["metadata"]["namespace"], rollout_of(action))
