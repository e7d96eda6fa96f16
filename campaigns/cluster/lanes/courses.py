"""The courses that a rollout can take, as what people do: each step waits until something is seen, then acts.

The plans last for seconds and are the same plans that last for hours elsewhere. People see only what the API
server shows, so a step is taken at the same place of the course whatever happens to the operator meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from campaigns.cluster.lanes.recorder import Manifest
from campaigns.cluster.lanes.scene import ANA, FIRST, SECOND, THIRD, Scene

_LONG: Final = 3600


@dataclass(frozen=True, slots=True)
class Step:
    """What a person does once something is seen."""

    when: Callable[[Scene], bool]
    act: Callable[[Scene], Any]


def at_once(_: Scene) -> bool:
    """The first step of a course."""
    return True


def half(scene: Scene) -> bool:
    """The second release is seen to have half of the traffic."""
    return scene.attempt.get("state") in {"Canary", "AwaitingApproval"} and scene.serves(SECOND, 50)


def asks_approval(phase: str) -> Callable[[Scene], bool]:
    """The attempt of the release that is asked for waits for a person after this phase."""

    def waits(scene: Scene) -> bool:
        state, name = scene.attempt.get("state"), scene.attempt.get("phaseName")
        return (state, name) == ("AwaitingApproval", phase) and scene.is_trying_what_is_asked

    return waits


def phase(name: str, weight: int, seconds: int = 1, **more: object) -> Manifest:
    """A phase of a plan."""
    return {"name": name, "weight": weight, "durationSeconds": seconds, **more}


def asked(name: str, weight: int, seconds: int = 1, people: int = 1) -> Manifest:
    """A phase after which so many people are asked."""
    return phase(name, weight, seconds, approval="Required", approvals=people)


UNJUDGED: Final[Manifest] = {
    "gates": [],
    "bake": {"durationSeconds": 0},
    "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},
}
"""A plan that people alone judge; it needs no Prometheus."""
JUDGED: Final[Manifest] = UNJUDGED | {
    "gates": [{"name": "errors", "template": "error-rate", "minSamples": 10}],
    "analysis": {"intervalSeconds": 1, "warmupSeconds": 0, "staleAfterSeconds": 15},
}
FOUR: Final = (
    phase("start", 10),
    asked("half", 50),
    phase("ramp", 52, 2, rampSeconds=2),
    phase("most", 90),
)
WAITING: Final = (asked("half", 50, _LONG),)
UNDECIDED: Final[Manifest] = JUDGED | {
    "gates": [{"name": "errors", "template": "error-rate", "minSamples": 1_000_000}],
}
"""A plan whose gate never has enough runs to answer."""


def fused(seconds: int) -> Manifest:
    """A plan whose gate holds, and rolls back after so many seconds."""
    gate = {"name": "errors", "template": "error-rate", "minSamples": 10, "action": "Hold"}
    return JUDGED | {"gates": [gate | {"rollBackAfterSeconds": seconds}], "phases": WAITING}


ONE: Final = (asked("half", 50),)


@dataclass(frozen=True, slots=True)
class Course:
    """From a serving first release, or from nothing, to an end."""

    name: str
    plan: Mapping[str, Any]
    steps: Sequence[Step]
    ends: Callable[[Scene], bool]
    before: Sequence[str] = (FIRST,)
    """The releases that were made healthy before it begins, one after the other."""
    failing: Mapping[str, float] = field(default_factory=dict)
    """Share of a release's runs that fails, by version."""


def ships(version: str) -> Step:
    """The first step of most courses."""
    return Step(at_once, lambda scene: scene.ship(version))


def _is_held_in_bake(scene: Scene) -> bool:
    return bool(scene.attempt.get("hold", {}).get("resumes") == "Baking")


def _is_held_by_gate(scene: Scene) -> bool:
    return bool(scene.attempt.get("hold", {}).get("reason") == "GateFailed" and scene.serves(SECOND, 50))


APPROVES: Final = Step(asks_approval("half"), lambda scene: scene.approve())

COURSES: Final = (
    Course("first", UNJUDGED | {"phases": ONE}, [ships(FIRST)], lambda s: s.is_ready(FIRST), before=()),
    Course("promote", UNJUDGED | {"phases": FOUR}, [ships(SECOND), APPROVES], lambda s: s.is_ready(SECOND)),
    Course(
        "judged", JUDGED | {"phases": (phase("half", 50, 2),)}, [ships(SECOND)], lambda s: s.is_ready(SECOND)
    ),
    Course(
        "breach",
        JUDGED | {"phases": WAITING},
        [ships(SECOND)],
        lambda s: s.is_over("RolledBack", FIRST),
        failing={SECOND: 0.9},
    ),
    Course(
        "held",
        UNDECIDED | {"phases": (phase("half", 50),)},
        [ships(SECOND)],
        lambda s: s.attempt.get("state") == "Held" and s.serves(SECOND, 50),
    ),
    Course(
        "revert",
        UNJUDGED | {"phases": WAITING},
        [ships(SECOND), Step(half, lambda scene: scene.ask(FIRST))],
        lambda s: s.is_ready(FIRST) and s.attempt.get("state") == "RolledBack",
    ),
    Course(
        "supersede",
        UNJUDGED | {"phases": ONE},
        [ships(SECOND), Step(half, lambda scene: scene.ship(THIRD)), APPROVES],
        lambda s: s.is_ready(THIRD),
    ),
    Course(
        "delete",
        UNJUDGED | {"phases": WAITING},
        [ships(SECOND), Step(half, lambda scene: scene.delete())],
        lambda s: not s.rollout and s.observer.get("HTTPRoute", s.namespace, s.agent) is None,
    ),
    Course(
        "two",
        UNJUDGED | {"phases": (asked("half", 50, people=2),)},
        [
            ships(SECOND),
            APPROVES,
            Step(lambda s: s.is_answered("Approve", "Counted"), lambda scene: scene.approve(ANA)),
        ],
        lambda s: s.is_ready(SECOND),
    ),
    Course(
        "vouch",
        UNDECIDED | {"phases": (phase("half", 50, _LONG), phase("most", 90, _LONG))},
        [
            ships(SECOND),
            Step(half, lambda scene: scene.act("Promote", phase="half")),
            Step(lambda s: s.serves(SECOND, 90), lambda scene: scene.act("Promote", phase="most")),
            Step(_is_held_in_bake, lambda scene: scene.act("Promote", phase="bake")),
        ],
        lambda s: s.is_ready(SECOND),
    ),
    Course(
        "hold",
        JUDGED | {"phases": (phase("half", 50, 4),)},
        [
            ships(SECOND),
            Step(half, lambda scene: scene.act("Hold")),
            Step(lambda s: s.attempt.get("state") == "Held", lambda scene: scene.act("Resume")),
        ],
        lambda s: s.is_ready(SECOND),
    ),
    Course(
        "fuse",
        fused(5),
        [ships(SECOND)],
        lambda s: s.is_over("RolledBack", FIRST) and bool(s.status.get("quarantined")),
        failing={SECOND: 0.9},
    ),
    Course(
        "acknowledge",
        fused(300),
        [ships(SECOND), Step(_is_held_by_gate, lambda scene: scene.act("Acknowledge", forSeconds=_LONG))],
        lambda s: s.is_answered("Acknowledge", "Done") and _is_held_by_gate(s),
        failing={SECOND: 0.9},
    ),
    Course(
        "retry",
        UNJUDGED | {"phases": ONE},
        [
            ships(SECOND),
            Step(half, lambda scene: scene.roll_back()),
            Step(lambda s: s.is_over("RolledBack", FIRST), lambda scene: scene.retry()),
            Step(asks_approval("half"), lambda scene: scene.approve(ANA)),
        ],
        lambda s: s.is_ready(SECOND),
    ),
    Course(
        "switch",
        UNJUDGED | {"phases": ONE},
        [Step(at_once, lambda scene: scene.ask(FIRST))],
        lambda s: s.is_ready(FIRST),
        before=(FIRST, SECOND),
    ),
)
