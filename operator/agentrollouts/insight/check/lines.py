"""What is known of the cluster, and the lines that are said about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Manifest = Mapping[str, Any]


class Mark(StrEnum):
    """How a line is marked; each face has its own sign for it."""

    GOOD = "Good"
    PROBLEM = "Problem"
    WARNING = "Warning"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked."""

    mark: Mark
    sentence: str
    remedy: str = ""
    """What to do, with the page that says more; for problems, and for warnings where something helps."""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines about one topic."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The objects of one kind that were looked for."""

    objects: Mapping[str, Manifest] = field(default_factory=dict)
    """Those that exist, by name."""
    problem: str = ""
    """Why they could not be read, in the words of kubectl; then nothing is known of those that are absent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer. Its body is never read."""

    status: int
    releases: tuple[str, ...] = ()
    """The values of its header `agent-release`."""
    digests: tuple[str, ...] = ()
    """The values of its header `agent-release-digest`."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One request to each release that serves."""

    path: str
    answers: Mapping[str, Answer | str] = field(default_factory=dict)
    """The answers by release, or why there is none."""
    forbidden: frozenset[str] = frozenset()
    """Releases to which the reader may send no request."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that the lines are about."""

    now: datetime
    rollout: Manifest | None = None
    """The rollout; None to check the installation alone."""
    rights: Mapping[str, bool] | None = None
    """Whether the reader may use each own verb on the rollout, and `create` actions; None if unknown."""
    served: frozenset[str] | None = None
    """Plural names of our kinds that the API server serves; None if unknown."""
    plugin: str = ""
    """Version of this program."""
    kinds: Mapping[str, Found] = field(default_factory=dict)
    """What was read, by kind."""
    probe: Probe | None = None
    """What the releases answered; None without a request."""

    def find(self, kind: str, name: str, remedy: str) -> Manifest | Line:
        """The object, or the line that says that it is missing or unknown."""
        found = self.kinds.get(kind, Found(problem="it was not read"))
        if name in found.objects:
            return found.objects[name]
        if found.problem:
            return Line(Mark.UNKNOWN, unread(f"{kind} {name}", found.problem))
        return Line(Mark.PROBLEM, f"{kind} {name} does not exist", remedy)


def unread(what: str, problem: str) -> str:
    """That something could not be read, and why."""
    return f"you may not read {what}" if "(Forbidden)" in problem else f"{what} is unknown: {problem}"


def condition(manifest: Manifest, kind: str) -> Manifest:
    """A condition of an object; empty if it has none."""
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), {})


def said(found: Manifest) -> str:
    """Reason and message of a condition."""
    return ": ".join(str(found[each]) for each in ("reason", "message") if found.get(each))
