"""Exported lines: what they are read as, and what they show that records alone do not."""

import copy
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.record.chain import hash_of, sealed
from agentrollouts.core.record.exported import CutOff, Line, read_line
from agentrollouts.core.record.stored import Break, Place
from agentrollouts.core.record.strict_json import read_json
from agentrollouts.core.record.verify import Known, verify
from testkit.properties import usually
from testkit.records import UID, Json, Records, some_records
from testkit.records import lines_of as lines_in

RECORDS: Final = some_records(3)
LINE: Final = RECORDS.lines[4]


def lines_of(records: Records) -> tuple[Line, ...]:
    """The exported lines, read."""
    found = (read_line(text, f"line {number}") for number, text in enumerate(records.log.splitlines(), 1))
    return tuple(line for line in found if isinstance(line, Line))


def test_a_line_is_read_as_its_place_and_hash() -> None:
    """A line proves its entry by its id."""
    line = read_line(json.dumps(LINE), "line 5")

    place = Place(*map(int, LINE["subject"].split("/")))
    assert line == Line("line 5", UID, place, LINE["id"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "INFO Started",
        '{"message": "Started"}',
        '{"message": "exports dev.agentrollouts.record.v1", "type": "log"}',
        '["dev.agentrollouts.record.v1"]',
        "INFO Exported 3 lines of dev.agentrollouts.record.v1",
        'Exported {"a": 1} as dev.agentrollouts.record.v1',
    ],
)
def test_other_lines_of_a_log_are_not_ours(text: str) -> None:
    """The log of a pod has lines of every form."""
    assert read_line(text, "line 1") is None


@pytest.mark.parametrize(
    "before", ["2026-11-30T10:00:00.123456789Z ", "[pod/agentrollouts-0/operator] ", "\t"]
)
def test_what_a_tool_puts_before_a_line_does_not_matter(before: str) -> None:
    """As `kubectl logs` does with `--timestamps`, or `--prefix` for two replicas."""
    line = read_line(f"{before}{json.dumps(LINE)}\n", "line 5")

    assert line == read_line(json.dumps(LINE), "line 5")
    assert isinstance(line, Line)


@given(st.integers(1, len(json.dumps(LINE)) - 1))
@usually(100)
def test_a_line_that_is_cut_off_proves_nothing(length: int) -> None:
    """Its writer was ended; what is left is no break of the records, wherever it ends."""
    text = json.dumps({"type": LINE["type"], **LINE})

    assert read_line(text[: len(LINE["type"]) + 10 + length], "line 5") in (
        CutOff("line 5"),
        read_line(text, "line 5"),
    )


def without(name: str) -> Callable[[Json], Json]:
    """The line without one attribute."""
    return lambda line: {key: value for key, value in line.items() if key != name}


SUBJECT: Final = "subject: must be <attempt>/<part>/<sequence>"
WRONG: Final[dict[str, tuple[Callable[[Json], Json], str]]] = {
    "an edited entry": (
        lambda line: line | {"data": line["data"] | {"by": "x"}},
        "its hash does not fit its content; the entry was edited",
    ),
    "another id": (
        lambda line: line | {"id": "sha256:1"},
        "its id is not the hash of its entry; the line was edited",
    ),
    "another place": (
        lambda line: line | {"subject": "1/1/77"},
        "its subject names entry 77, and its data is another one",
    ),
    "no uid": (without("rolloutuid"), "rolloutuid: must be text"),
    "no subject": (without("subject"), SUBJECT),
    "half a subject": (lambda line: line | {"subject": "1/1"}, SUBJECT),
    "a subject from 0": (lambda line: line | {"subject": "0/1/1"}, SUBJECT),
    "a huge subject": (lambda line: line | {"subject": f"{10**5:0100}/1/1"}, SUBJECT),
    "digits of another script": (lambda line: line | {"subject": "\u0661/1/1"}, SUBJECT),
    "no data": (without("data"), "data: must be an object"),
    "no hash": (lambda line: line | {"data": without("hash")(line["data"])}, "data.hash: must be text"),
}
"""What happens to `LINE`, and what is wrong with it then."""


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_line_is_a_break(name: str) -> None:
    """What a log store returns is not trusted either."""
    change, what = WRONG[name]

    assert read_line(json.dumps(change(LINE)), "line 5") == Break("line 5", None, what)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the name 'c' is twice in one object"),
        ("[NaN]", "NaN is not a number of JSON"),
        ("[-Infinity]", "-Infinity is not a number of JSON"),
    ],
)
def test_json_has_one_meaning(text: str, problem: str) -> None:
    """What two readers take for two different values is refused."""
    with pytest.raises(ValueError, match=problem):
        read_json(text)


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_an_integer_that_is_written_as_a_float_is_the_same_number(number: int) -> None:
    """As RFC 8785 has it, so that its hash is the same; a tool of in-toto writes records so."""
    read = read_json(f'{{"a": {float(number)!r}}}')

    assert (read, type(read["a"]), hash_of(read)) == ({"a": number}, int, hash_of({"a": number}))


def test_unreadable_lines_are_breaks() -> None:
    """A line of ours that is damaged, too deep, or has a name twice or a number without end."""
    text = json.dumps(LINE)
    for bad in (
        text.replace('"data":', '"data"', 1),
        f"{text}{text}",
        text[:-1] + ', "data": ' + "[" * 100_000,
        text[:-1] + ', "id": "x"}',
        text[:-1] + f', "n": {"9" * 5000}' + "}",
    ):
        line = read_line(bad, "line 5")
        assert isinstance(line, Break)
        assert line.what.startswith("cannot be read: ")


@given(
    st.dictionaries(
        st.sampled_from([name for name in LINE if name != "rolloutuid"]),
        st.recursive(st.text() | st.integers() | st.none(), st.lists),
    )
)
@usually(100)
def test_a_hostile_line_is_a_break_and_never_an_exception(fields: dict[str, Any]) -> None:
    """Any value of any attribute is read or is a break."""
    line = read_line(json.dumps(LINE | fields | {"type": LINE["type"]}), "line 5")

    assert isinstance(line, Break) or line == read_line(json.dumps(LINE), "line 5")


@pytest.mark.parametrize("count", [1, 5, 30])
def test_what_only_the_lines_have_is_missing_in_the_records(count: int) -> None:
    """A record that was dropped or cut off is named by the first line that it lacks."""
    left = RECORDS.objects[:-1]
    kept = sum(len(each["spec"]["entries"]) for each in left)
    lines = lines_of(RECORDS)[kept - 1 :][:count]

    broken = verify(left, Known(lines=lines[1:] if count > 1 else lines_of(RECORDS)[-1:])).broken

    assert broken is not None
    first = lines_of(RECORDS)[kept] if count > 1 else lines_of(RECORDS)[-1]
    assert str(broken) == (
        f"{first.name}: entry {first.place.sequence} of {first.place} is not in the records: "
        "a record was rewritten, cut off or dropped"
    )


def test_a_line_of_another_place_is_a_break() -> None:
    """An entry cannot be shown as that of another attempt."""
    line = read_line(json.dumps(LINE | {"subject": f"3/1/{LINE['data']['sequence']}"}), "line 5")
    assert isinstance(line, Line)

    broken = verify(RECORDS.objects, Known(lines=(line,))).broken

    assert broken is not None
    assert broken.what.startswith(
        f"names entry {line.place.sequence} of attempt 3, and the records have it as "
    )


def test_lines_of_others_and_of_removed_records_do_not_matter() -> None:
    """A log holds other rollouts, and remembers longer than the records."""
    others = lines_of(some_records(4, uid="99999999-1111-4222-8333-444455556666"))
    left = RECORDS.objects[2:]

    verification = verify(left, Known(lines=(*others, *lines_of(RECORDS))))

    assert (verification.broken, verification.is_covered) == (None, True)


def test_lines_of_a_copy_of_the_cluster_are_named_as_such() -> None:
    """Two clusters from one backup of etcd have the same uids; the records have nothing of the other one."""
    forked = copy.deepcopy(RECORDS.objects[-1])
    forked["spec"]["entries"][-1] = sealed(
        forked["spec"]["entries"][-1] | {"by": "x"}, forked["spec"]["entries"][-1]["previous"]
    )
    text = json.dumps([*lines_in(forked)][-1] | {"source": "/copy/support/support-agent"})
    other = read_line(text, "line 99")
    assert isinstance(other, Line)

    broken = verify(RECORDS.objects, Known(lines=(*lines_of(RECORDS), other))).broken

    assert broken is not None
    assert str(broken).startswith("line 99: ")
    assert str(broken).endswith("cut off or dropped, or is of cluster copy alone")


def test_entries_after_the_last_line_are_not_covered() -> None:
    """Lines can be late; what they do not have yet can have been rewritten."""
    verification = verify(RECORDS.objects, Known(lines=lines_of(RECORDS)[:-2]))

    assert verification.broken is None
    assert [chain.unmatched for chain in verification.chains] == [2]
