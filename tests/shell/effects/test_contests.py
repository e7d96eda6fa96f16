"""Inputs: what had to be written again and may not be yet. Outputs: which fight a rollout is in."""

from datetime import timedelta
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.traffic.drift import Drift
from agentrollouts.core.traffic.observed import Contest
from agentrollouts.shell.effects.contests import CALM, Contests
from testkit.builders.names import START

KEY: Final = Ref("AgentRollout", "support", "agent")
ROUTE: Final = "HTTPRoute agent"
SECOND: Final = timedelta(seconds=1)


def test_a_fight_lasts_as_long_as_something_has_to_wait() -> None:
    """And for `CALM` after that; then nothing is known of it."""
    contests = Contests()
    contests.note(KEY, [], START)
    assert contests.of(KEY, START) is None

    contests.note(KEY, [Drift(ROUTE, "argocd")], START)
    contests.note(KEY, [Drift(ROUTE, "argocd")], START + SECOND)
    end = START + SECOND + CALM
    assert contests.of(KEY, end - SECOND) == Contest(ROUTE, "argocd", START, end)
    assert contests.of(KEY, end) is None
    assert contests.of(KEY, START) is None


def test_the_first_object_and_the_first_writer_are_named_throughout() -> None:
    """Two tools that take turns, on two objects, make one sentence and not a status at each write."""
    contests = Contests()
    drifts = [Drift(ROUTE, None), Drift("ConfigMap agent-traffic", "flux"), Drift(ROUTE, "argocd")]
    for seconds, drift in enumerate(drifts):
        contests.note(KEY, [drift], START + seconds * SECOND)

    found = contests.of(KEY, START + 3 * SECOND)
    assert found == Contest(ROUTE, "flux", START, START + 2 * SECOND + CALM)


def test_a_clock_that_is_set_back_and_a_rollout_that_is_gone_end_it() -> None:
    """Nothing stays in a fight that began in the future."""
    contests = Contests()
    contests.note(KEY, [Drift(ROUTE, None)], START)
    assert contests.of(KEY, START - SECOND) is None
    assert contests.of(KEY, START) is None

    contests.note(KEY, [Drift(ROUTE, None)], START)
    assert contests.of(KEY, START) is not None
    contests.forget(KEY)
    assert contests.of(KEY, START) is None
