"""Planted bugs: what a campaign is worth is shown by what it finds.

Each bug is one that other tools have had, put into the shipped functions for as long as a case plays. A case
is broken if one of the campaigns does not catch its bug.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis import analyze, gate_status
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.metrics.queries import QueryPlan
from agentrollouts.core.rollout.checks import progressing
from agentrollouts.core.traffic import state
from agentrollouts.core.traffic.routers.router import Change
from campaigns.cases import Campaign, Case, Choice, Play
from campaigns.virtual import exhaustive, simulated

Patches = tuple[tuple[Any, str, Any], ...]
"""Object, attribute and what stands there instead."""


def _judge_errors_as_passes(*args: Any, **kwargs: Any) -> Judgment:  # noqa: ANN401 whatever the judge is given
    judgment = judge(*args, **kwargs)
    return replace(judgment, verdict=Verdict.PASS) if judgment.verdict is Verdict.ERROR else judgment


def _write_ahead(
    routing: state.Routing, status: AgentRolloutStatus, *_: object, **__: object
) -> Iterator[Change]:
    yield from routing.state(status).changes


def _trust(plan: QueryPlan, other: object) -> bool:
    return isinstance(other, QueryPlan) and _timeless(plan) == _timeless(other)


def _timeless(plan: QueryPlan) -> object:
    """A plan without the time from which it counts: plans of another kind stay different."""
    return plan.subject, plan.sources, plan.standing


BUGS: Final[Mapping[str, Patches]] = {
    "NaN passes": ((gate_status, "judge", _judge_errors_as_passes),),
    "any verdict advances": ((analyze.Analysis, "passed", True),),
    "the route is written before the status": ((state.Routing, "writes", _write_ahead),),
    "no latch": ((progressing, "_latch_on_traffic", lambda _: None),),
    "an answer about an earlier weight is trusted": ((QueryPlan, "__eq__", _trust),),
}

FINDERS: Final[Mapping[str, tuple[Play, int]]] = {
    "simulated": (simulated.play, 500),
    "exhaustive": (exhaustive.play, 40),
}
"""The campaigns that look, each with the size of its short cut."""
RULE: Final = re.compile(r"\b([SL]\d|truth): |AssertionError")
"""How a campaign says that a rule is broken."""


@contextmanager
def planted(patches: Patches) -> Iterator[None]:
    """The bug is there."""
    undo: list[Callable[[], object]] = []
    try:
        for target, name, value in patches:
            patched = patch.object(target, name, value)
            patched.start()
            undo.append(patched.stop)
        yield
    finally:
        for each in reversed(undo):
            each()


def caught(bug: str, finder: str, seed: int) -> str | None:
    """The rule that the finder saw broken; None if it saw none.

    Any other exception does not count: it shows that the bug no longer fits the code, not what a campaign
    sees.
    """
    look, size = FINDERS[finder]
    with planted(BUGS[bug]):
        reports = (case.broken for case in look(Choice(seed, size)) if case.broken)
        return next(filter(RULE.search, reports), None)


def play(choice: Choice) -> Iterator[Case]:
    """A case for each bug."""
    for bug in BUGS:
        if choice.wants(bug):
            missed = [finder for finder in FINDERS if not caught(bug, finder, choice.seed)]
            yield Case(bug, f"not caught by {' and '.join(missed)}" if missed else None)


PLANTED: Final = Campaign(
    "planted", "the campaigns can fail: each of five planted bugs is caught", play, unit="bugs"
)
