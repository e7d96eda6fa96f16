"""An action of a person: created in their name, and followed until the operator has carried it out.

The status that was just read completes the request. All times are measured from the moment of the request.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.action.ledger import ON_THE_WAY, SUCCESSFUL
from agentrollouts.core.action.request import OpenRequestError, Request, manifest_of
from agentrollouts.insight.view.shape import Action
from agentrollouts.insight.view.view import view
from agentrollouts.plugin.following import Look
from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Manifest, Started
from agentrollouts.plugin.reading import now

_FULL: Final = 100
_LEAVING_SECONDS: Final = 10.0
"""How long the last runs of a release are awaited once the route is back; they are not part of the answer."""
_WHO_SECONDS: Final = 10.0
"""How long an action waits for the name of who requests it."""
_OURS: Final = ("reason", "requestedBy")
"""Fields of an action that do not say what is requested."""
_MOVING: Final = frozenset({"RollingBack", "Verifying"})
"""States of an attempt whose release can still have traffic."""


class RefusedError(Exception):
    """The operator refused the action, or has not answered; the text is the sentence for people."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was observed of an action."""

    seconds: float
    """Since the request."""
    sentence: str


def whoami(started: Started) -> str:
    """Our user name, as the API server knows it.

    A rollback does not depend on it: someone without the right to ask is "unknown". Where the API server
    verifies names, it refuses that one.
    """
    try:
        return str(started.json(_WHO_SECONDS)["status"]["userInfo"]["username"])
    except KubectlError:
        return "unknown"


def create(kubectl: Kubectl, manifest: Mapping[str, Any], seconds: float) -> Manifest:
    """The action as the API server stored it; with a name, perhaps by an earlier run of the same command.

    The API server validates it. kubectl would as well, once it has read the schema of all kinds.

    Raises:
        KubectlError: it was refused, or not answered within so many seconds.
    """
    how = ("create", "--filename=-", "--validate=false", "--output=json")
    name, namespace = manifest["metadata"].get("name"), manifest["metadata"]["namespace"]
    try:
        return kubectl.start(*how, stdin=json.dumps(manifest)).json(seconds)
    except KubectlError as error:
        if name is None or "(AlreadyExists)" not in str(error):
            raise
        stored = kubectl.json("get", "agentrolloutaction", name, f"--namespace={namespace}")
        if _subject(stored) != _subject(manifest):
            raise
        return stored


def completed(request: Request, rollout: Manifest, user: str) -> Manifest:
    """The action to create. Raises `OpenRequestError` if the status does not say enough."""
    return manifest_of(request, rollout, user)


def consequence(rollout: Manifest, verb: str, action: Manifest) -> str:
    """What follows, as the view says it; in general words if it has no effect that is known now.

    The view knows what the command does without options: with `--to`, another release would serve.
    """
    subject = _subject(action)
    for each in view(rollout, {}, now()).actions:
        if each.verb == verb and _by_default(each, rollout) == subject:
            return each.consequence
    return _in_general(rollout, subject)


def _subject(action: Mapping[str, Any]) -> Manifest:
    return {field: value for field, value in action["spec"].items() if field not in _OURS}


def _by_default(action: Action, rollout: Manifest) -> Manifest | None:
    """What the command of the view requests."""
    names, metadata = asdict(action.names), rollout["metadata"]
    request = Request(ActionType(action.type or ""), metadata["name"], metadata["namespace"], "", **names)
    try:
        return _subject(manifest_of(request, rollout, ""))
    except OpenRequestError:
        return None


def _in_general(rollout: Manifest, subject: Manifest) -> str:
    parts = [f"Requests {subject['type']}"]
    about = [str(subject[name]) for name in ("release", "phase", "hook") if name in subject]
    parts += [f"of {' '.join(about)}"] if about else []
    parts += [f"to {subject['target']}"] if "target" in subject else []
    parts += [f"of {subject['percent']}% of the traffic"] if "percent" in subject else []
    parts += [f"for {subject['forSeconds']} s"] if "forSeconds" in subject else []
    parts += ["whether or not a target is ready"] if "force" in subject else []
    return " ".join([*parts, f"in {rollout['metadata']['namespace']}/{rollout['metadata']['name']}"])


@dataclass(slots=True)
class Followed:
    """An action whose effect is awaited.

    Args:
        action: As it was created.
        began: When it was requested, on the monotonic clock.
        before: Weights on the route before it.
    """

    action: Manifest
    began: float
    before: tuple[int, ...] | None
    answer: str = ""
    answered: float = 0.0
    has_moved: bool = field(default=False)

    def steps(self, looks: Iterator[Look], seconds: float) -> Iterator[Step]:
        """What can be observed of it, until it is carried out.

        Raises:
            RefusedError: it was refused, or nothing of it was seen within so many seconds.
        """
        for look in looks:
            yield from self._observed(look.rollout.get("status") or {})
            if self._is_done(look.rollout.get("status") or {}):
                return
            if self.elapsed > seconds:
                raise RefusedError(self._late(look, seconds))

    @property
    def elapsed(self) -> float:
        """Seconds since the request."""
        return time.monotonic() - self.began

    @property
    def type(self) -> str:
        """What was requested."""
        return str(self.action["spec"]["type"])

    @property
    def has_rolled_back(self) -> bool:
        """Whether a release was rolled back by it."""
        return self.type == ActionType.ROLL_BACK and self.answer == Reason.DONE

    def _observed(self, status: Manifest) -> Iterator[Step]:
        weights = weights_of(status)
        if weights != self.before and weights is not None:
            self.before = weights
            yield Step(self.elapsed, f"the route shows {written(weights)}")
        entry = self._entry(status)
        if entry and entry["result"] != self.answer:
            self.answer, self.answered = entry["result"], self.elapsed
            if self.answer not in SUCCESSFUL | ON_THE_WAY:
                raise RefusedError(f"{self.answer}: {entry.get('message', '')}")
            if self.type != ActionType.ROLL_BACK or self.answer not in ON_THE_WAY:
                yield Step(self.elapsed, f"{self.answer}: {entry.get('message', '')}")
        if self.type == ActionType.ROLL_BACK and not self.has_moved and self._has_left(status):
            self.has_moved = True
            yield Step(self.elapsed, f"the traffic has left {self.action['spec']['release']}")

    def _is_done(self, status: Manifest) -> bool:
        if not self.answer or self.answer in ON_THE_WAY:
            return False
        if self.type == ActionType.ROLL_BACK:
            state = (status.get("attempt") or {}).get("state")
            is_late = self.elapsed > self.answered + _LEAVING_SECONDS
            return self.has_moved or state not in _MOVING or is_late
        if self.type in {ActionType.SWITCH_OFF, ActionType.SWITCH_ON} and self.before is not None:
            off: int = (status.get("detour") or {}).get("percent", 0)
            return sum(self.before) == _FULL - off
        return True

    def _has_left(self, status: Manifest) -> bool:
        rollback = status.get("lastRollback") or {}
        is_ours = rollback.get("from") == self.action["spec"]["release"] and bool(self.answer)
        return is_ours and "observedTime" in rollback

    def _entry(self, status: Manifest) -> Manifest | None:
        uid = self.action["metadata"]["uid"]
        return next((each for each in status.get("actions") or () if each["uid"] == uid), None)

    def _late(self, look: Look, seconds: float) -> str:
        name = self.action["metadata"]["name"]
        why = look.problem or "check that the operator runs: kubectl agentrollout check"
        said = f"the answer is {self.answer}, and the route has not followed" if self.answer else "no answer"
        return f"{name}: created; {said} within {seconds:g} s; {why}"


def weights_of(status: Manifest) -> tuple[int, int] | None:
    """The shares of stable and canary, as last seen on the route."""
    weights = status.get("weights")
    return (weights["stable"], weights["canary"]) if weights else None


def written(weights: tuple[int, ...]) -> str:
    """Shares as `100/0`, and what no release gets."""
    rest = _FULL - sum(weights)
    return "/".join(map(str, weights)) + (f", {rest}% elsewhere" if rest else "")
