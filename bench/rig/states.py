"""Rollouts in each state of an attempt in which one can stay, for figures that are about any state.

RollingBack is left out: no rollout stays in it, as it ends with the write of the route.
"""

from collections.abc import Mapping
from typing import Any, Final

from bench.rig.crowd import NEXT, Crowd, in_state
from sandbox.people.apiserver import ApiServer

LONG: Final = 3600
PLAN: Final[Mapping[str, Any]] = {
    "gates": [],
    "phases": [{"name": "half", "weight": 50, "durationSeconds": 1, "approval": "Required"}],
}
"""A plan that people alone judge."""
SLOW: Final = {"phases": [PLAN["phases"][0] | {"durationSeconds": LONG}]}
UNHOOKED: Final = {"hooks": [{"name": "keep", "at": "BeforeTraffic", "job": {"cronJob": "missing"}}]}
"""The attempt waits for a hook that no one has made."""
UNSEEN: Final = {"rollback": {"verify": {"withinSeconds": 600, "watchSeconds": 0}}}
"""No gateway runs, so nothing shows that traffic follows the route."""
UNROUTED: Final = {
    "traffic": {"httpRoute": {"parentRefs": [{"name": "none"}], "hostnames": ["first.example.com"]}}
}
"""The first release waits for a gateway, and none runs."""
CHANGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "Healthy": {},
    "Pending": UNHOOKED,
    "Superseded": UNHOOKED,
    "Canary": SLOW,
    "Held": SLOW,
    "AwaitingApproval": {},
    "Baking": {"bake": {"durationSeconds": LONG}},
    "Verifying": {**SLOW, **UNSEEN},
    "RolledBack": SLOW,
}
"""By state, what of the plan leads there."""
FIRST: Final = {
    "Healthy": "Healthy",
    "Pending": "Pending",
    "Superseded": "Pending",
    "AwaitingApproval": "AwaitingApproval",
    "Baking": "AwaitingApproval",
}
"""The state from which a person leads on; Canary for all others."""
INITIAL: Final = "Initial"


async def arranged(server: ApiServer, each: int, spec: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names of so many rollouts in each state.

    Args:
        server: where they are made.
        each: how many of each state.
        spec: fields of every rollout's spec.
    """
    crowd = Crowd(server, each * len(CHANGES), {**PLAN, **spec}, prefix="state")
    await crowd.settle(seconds=600)
    parts = {state: crowd.names[index * each : (index + 1) * each] for index, state in enumerate(CHANGES)}
    for state, names in parts.items():
        for name in names if state != "Healthy" else ():
            await crowd.change(name, CHANGES[state])
            await crowd.ask(name, NEXT)
    for state, names in parts.items():
        await crowd.all(names, in_state(FIRST.get(state, "Canary")))
        for name in names:
            await _lead(crowd, name, state)
        await crowd.all(names, in_state(state))
    fresh = Crowd(server, each, {**PLAN, **UNROUTED, **spec}, prefix="first")
    await fresh.settle(looks=in_state(INITIAL))
    return {**parts, INITIAL: fresh.names}


async def _lead(crowd: Crowd, name: str, state: str) -> None:
    """What a person does then."""
    match state:
        case "Superseded":
            await crowd.ask_back(name)
        case "Held":
            await crowd.act(name, "hold", type="Hold", attempt=2)
        case "Baking":
            await crowd.act(name, "approve", type="Approve", attempt=2, phase="half")
        case "Verifying" | "RolledBack":
            await crowd.act_back(name)
