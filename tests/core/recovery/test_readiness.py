"""Input: what is known of a rollout. Output: which of the seven points of a recovery hold."""

import re
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.recovery.hooks import Hook, HookJob, Moment
from agentrollouts.core.recovery.readiness import POINTS, Facts, Point, count, points, sentence

TOOLS: Final = ("issue_refund", "search", "send_mail", "close_account", "page")
HOOKS: Final = st.builds(
    Hook,
    name=st.just("a-hook"),
    at=st.sampled_from(Moment),
    job=st.just(HookJob(cron_job="a")),
    for_tools=st.none() | st.lists(st.sampled_from(TOOLS), min_size=1, max_size=3, unique=True).map(tuple),
)
FACTS: Final = st.builds(
    Facts,
    has_data=st.none() | st.booleans(),
    has_target=st.none() | st.booleans(),
    tools=st.none() | st.dictionaries(st.sampled_from(TOOLS), st.booleans()),
    are_tools_seen=st.booleans(),
    gate_rolls_back=st.booleans(),
    cap_rolls_back=st.booleans(),
    hooks=st.lists(HOOKS, max_size=4).map(tuple),
)


@given(facts=FACTS)
def test_the_count_equals_the_points_that_are_not_listed(facts: Facts) -> None:
    """The sentence lists each other point once, in order, unless it cannot be seen."""
    found = points(facts)
    said = sentence(found)
    listed = [int(number) for number in re.findall(r"\((\d)\)", said)]

    assert [point.number for point in found] == list(range(1, POINTS + 1))
    assert listed == [point.number for point in found if point.holds is False]
    unseen = sum(point.holds is None for point in found)
    assert said.startswith(f"{POINTS - len(listed) - unseen} of {POINTS}")
    assert (": missing " in said) is bool(listed)


@given(facts=FACTS)
def test_each_external_action_has_a_hook_or_the_sixth_point_does_not_hold(facts: Facts) -> None:
    """Computed from the other side: what a rollback of this release would repair."""
    repairs = [hook for hook in facts.hooks if hook.at is Moment.AFTER_ROLLBACK]
    acting = {name for name, acts in (facts.tools or {}).items() if acts}
    repaired = {tool for tool in TOOLS if any(h.for_tools is None or tool in h.for_tools for h in repairs)}
    is_for_all = any(hook.for_tools is None for hook in repairs)
    expected: bool | None = is_for_all or (facts.tools is not None and acting <= repaired)
    if not facts.are_tools_seen and not is_for_all:
        expected = None
    assert points(facts)[5].holds is expected


def facts(**known: object) -> Facts:
    """Of a rollout that has nothing, but for this."""
    nothing: dict[str, object] = {
        "has_data": False,
        "has_target": False,
        "tools": None,
        "gate_rolls_back": False,
        "cap_rolls_back": False,
        "hooks": (),
    }
    return Facts(**nothing | known)  # type: ignore[arg-type] # fields by name


def a_hook(at: Moment, *tools: str) -> Hook:
    """A hook at that moment, for these tools or for any."""
    return Hook(name="a-hook", at=at, job=HookJob(cron_job="a"), for_tools=tools or None)


def test_the_sentence_names_what_to_do() -> None:
    """From nothing to everything; of many tools it names three."""
    assert sentence(points(facts())) == (
        "0 of 7: missing data in a gate (1), a rollback target (2), `components.tools` of what serves (3), a "
        "gate and a cap that roll back (4), a hook after a rollback (5), a hook for any tool (6), a hook "
        "before traffic (7)"
    )
    many = dict.fromkeys(TOOLS, True)
    stopping = facts(gate_rolls_back=True, has_data=True, has_target=True, tools=many)
    assert sentence(points(stopping)) == (
        "3 of 7: missing a cap that rolls back (4), a hook after a rollback (5), a hook for close_account "
        "and issue_refund and page and 2 more (6), a hook before traffic (7)"
    )
    whole = facts(
        has_data=True,
        has_target=True,
        tools={"issue_refund": True, "search": False},
        gate_rolls_back=True,
        cap_rolls_back=True,
        hooks=(a_hook(Moment.AFTER_ROLLBACK, "issue_refund"), a_hook(Moment.BEFORE_TRAFFIC)),
    )
    assert sentence(points(whole)) == "7 of 7"


def test_a_release_without_external_actions_needs_no_repair() -> None:
    """Its outputs need not be isolated, and there is nothing to reverse."""
    found = points(facts(tools={"search": False}))
    assert [point.holds for point in found] == [False, False, True, False, True, True, False]
    assert count(found) == 3
    assert found[0] == Point(1, holds=False, missing="data in a gate (1)")
