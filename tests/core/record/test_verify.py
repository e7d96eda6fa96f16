"""What holds of records: valid chains hold however they are given, and each break is named by its place."""

import copy
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.record.chain import sealed
from agentrollouts.core.record.exported import Line, read_line
from agentrollouts.core.record.stored import Place
from agentrollouts.core.record.verify import Chain, Known, verify
from testkit.properties import usually
from testkit.records import UID, Json, Records, Told, chained, some_records

SEEDS: Final = st.integers(0, 10**6)
OTHER_UID: Final = "99999999-1111-4222-8333-444455556666"
RECORDS: Final = chained(
    [
        Told(
            1,
            "support-agent-4.1.0",
            (({"time": "t", "event": "AttemptStarted"}, {"time": "t", "event": "Healthy"}),),
            "Healthy",
        ),
        Told(
            2,
            "support-agent-4.2.0",
            (
                ({"time": "t", "event": "AttemptStarted"}, {"time": "t", "event": "Rose"}),
                ({"time": "t", "event": "EvidenceCaptured"}, {"time": "t", "event": "RolledBack"}),
            ),
            "RolledBack",
            {"series": []},
        ),
    ]
)
"""Two attempts, the second in two parts."""
FIRST, SECOND, THIRD = (str(each["metadata"]["name"]) for each in RECORDS.objects)


def lines_of(records: Records) -> tuple[Line, ...]:
    """The exported lines, read."""
    found = [read_line(text, f"line {number}") for number, text in enumerate(records.log.splitlines(), 1)]
    lines = tuple(line for line in found if isinstance(line, Line))
    assert len(lines) == len(found)
    return lines


def only(records: Any, known: Known = Known()) -> Chain:  # noqa: ANN401, B008 any JSON; a frozen value
    """The only chain, which must hold."""
    verification = verify(records, known)
    assert verification.broken is None
    (chain,) = verification.chains
    return chain


@given(SEEDS, st.randoms(use_true_random=False))
@usually(25)
def test_a_valid_chain_holds_however_it_is_given(seed: int, draw: random.Random) -> None:
    """Neither the order of records and entries nor a repetition matters; all that is known agrees."""
    records = some_records(seed)
    given_records = copy.deepcopy([*records.objects, draw.choice(records.objects)])
    draw.shuffle(given_records)
    for each in given_records:
        draw.shuffle(each["spec"]["entries"])
    known = Known(latest=records.head, lines=lines_of(records), since=1)

    chain = only(given_records, known)

    assert (chain.head, chain.unmatched, chain.is_whole) == (records.head, 0, True)
    assert (chain.records, chain.entries) == (len(records.objects), len(records.lines))


@given(SEEDS, st.data())
@usually(25)
def test_a_chain_holds_from_its_first_record_on(seed: int, data: st.DataObject) -> None:
    """Retention removes the oldest records; what is left holds, and says where it begins."""
    records = some_records(seed)
    left = records.objects[data.draw(st.integers(1, len(records.objects) - 1)) :]

    chain = only(left, Known(latest=records.head, lines=lines_of(records)))

    spec = left[0]["spec"]
    assert (chain.first, chain.is_whole) == (Place(spec["attempt"], spec["part"]), False)
    assert chain.unmatched == 0
    broken = verify(left, Known(since=1)).broken
    assert broken is not None
    assert broken.what == f"begins with {chain.first}; the records before it are missing"


@given(SEEDS, st.data())
@usually(25)
def test_an_older_head_covers_what_is_before_it(seed: int, data: st.DataObject) -> None:
    """An entry whose hash is known proves all before it; the newer ones are counted."""
    records = some_records(seed)
    hashes = [line["id"] for line in records.lines]
    index = data.draw(st.integers(0, len(hashes) - 1))

    assert only(records.objects, Known((hashes[index],))).unmatched == len(hashes) - 1 - index


def test_entries_of_a_newer_version_hold() -> None:
    """Fields that this version does not know are covered by the hashes like all others."""
    told = Told(1, "support-agent-4.1.0", (({"time": "t", "event": "Detoured", "detour": {"a": [1]}},),))
    records = chained([told])
    assert only(records.objects).entries == 1

    records.objects[0]["spec"]["entries"][0]["detour"]["a"] = [2]
    assert verify(records.objects).broken is not None


def test_a_recreated_rollout_has_a_chain_of_its_own() -> None:
    """Records of the same name and another uid are verified separately; the head belongs to one of them."""
    one, other = some_records(1), some_records(2, uid=OTHER_UID)
    verification = verify([*one.objects, *other.objects], Known((one.head,), lines=lines_of(other)))

    assert verification.broken is None
    assert {chain.uid: chain.unmatched for chain in verification.chains} == {UID: 0, OTHER_UID: 0}
    assert not verify([*one.objects, *other.objects], Known((one.head,))).is_covered


def test_entries_that_wait_in_the_status_continue_the_chain() -> None:
    """The head can be of an entry that no record has yet; one that does not follow counts for nothing."""
    waiting = sealed({"sequence": 3, "time": "t", "event": "QuarantineLifted"}, RECORDS.head)
    newest = RECORDS.objects[-1]["spec"]["entries"][-1]
    known = Known(latest=waiting["hash"], pending=(newest, waiting))

    assert only(RECORDS.objects, known).unmatched == 0
    assert verify([], Known((waiting["hash"],), pending=(waiting,))).broken is not None
    for bad in (waiting | {"event": "Healthy"}, sealed(waiting, "sha256:1"), 1, {}):
        assert verify(RECORDS.objects, Known((waiting["hash"],), pending=(bad,))).broken is not None


def respecified(index: int, **fields: object) -> Callable[[list[Json]], None]:
    """Changes fields of a record."""
    return lambda records: records[index]["spec"].update(fields)


def resealed(index: int, entry: int, **fields: object) -> Callable[[list[Json]], None]:
    """Changes fields of an entry, and gives it the hash of that."""

    def change(records: list[Json]) -> None:
        entries = records[index]["spec"]["entries"]
        entries[entry] = sealed(entries[entry] | fields, entries[entry]["previous"])

    return change


def without(index: int, field: str) -> Callable[[list[Json]], None]:
    """Removes a field of a record."""
    return lambda records: records[index]["spec"].pop(field)


EDITED: Final = "its hash does not fit its content; the entry was edited"
UNHASHABLE: Final = (
    "cannot be hashed: it is too deep, or has a number above 2^53 or a text that is not Unicode"
)
GAP: Final = "spec.previous: is not the hash of the entry before it; entries or records are missing"
BREAKS: Final[dict[str, tuple[Callable[[list[Json]], object], str]]] = {
    "an entry is edited": (
        lambda records: records[1]["spec"]["entries"][1].update(by="ali@example.com"),
        f"{SECOND}, entry 2: {EDITED}",
    ),
    "an entry is edited and hashed": (resealed(1, 1, by="ali@example.com"), f"{THIRD}: {GAP}"),
    "the first of two is edited and hashed": (
        resealed(1, 0, by="ali@example.com"),
        f"{SECOND}, entry 2: previous: is not the hash of the entry before it; an entry was added or removed",
    ),
    "a record is missing": (lambda records: records.pop(1), f"{THIRD}: {GAP}"),
    "an entry is missing": (
        lambda records: records[0]["spec"]["entries"].pop(0),
        f"{FIRST}, entry 2: entries are numbered from 1 without a gap, but after 0 comes 2",
    ),
    "a number is twice": (
        lambda records: records[0]["spec"]["entries"].append(records[0]["spec"]["entries"][1]),
        f"{FIRST}, entry 2: entries are numbered from 1 without a gap, but after 2 comes 2",
    ),
    "the previous hash is edited": (respecified(1, previous="sha256:0"), f"{SECOND}: {GAP}"),
    "a record is there twice": (
        lambda records: records.append(
            {**records[0], "spec": records[0]["spec"] | {"outcome": "RolledBack"}}
        ),
        f"{FIRST}: is there twice, with different content: attempt 1",
    ),
    "the digest is edited": (
        respecified(0, digest=f"sha256:{0:064}"),
        f"{FIRST}: spec.digest: is not what entry 1 says; it was edited",
    ),
    "nothing says what the record is about": (
        lambda records: (
            records[2]["spec"].update(
                entries=[
                    sealed(
                        {"sequence": 1, "event": "RolledBack", "evidence": ""}, records[2]["spec"]["previous"]
                    )
                ]
            )
            or records[2]["spec"].pop("evidence")
        ),
        f"{THIRD}, entry 1: identity: must be what the record is about, or no hash covers that",
    ),
    "the version is added": (
        respecified(0, version="4.1.0"),
        f"{FIRST}: spec.version: is not what entry 1 says; it was edited",
    ),
    "the rollout is edited": (
        respecified(2, rollout="billing-agent"),
        f"{THIRD}: has the rolloutUid of another rollout",
    ),
    "the outcome is edited": (
        respecified(0, outcome="RolledBack"),
        f"{FIRST}: spec.outcome: is RolledBack, and no entry says so; it was edited",
    ),
    "the outcome is removed": (
        without(0, "outcome"),
        f"{FIRST}, entry 2: is Healthy, and the record has no outcome; it was removed",
    ),
    "evidence is added": (
        respecified(0, evidence={"series": [1]}),
        f"{FIRST}: spec.evidence: is not what an entry captured; it was edited",
    ),
    "another kind": (
        lambda records: records[0].update(kind="Secret"),
        f"{FIRST}: is not an AgentRolloutRecord",
    ),
    "no attempt": (without(0, "attempt"), f"{FIRST}: spec.attempt: must be a number, at least 1"),
    "a truth for an attempt": (
        respecified(0, attempt=True),
        f"{FIRST}: spec.attempt: must be a number, at least 1",
    ),
    "a number beyond doubles": (
        lambda records: records[0]["spec"]["entries"][0].update(weight=2**53),
        f"{FIRST}, entry 1: {UNHASHABLE}",
    ),
    "a number without end": (
        lambda records: records[0]["spec"]["entries"][0].update(weight=10**5000),
        f"{FIRST}, entry 1: {UNHASHABLE}",
    ),
    "half a character": (
        lambda records: records[0]["spec"]["entries"][0].update({"\ud800": 1}),
        f"{FIRST}, entry 1: {UNHASHABLE}",
    ),
    "a huge attempt": (
        respecified(0, attempt=10**400),
        f"{FIRST}: spec.attempt: must be a number, at least 1",
    ),
    "an outcome that is an object": (respecified(0, outcome={}), f"{FIRST}: spec.outcome: must be text"),
    "evidence that is text": (respecified(0, evidence="x"), f"{FIRST}: spec.evidence: must be an object"),
    "no entries": (respecified(0, entries=[]), f"{FIRST}: spec.entries: must be a list of entries"),
    "an entry that is text": (respecified(0, entries=["x"]), f"{FIRST}: spec.entries[0]: must be an object"),
    "an entry without a hash": (
        respecified(0, entries=[{"sequence": 1, "previous": ""}]),
        f"{FIRST}: spec.entries[0].hash: must be text",
    ),
    "no spec": (lambda records: records[0].update(spec=[]), f"{FIRST}: spec: must be an object"),
    "a name with escapes": (
        lambda records: records[0].update(metadata={"name": "\x1b[31mred\nline"}, spec=0),
        "\ufffd[31mred line: spec: must be an object",
    ),
    "no name": (lambda records: records[0].update(metadata=7, spec=0), "record 1: spec: must be an object"),
}
"""What happens to `RECORDS`, and the sentence."""


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_named_by_its_place(name: str) -> None:
    """The first place that does not hold is a record, an entry where there is one, and what is wrong."""
    change, sentence = BREAKS[name]
    records = copy.deepcopy([*RECORDS.objects])
    change(records)

    assert str(verify(records).broken) == sentence


def test_evidence_is_what_its_entry_captured() -> None:
    """The evidence can be neither edited, nor extended, nor removed."""
    records = some_records(3)
    index = next(n for n, each in enumerate(records.objects) if "evidence" in each["spec"])
    changes: tuple[Callable[[Json], object], ...] = (
        lambda spec: spec["evidence"]["series"][0]["values"].reverse(),
        lambda spec: spec["evidence"].update(hash="sha256:1"),
        lambda spec: spec["evidence"].update(note=float("nan")),
        lambda spec: spec.pop("evidence"),
    )
    for change in changes:
        objects = copy.deepcopy(records.objects)
        change(objects[index]["spec"])
        broken = verify(objects).broken
        assert broken is not None
        assert "evidence" in broken.what


def test_evidence_that_no_entry_names_yet_is_not_covered() -> None:
    """It is stored a moment before its entry is made; the head covers it from then on."""
    begun: tuple[Json, ...] = ({"time": "t", "event": "RollbackStarted"}, {"time": "t", "event": "Routed"})
    records = chained([Told(1, "support-agent-4.1.0", (begun,))])
    records.objects[0]["spec"]["evidence"] = {"series": []}

    verification = verify(records.objects, Known(latest=records.head))

    assert (verification.broken, verification.is_covered) == (None, False)
    assert verification.chains[0].uncovered == (FIRST,)
    unavailable = {"time": "t", "event": "EvidenceCaptured", "message": "Prometheus did not respond"}
    records = chained([Told(1, "support-agent-4.1.0", ((*begun, unavailable),))])
    assert verify(records.objects).broken is None
    records.objects[0]["spec"]["evidence"] = {"series": []}
    assert verify(records.objects).broken == (
        FIRST,
        None,
        "spec.evidence: is not what an entry captured; it was edited",
    )


def test_a_head_that_is_nowhere_is_a_break() -> None:
    """Whether all was rewritten, the newest entries are gone, or it is another head, the sentence says it."""
    sentence = (
        "is not in the records: they were rewritten, the newest entries are missing, or it is of another "
        "rollout"
    )
    for records in (RECORDS.objects[:0], RECORDS.objects, RECORDS.objects[:-1]):
        head = RECORDS.head if len(records) < len(RECORDS.objects) else "sha256:1"
        assert str(verify(records, Known((head,))).broken) == f"head {head}: {sentence}"


def test_nothing_follows_the_newest_head() -> None:
    """Entries after it are a break if it is the newest, and otherwise not covered."""
    head = RECORDS.objects[0]["spec"]["entries"][-1]["hash"]

    assert str(verify(RECORDS.objects, Known(latest=head)).broken) == (f"{THIRD}: 4 entries follow the head")
    assert only(RECORDS.objects, Known((head,))).unmatched == 4


HOSTILE: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**4000, "sha256:" + "0" * 64, "\ud800", "AgentRolloutRecord", "EvidenceCaptured"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(SEEDS, HOSTILE, st.randoms(use_true_random=False))
@usually(150)
def test_hostile_records_are_broken_and_never_an_exception(
    seed: int, hostile: object, draw: random.Random
) -> None:
    """Any JSON in any place of a record is a break, or changes nothing that the record says."""
    records = copy.deepcopy([*some_records(seed, attempts=2).objects])
    targets: list[Any] = [records]
    while (draw.random() < 4 / 5 or targets[-1] is records) and isinstance(targets[-1], list | dict):
        inner = targets[-1]
        values = [each for each in (inner.values() if isinstance(inner, dict) else inner) if each]
        containers = [each for each in values if isinstance(each, list | dict)]
        if not containers:
            break
        targets.append(draw.choice(containers))
    target = targets[-1]
    key = draw.choice([*target]) if isinstance(target, dict) else draw.randrange(len(target))
    target[key] = hostile

    verification = verify(records, Known(lines=lines_of(some_records(seed, attempts=2))))

    str(verification)
    if target is records or target is records[0].get("spec"):
        assert verification.broken is not None
    verify([hostile], Known(pending=[hostile]))


@pytest.mark.parametrize("field", ["plan", "identity", "event", "sequence", "hash"])
def test_a_nesting_without_end_is_broken(field: str) -> None:
    """JSON that is too deep to be hashed is a break like any other."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    records = copy.deepcopy([*RECORDS.objects])
    records[0]["spec"]["entries"][0][field] = deep

    assert verify(records).broken is not None
    assert verify([deep]).broken is not None
    records = copy.deepcopy([*RECORDS.objects])
    records[2]["spec"]["evidence"]["series"] = deep
    assert verify(records).broken is not None
