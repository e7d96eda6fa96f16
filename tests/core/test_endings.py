"""The table of what ends a hold: whole, equal to the page, and what kstatus makes of each row."""

from pathlib import Path
from typing import Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.action.ledger import FINAL
from agentrollouts.core.endings import ENDINGS, NEEDS_A_PERSON, EndedBy, Kstatus, with_way_out
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.reporting.conditions import stalled_by
from testkit.builders.names import NEW, OLD
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import a_rollout
from tests.gitops_tools import kstatus

PAGE: Final = Path(__file__).parents[2] / "docs" / "states.md"

NEVER_WAITED_FOR: Final = (
    frozenset(
        {
            Reason.MATERIALIZED,
            Reason.INITIAL,
            Reason.DETOUR_STARTED,
            Reason.DETOUR_ENDED,
            Reason.CANARY,
            Reason.HELD,
            Reason.BAKING,
            Reason.HEALTHY,
            Reason.ROLLING_BACK,
            Reason.VERIFYING,
            Reason.ROLLED_BACK,
            Reason.SUPERSEDED,
            Reason.PASSED,
            Reason.WITHIN_TOLERANCE,
            Reason.COLLECTING,
            Reason.WARMING_UP,
            Reason.APPLIED,
            Reason.HOSTNAME_SHARED,
            Reason.METRICS_AVAILABLE,
            Reason.METRICS_NOT_NEEDED,
            Reason.METRICS_UNKNOWN,
            Reason.PROGRESSING,
            Reason.SETTLED,
            Reason.NOT_STALLED,
            Reason.ATTEMPT_STARTED,
            Reason.PHASE_STARTED,
            Reason.PHASE_EXTENDED,
            Reason.HOLD_ENDED,
            Reason.FUSE_BURNING,
            Reason.GROUP_CONSISTENT,
            Reason.GROUP_ROLLBACK,
            Reason.PROMOTED,
            Reason.ROLLBACK_STARTED,
            Reason.RECOVERED,
            Reason.NOT_RECOVERED,
            Reason.UNVERIFIED,
            Reason.ROUTE_RESTORED,
            Reason.STATUS_NOT_WRITTEN,
            Reason.STATUS_INCOMPLETE,
            Reason.GATE_WARNED,
            Reason.ROLLBACK_REQUESTED,
            Reason.SPEC_REVERTED,
            Reason.DRILL,
            Reason.DRILL_STARTED,
            Reason.DRILL_PASSED,
            Reason.DRILL_FAILED,
            Reason.DRILL_SKIPPED,
            Reason.RECALLED,
            Reason.DATA_RECOVERED,
            Reason.HOOK_STARTED,
            Reason.HOOK_ENDED,
            Reason.ROLLBACK_READY,
            Reason.RECOVERY_INCOMPLETE,
            Reason.NOTHING_EARLIER,
            Reason.WAITING,
            Reason.ANNOTATION_IGNORED,
            Reason.ACTION_TAKEN,
            Reason.NO_WINDOWS,
            Reason.IN_WINDOW,
            Reason.OUTSIDE_WINDOWS,
            Reason.NOT_BEGUN,
            Reason.OVER,
            Reason.INVALID_WINDOW,
            Reason.ACTION_REFUSED,
        }
    )
    | FINAL
)
"""States, verdicts that hold nothing, answers to actions, and Events.

A new word belongs here or gets a row in `core.endings`.
"""


def test_every_word_has_a_row_or_holds_nothing() -> None:
    """A word that can hold an attempt says what ends it, and how kstatus sees it."""
    assert set(Reason) - ENDINGS.keys() == NEVER_WAITED_FOR


def test_the_page_has_the_rows_of_the_table() -> None:
    """Who reads the page reads the program."""
    section = PAGE.read_text().partition("## What ends a hold")[2].partition("\n## ")[0]
    shown = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in section.splitlines()]
    rows = [row for row in shown if len(row) == 4 and row[0] not in {"reason", "---"}]

    assert rows == [(str(reason), str(e.by), e.how, str(e.kstatus)) for reason, e in ENDINGS.items()]


def test_only_what_needs_a_person_is_failed() -> None:
    """Kstatus reports Failed for nothing that ends by itself or by another object."""
    assert {ENDINGS[reason].by for reason in NEEDS_A_PERSON} == {EndedBy.PERSON}
    ends_by_itself = {
        Reason.INCONCLUSIVE,
        Reason.SHARED_CAUSE,
        Reason.CAP_EXCEEDED,
        Reason.GATE_FAILED,
        Reason.METRIC_MISSING,
        Reason.METRICS_STALE,
        Reason.METRICS_UNAVAILABLE,
        Reason.TRAFFIC_MISMATCH,
    }
    assert {ENDINGS[reason].kstatus for reason in ends_by_itself} == {Kstatus.IN_PROGRESS}


@pytest.mark.parametrize("reason", ENDINGS)
def test_a_hold_is_seen_as_its_row_says(reason: Reason) -> None:
    """For every word: the conditions of a rollout that is held for it, as kstatus reads them."""
    held = a_rollout().serving(OLD).trying(NEW).held_for(reason)
    status = held.status
    word = (False, Reason.HELD, "held")
    stuck = stalled_by(status, word, (True, Reason.APPLIED, ""))
    conditions = tuple(
        Condition(
            type=kind,
            status=ConditionStatus.TRUE if holds else ConditionStatus.FALSE,
            reason="Word",
            message="",
            last_transition_time="2026-11-21T10:00:00Z",
        )
        for kind, holds in (("Ready", False), ("Reconciling", stuck is None), ("Stalled", stuck is not None))
    )
    manifest = held.having(conditions=conditions, observed_generation=held.generation).build().to_json()
    assert kstatus(manifest) == ENDINGS[reason].kstatus


def test_a_hold_states_what_releases_it() -> None:
    """A measured hold says in its message how it ends; nothing is added to one that says it."""
    message = with_way_out(Reason.INCONCLUSIVE, "errors: 3 of 100 runs needed")
    assert message.startswith("errors: 3 of 100 runs needed; resumes once the gates pass")
    paused = decide(an_observation(a_rollout(paused=True).in_state(State.CANARY))).status
    assert paused is not None
    assert paused.attempt is not None
    assert paused.attempt.hold is not None
    assert paused.attempt.hold.message == "spec.paused is true; set it to false to continue"
