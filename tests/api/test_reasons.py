import re

import pytest

from agentrollouts.api.reasons import Reason, Trigger
from agentrollouts.api.status import Outcome, State, Verdict, VerifyOutcome


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_a_word_with_a_sentence(reason: Reason) -> None:
    """Every reason is one CamelCase word that reads as itself, and says in a sentence what it means."""
    assert re.fullmatch(r"[A-Z][A-Za-z]{1,63}", reason)
    assert str(reason) == reason.value
    assert re.fullmatch(r"[A-Z].{10,110}\.", reason.sentence)


def test_a_sentence_belongs_to_one_reason() -> None:
    """Two words for one thing would be two alerts for one thing."""
    assert len({reason.sentence for reason in Reason}) == len(Reason)


def test_every_state_is_a_reason() -> None:
    """The short word of a rollout, its state, can stand as the reason of the condition Ready."""
    assert {state.value for state in State} <= {reason.value for reason in Reason}


def test_a_reason_is_found_by_its_word_and_no_other_word_is_one() -> None:
    """A word of ours, whoever says it, is that reason; any other word is an error."""
    assert Reason.of(State.HELD) is Reason.HELD

    with pytest.raises(ValueError, match="Heldd is no reason"):
        Reason.of("Heldd")


@pytest.mark.parametrize("words", [Outcome, VerifyOutcome])
def test_every_outcome_is_a_reason(words: type[Outcome | VerifyOutcome]) -> None:
    """How an attempt or a verification ended can be told by an Event."""
    assert {word.value for word in words} <= {reason.value for reason in Reason}


def test_the_verdicts_and_triggers_are_those_of_the_glossary() -> None:
    """There are seven answers of a gate and five causes of a rollback, and no others."""
    assert [*Verdict] == ["Pass", "Fail", "Inconclusive", "NoData", "Error", "SharedCause", "TrafficMismatch"]
    assert [*Trigger] == ["Breach", "Cap", "SpecReverted", "Timeout", "Action"]
