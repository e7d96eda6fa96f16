"""Input: a record in a status. Output: which of its entries are left, and whether they are too many."""

from typing import Any

import pytest

from agentrollouts.api.record.progress import RecordPart, RecordStatus
from agentrollouts.core.record.backlog import BEHIND, by_record, cleared, is_behind
from agentrollouts.core.record.chain import sealed
from agentrollouts.core.record.silent import with_silent_record
from testkit.builders.names import NEW, digest_of


def entries(count: int, **facts: object) -> tuple[dict[str, Any], ...]:
    """A chain of so many entries."""
    made: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        entry = {"sequence": number, "time": "2026-11-21T10:00:00Z", "event": "Rose", **facts}
        made.append(sealed(entry, made[-1]["hash"] if made else ""))
    return tuple(made)


def a_record(*unwritten: dict[str, Any], earlier: tuple[RecordPart, ...] = ()) -> RecordStatus:
    """A record with these entries in the status."""
    return RecordStatus(
        name="agent-00000000-000002",
        attempt=2,
        release=NEW,
        digest=digest_of(NEW),
        head=unwritten[-1]["hash"] if unwritten else "",
        unwritten=unwritten,
        earlier=earlier,
    )


def test_what_is_written_leaves_the_status() -> None:
    """Up to the hash that is known to be written, and with it the records that nothing is left of."""
    chain = entries(3)
    part = RecordPart(name="agent-00000000-000001", attempt=1, release=NEW, digest=digest_of(NEW))
    record = a_record(*chain, earlier=(part,))

    some, all_of_them = cleared(record, chain[1]["hash"]), cleared(record, chain[2]["hash"])

    assert some is not None
    assert all_of_them is not None
    assert (some.unwritten, some.earlier) == (chain[2:], (part,))
    assert (all_of_them.unwritten, all_of_them.earlier) == ((), ())


@pytest.mark.parametrize("head", ["", "sha256:of-another-rollout"])
def test_what_is_not_known_to_be_written_stays(head: str) -> None:
    """A process that has just started knows nothing."""
    record = a_record(*entries(3))

    assert cleared(record, head) is record


LARGE = "x" * 15000


@pytest.mark.parametrize(
    ("count", "text", "expected"), [(BEHIND - 1, "", False), (BEHIND, "", True), (3, LARGE, True)]
)
def test_a_record_is_behind_by_number_or_by_size(count: int, text: str, *, expected: bool) -> None:
    """A status has room for the entries of a rollback beside them."""
    assert is_behind(a_record(*entries(count, message=text))) is expected


def test_entries_belong_to_the_record_in_which_their_numbers_begin() -> None:
    """The newest belong to the newest record."""
    first = entries(2)
    second = (sealed({"sequence": 1, "event": "AttemptStarted"}, first[-1]["hash"]),)
    part = RecordPart(name="agent-00000000-000001", attempt=1, release=NEW, digest=digest_of(NEW))
    record = a_record(*first, *second, earlier=(part,))

    assert by_record(record) == ((part, first), (record, second))


def test_texts_can_be_removed_from_a_chain_that_still_holds() -> None:
    """The last form of a status that is refused for a text."""
    chain = entries(2, message="refused", gates=[{"name": "errors", "message": "refused", "verdict": "Fail"}])
    status = {"record": a_record(*chain).to_json()}

    [_, bare] = with_silent_record([status])

    assert "refused" not in str(bare)
    unwritten = bare["record"]["unwritten"]
    assert [entry["previous"] for entry in unwritten] == ["", unwritten[0]["hash"]]
    assert bare["record"]["head"] == unwritten[1]["hash"]
