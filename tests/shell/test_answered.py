"""Inputs: answered actions, as they come and go. Output: what is remembered of them."""

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.people.action import ActionType
from agentrollouts.shell import answered
from agentrollouts.shell.answered import AnsweredActions
from testkit.builders.actions import an_action
from testkit.builders.names import AGENT, NAMESPACE

ROLLOUT: Final = Ref("AgentRollout", NAMESPACE, AGENT)


def an_answered(name: str, version: int, attempt: int = 1) -> Manifest:
    """An action in that version."""
    manifest: Manifest = an_action(ActionType.HOLD, attempt, name=name).to_json()
    manifest["metadata"]["resourceVersion"] = str(version)
    return manifest


events = st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(1, 5)), max_size=20)


@given(events)
def test_it_is_what_was_seen_last(seen: list[tuple[bool, str, int]]) -> None:
    """The newest version of each that is not gone, in any order of news; nothing is left of none."""
    actions, expected = AnsweredActions(), dict[str, int]()
    for is_gone, name, version in seen:
        if is_gone:
            actions.remove(an_answered(name, version))
            expected.pop(name, None)
        else:
            actions.add(an_answered(name, version))
            expected[name] = max(version, expected.get(name, 0))
    assert {each.name: int(each.version) for each in actions.of(ROLLOUT)} == expected
    for name in expected:
        actions.remove(an_answered(name, 9))
    assert vars(actions) == vars(AnsweredActions())


def test_one_tenant_fills_no_memory() -> None:
    """More than fit are not remembered; there is room again once some are gone."""
    actions = AnsweredActions()
    for number in range(answered.OF_ROLLOUT + 10):
        actions.add(an_answered(f"action-{number}", number + 1))
    assert len(actions.of(ROLLOUT)) == answered.OF_ROLLOUT
    actions.remove(an_answered("action-0", 9999))
    actions.add(an_answered("another", 9999))
    assert len(actions.of(ROLLOUT)) == answered.OF_ROLLOUT
