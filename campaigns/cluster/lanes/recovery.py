"""The courses that lead back in another way than by a gate of the canary, or lead elsewhere for a while.

Beside `courses`, which has those of a plan.
"""

from collections.abc import Callable
from typing import Any, Final

from campaigns.cluster.lanes.courses import (
    APPROVES,
    JUDGED,
    ONE,
    UNJUDGED,
    WAITING,
    Course,
    Step,
    at_once,
    half,
    ships,
)
from campaigns.cluster.lanes.jobs import KEEP, REPAIR
from campaigns.cluster.lanes.scene import ANA, FALLBACK, FIRST, SECOND, Scene

OFF: Final[dict[str, Any]] = {**UNJUDGED, "fallback": {"service": {"name": FALLBACK, "port": 8080}}}
WATCHED: Final[dict[str, Any]] = {
    **OFF,
    **JUDGED,
    "gates": [
        {
            "name": "errors",
            "template": "error-rate",
            "limit": {"value": "0.2", "forSeconds": 0},
            "minSamples": 10,
            "action": "SwitchOff",
        }
    ],
    "watch": {"intervalSeconds": 5},
    "phases": WAITING,
}
HOOKED: Final[dict[str, Any]] = {
    **UNJUDGED,
    "phases": WAITING,
    "hooks": [
        {"name": KEEP, "at": "BeforeTraffic", "job": {"cronJob": KEEP}},
        {"name": REPAIR, "at": "AfterRollback", "job": {"cronJob": REPAIR}},
    ],
}
SPARED: Final[dict[str, Any]] = {
    **WATCHED,
    "gates": [gate | {"action": "Standby"} for gate in WATCHED["gates"]],
    "phases": ONE,
    "standby": [{"releaseRef": {"name": FIRST}, "gates": ["errors"], "returnAfterSeconds": 10}],
}
"""The release before serves for the shortest time that there is while stable fails."""
GROUPED: Final[dict[str, Any]] = {**JUDGED, "phases": WAITING, "group": "pair"}

DRILLED: Final[dict[str, Any]] = {
    **JUDGED,
    "phases": ONE,
    "drill": {"everySeconds": 366 * 24 * 3600, "weight": 20, "durationSeconds": 10},
    "rollback": {"verify": {"withinSeconds": 30, "watchSeconds": 30}},
}
"""A drill that begins only on request, and ends once its last runs were seen."""


def _is_off(scene: Scene) -> bool:
    """Everything goes to the fallback, and the attempt that follows waits."""
    return scene.is_off and scene.attempt.get("state") == "Pending"


def _switches_off(scene: Scene) -> Any:  # noqa: ANN401 what awaits it does not matter
    return scene.act("SwitchOff")


def _switches_on(scene: Scene) -> Any:  # noqa: ANN401 the same
    return scene.act("SwitchOn", ANA, detour=scene.status["detour"]["id"])


def _runs(hook: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.job(hook) is not None


def _completes(hook: str) -> Step:
    return Step(_runs(hook), lambda scene: scene.complete(hook))


def _has_recovered(scene: Scene) -> bool:
    """The rollback is over, and what it was to repair is repaired."""
    states = [entry["state"] for entry in scene.status.get("hooks", ())]
    return scene.is_over("RolledBack", FIRST) and states == ["Succeeded"] * 3


def _drills(scene: Scene) -> Any:  # noqa: ANN401 the same
    return scene.act("Drill", ANA, release=f"{scene.agent}-{FIRST}")


def _is_drilled(scene: Scene) -> bool:
    """The drill has shown what it was to show, and what was requested serves as before."""
    last, attempt = scene.status.get("lastDrill", {}), scene.attempt
    has_ended = (attempt.get("kind"), attempt.get("state")) == ("Drill", "RolledBack")
    return has_ended and last.get("outcome") == "Passed" and scene.is_ready(SECOND)


def _stands_by(scene: Scene) -> bool:
    """The standby has all traffic; a repair that waits for the status can come after its end."""
    return scene.serves(FIRST, 100)


def _serves_again(scene: Scene) -> bool:
    """The standby has served its time, and the gate has looked at stable since."""
    last = scene.status.get("lastDetour") or {}
    is_over = last.get("cause") == "Standby" and "detour" not in scene.status
    return is_over and scene.is_ready(SECOND) and bool(scene.status.get("watched"))


def _both_are_back(scene: Scene) -> bool:
    return all(each.is_over("RolledBack", FIRST) for each in (scene, scene.sibling))


RECOVERY: Final = (
    Course("off", {**OFF, "phases": WAITING}, [ships(SECOND), Step(half, _switches_off)], _is_off),
    Course(
        "on",
        {**OFF, "phases": ONE},
        [ships(SECOND), Step(half, _switches_off), Step(_is_off, _switches_on), APPROVES],
        lambda s: s.is_ready(SECOND) and s.is_answered("SwitchOn", "Done"),
    ),
    Course("alone", WATCHED, [], lambda s: s.is_off, failing={FIRST: 0.9}),
    Course(
        "hooks",
        HOOKED,
        [
            ships(FIRST),
            _completes(KEEP),
            Step(lambda s: s.is_ready(FIRST), lambda scene: scene.ship(SECOND)),
            _completes(KEEP),
            Step(half, lambda scene: scene.roll_back()),
            _completes(REPAIR),
        ],
        _has_recovered,
        before=(),
    ),
    Course(
        "group",
        GROUPED,
        [
            Step(at_once, lambda scene: scene.sibling.ship(FIRST)),
            Step(lambda s: s.sibling.is_ready(FIRST), lambda scene: scene.sibling.ship(SECOND)),
            Step(lambda s: half(s.sibling), lambda scene: scene.ship(SECOND)),
        ],
        _both_are_back,
        failing={SECOND: 0.9},
    ),
    Course(
        "standby",
        SPARED,
        [Step(_stands_by, lambda scene: scene.mend(SECOND))],
        _serves_again,
        before=(FIRST, SECOND),
        failing={SECOND: 0.9},
    ),
    Course("drill", DRILLED, [Step(at_once, _drills)], _is_drilled, before=(FIRST, SECOND)),
)
"""`off`: during a canary; `on`: and on again; `alone`: by a gate of a release that serves alone; `hooks`:
before traffic and after a rollback; `group`: one of two breaches, and the other one follows; `standby`: while
a release that serves alone fails, until its time is over; `drill`: of the release before, on request."""
