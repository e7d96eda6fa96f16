import re

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.status import Outcome
from agentrollouts.api.verdict import Verdict


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_a_word_with_a_sentence(reason: Reason) -> None:
    """Every reason is one CamelCase word, and its sentence has a capital first and a period last."""
    assert re.fullmatch(r"[A-Z][A-Za-z]{1,63}", reason)
    assert str(reason) == reason.value
    assert re.fullmatch(r"[A-Z].{10,110}\.", reason.sentence)


def test_a_sentence_belongs_to_one_reason() -> None:
    """No two reasons have the same sentence, since that would be two alerts for one thing."""
    assert len({reason.sentence for reason in Reason}) == len(Reason)


def test_every_state_is_a_reason() -> None:
    """Every state can be the reason of the condition Ready."""
    assert {state.value for state in State} <= {reason.value for reason in Reason}


def test_a_reason_is_found_by_its_word_and_no_other_word_is_one() -> None:
    """A known word is its reason, whatever its type, and any other word is an error."""
    assert Reason.of(State.HELD) is Reason.HELD

    with pytest.raises(ValueError, match="Heldd is not a reason"):
        Reason.of("Heldd")


@pytest.mark.parametrize("words", [Outcome, VerifyOutcome])
def test_every_outcome_is_a_reason(words: type[Outcome | VerifyOutcome]) -> None:
    """An Event can report the outcome of every attempt and verification."""
    assert {word.value for word in words} <= {reason.value for reason in Reason}


def test_the_verdicts_and_triggers_are_those_of_the_glossary() -> None:
    """There are seven verdicts of a gate and eight causes of a rollback."""
    assert [*Verdict] == ["Pass", "Fail", "Inconclusive", "NoData", "Error", "SharedCause", "TrafficMismatch"]
    assert [*Trigger] == ["Breach", "Cap", "SpecReverted", "Timeout", "Action", "SwitchOff", "Group", "Drill"]
