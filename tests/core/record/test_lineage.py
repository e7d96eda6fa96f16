"""Records of a rollout that was restored under another uid, and records that were saved more than once."""

import copy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.record.chain import sealed
from agentrollouts.core.record.lineage import of_lineage
from agentrollouts.core.record.verify import Chain, Known, verify
from testkit.properties import usually
from testkit.records import UID, Json, Records, Told, chained, some_records

RESTORED: Final = "77777777-1111-4222-8333-444455556666"
AGAIN: Final = "11111111-1111-4222-8333-444455556666"
OLD: Final = some_records(3)


def attempt(number: int) -> Told:
    """An attempt of two entries."""
    entries = ({"time": "t", "event": "AttemptStarted"}, {"time": "t", "event": "Healthy"})
    return Told(number, f"support-agent-5.{number}.0", (entries,), "Healthy")


NEW: Final = chained([attempt(5)], uid=RESTORED, after=OLD.head)
NEWER: Final = chained([attempt(6)], uid=AGAIN, after=NEW.head)
ALL: Final = (*NEWER.objects, *OLD.objects, *NEW.objects)


def found(chain: Chain) -> tuple[str, str, str, int]:
    """Which uid, which one it continues and is continued by, and how much no head covers."""
    return chain.uid, chain.continues, chain.continued_by, chain.unmatched


def test_a_head_of_a_later_uid_covers_the_earlier_ones() -> None:
    """Each chain begins with the hash with which the one before ends; the oldest is first."""
    verification = verify(ALL, Known(latest=NEWER.head, uid=AGAIN, since=1))

    assert verification.broken is None
    assert [found(chain) for chain in verification.chains] == [
        (UID, "", RESTORED, 0),
        (RESTORED, UID, AGAIN, 0),
        (AGAIN, RESTORED, "", 0),
    ]
    assert not verify(ALL).is_covered


@pytest.mark.parametrize("changed", [0, -1])
def test_what_was_edited_under_an_earlier_uid_is_found(changed: int) -> None:
    """An edit breaks the chain; if all is hashed again, nothing continues it, and no head covers it."""
    edited, last = copy.deepcopy(OLD.objects), OLD.objects[-1]["spec"]["entries"][-1]
    edited[changed]["spec"]["entries"][0]["by"] = "mallory"
    assert verify([*edited, *NEW.objects], Known(latest=NEW.head, uid=RESTORED)).broken is not None

    forged = copy.deepcopy(OLD.objects)
    forged[-1]["spec"]["entries"][-1] = sealed(last | {"by": "mallory"}, last["previous"])
    verification = verify([*forged, *NEW.objects], Known(latest=NEW.head, uid=RESTORED))
    assert [found(chain)[1:3] for chain in verification.chains] == [("", "")] * 2
    assert not verification.is_covered


def test_a_status_that_is_older_than_the_records_breaks_nothing() -> None:
    """Restored from yesterday, it names an entry in the middle; the newer ones are counted."""
    middle = OLD.objects[1]["spec"]["entries"][0]["hash"]
    later = len(OLD.lines) - 1 - [line["id"] for line in OLD.lines].index(middle)

    verification = verify(OLD.objects, Known(latest=middle, uid=RESTORED))
    assert verification.broken is None
    assert [chain.unmatched for chain in verification.chains] == [later]
    assert verify(OLD.objects, Known(latest=middle, uid=UID)).broken is not None

    forked = chained([attempt(2)], uid=RESTORED, after=middle)
    verification = verify([*OLD.objects, *forked.objects], Known(latest=forked.head, uid=RESTORED))
    assert verification.broken is None
    assert [found(chain)[1:] for chain in verification.chains] == [("", RESTORED, later), (UID, "", 0)]


@pytest.mark.parametrize(
    ("uid", "hashes", "expected"),
    [
        ("99", [OLD.head], OLD.objects),
        (RESTORED, [NEW.head], (*OLD.objects, *NEW.objects)),
        (AGAIN, [NEWER.head], ALL),
        (AGAIN, [], ALL),
        (UID, [OLD.head], OLD.objects),
        ("99", [None, "", "sha256:1"], ()),
    ],
    ids=["restored", "then an attempt", "restored again", "by the uid alone", "never restored", "another"],
)
def test_the_records_of_earlier_uids_belong_to_a_rollout_that_continues_them(
    uid: str, hashes: list[Any], expected: tuple[Json, ...]
) -> None:
    """By the head that its status names, or by its own first record."""
    kept = of_lineage([*ALL, {"spec": 1}, None], uid, hashes)

    assert sorted(map(str, kept)) == sorted(map(str, expected))


@given(st.integers(0, 10**6), st.data())
@usually(50)
def test_a_record_that_was_saved_earlier_is_a_copy(seed: int, data: st.DataObject) -> None:
    """With fewer entries, without evidence or outcome: two files of two days hold as the newer one does."""
    records = some_records(seed)
    index = data.draw(st.integers(0, len(records.objects) - 1))
    earlier = copy.deepcopy(records.objects[index])
    entries = earlier["spec"]["entries"]
    earlier["spec"]["entries"] = entries[: data.draw(st.integers(1, len(entries)))]
    for name in data.draw(st.sets(st.sampled_from(["evidence", "outcome"]))):
        earlier["spec"].pop(name, None)

    given_records = data.draw(st.permutations([earlier, *records.objects]))
    verification = verify(given_records, Known(latest=records.head))

    assert verification.broken is None
    assert [chain.records for chain in verification.chains] == [len(records.objects)]


def test_a_copy_with_another_entry_is_a_break() -> None:
    """What was edited is not what was saved earlier."""
    records = Records(OLD.objects)
    other = copy.deepcopy(records.objects[0])
    first = other["spec"]["entries"][0]
    other["spec"]["entries"] = [sealed(first | {"by": "mallory"}, first["previous"])]

    broken = verify([other, *records.objects], Known(latest=records.head)).broken

    assert broken is not None
    assert "is there twice, with different content" in str(broken) or broken.entry is not None
