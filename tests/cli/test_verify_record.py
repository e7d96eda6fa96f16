"""`agentrollouts verify-record` on files: what it prints, and what it ends with."""

import io
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.cli.record import files
from agentrollouts.cli.record.files import objects_in, read_records
from agentrollouts.cli.record.verify import BROKEN, HOLDS, NO_HEAD, WRONG_USE
from agentrollouts.core.record.stored import Break
from agentrollouts.core.record.verify import verify
from agentrollouts.main import main
from testkit.properties import usually
from testkit.records import UID, Records, Told, chained, some_records
from testkit.tampering import TAMPERINGS, tampered

RECORDS: Final = some_records(3)
TWO: Final = "1 record, 2 entries"
SIZE: Final = f"{len(RECORDS.objects)} records, {len(RECORDS.lines)} entries"
RESTORED: Final = "77777777-1111-4222-8333-444455556666"
NAME: Final = f"support/support-agent (uid {UID})"
HOLD: Final = f"{NAME}: holds from attempt 1 on (the first entry of the rollout) to attempt 4, part 2: {SIZE}"
MATCHED: Final = f"  compared with the head {RECORDS.head}"
OPEN: Final = (
    "  no head to compare with: entries can be missing at the end, or all can have been rewritten; "
    f"the last one here is {RECORDS.head}"
)


def as_list(records: Records) -> str:
    """As `kubectl get -o json` prints them."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": records.objects}, indent=4)


FORMS: Final[dict[str, Callable[[Records], str]]] = {
    "a list": as_list,
    "a list in YAML": lambda records: yaml.safe_dump({"kind": "List", "items": [*records.objects]}),
    "YAML documents": lambda records: yaml.safe_dump_all(records.objects, allow_unicode=True),
    "JSON values": lambda records: "\n".join(map(json.dumps, records.objects)),
    "a JSON array": lambda records: json.dumps(records.objects),
    "with a byte order mark": lambda records: f"\ufeff{as_list(records)}",
}
"""How the same records can be written."""


def written(folder: Path, text: str, name: str = "records") -> str:
    """The path of a file with this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("form", FORMS)
def test_records_hold_in_every_form(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The head makes the difference between 0 and 3."""
    path = written(tmp_path, FORMS[form](RECORDS))

    assert main(["verify-record", path, "--head", RECORDS.head]) == HOLDS
    assert capsys.readouterr().out == f"{HOLD}\n{MATCHED}\n"
    assert main(["verify-record", path]) == NO_HEAD
    assert capsys.readouterr().out == f"{HOLD}\n{OPEN}\n"


def test_several_files_in_any_order_are_one_chain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them can be standard input, and one can be there twice."""
    paths = [written(tmp_path, json.dumps(each), f"{n}.json") for n, each in enumerate(RECORDS.objects)]
    random.Random(1).shuffle(paths)
    content = Path(paths[0]).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    code = main(["verify-record", "-", *paths[1:], paths[1], "--head", RECORDS.head])

    assert (code, capsys.readouterr().out) == (HOLDS, f"{HOLD}\n{MATCHED}\n")


def test_exported_lines_are_heads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A log has other lines too; what it lacks at the end is not covered, what only it has is a break."""
    path = written(tmp_path, as_list(RECORDS))
    log = written(tmp_path, f"INFO Started\n{RECORDS.log}{{}}\n", "log")
    assert main(["verify-record", path, "--against", log]) == HOLDS
    assert capsys.readouterr().out == f"{HOLD}\n{MATCHED}\n"

    late = written(tmp_path, "".join(RECORDS.log.splitlines(keepends=True)[:-2]), "late")
    assert main(["verify-record", path, "--against", late]) == NO_HEAD
    assert capsys.readouterr().out == (
        f"{HOLD}\n  no head covers the 2 newest entries, which can have been rewritten; "
        f"the last one here is {RECORDS.head}\n"
    )

    short = written(tmp_path, as_list(Records(RECORDS.objects[:-1])), "short")
    assert main(["verify-record", short, "--against", log]) == BROKEN
    number = len(RECORDS.lines) - len(RECORDS.objects[-1]["spec"]["entries"]) + 2
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"BROKEN: {log}, line {number}: entry 1 of attempt 4, part 2 is not in the records: "
        "a record was rewritten, cut off or dropped"
    )


def test_evidence_without_an_entry_is_not_covered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The head does not prove it yet."""
    told = Told(1, "support-agent-4.1.0", (({"time": "t", "event": "RollbackStarted"},),))
    records = chained([told])
    records.objects[0]["spec"]["evidence"] = {"series": []}

    assert main(["verify-record", written(tmp_path, as_list(records)), "--head", records.head]) == NO_HEAD
    assert capsys.readouterr().out.splitlines()[-1] == (
        "  no entry has the hash of the evidence in support-agent-3f2a91c0-000001 yet, "
        "which can have been edited"
    )


def test_the_place_of_a_break_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Record, entry, and what is wrong."""
    text = as_list(RECORDS).replace("Zo\\u00eb of support-agent-4.2.0", "No one")
    assert main(["verify-record", written(tmp_path, text), "--head", RECORDS.head]) == BROKEN

    assert capsys.readouterr().out == (
        f"{NAME}: does not hold: {SIZE}\n"
        "BROKEN: support-agent-3f2a91c0-000002, entry 1: its hash does not fit its content; "
        "the entry was edited\n"
    )


def test_older_records_can_be_required(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Retention removes the oldest records, so a later beginning is reported, and broken only on request."""
    left = Records(tuple(each for each in RECORDS.objects if each["spec"]["attempt"] > 2))
    path = written(tmp_path, as_list(left))

    assert main(["verify-record", path, "--head", RECORDS.head, "--from", "3"]) == HOLDS
    assert "holds from attempt 3 on (older records are not here) to " in capsys.readouterr().out
    assert main(["verify-record", path, "--head", RECORDS.head, "--from", "2"]) == BROKEN
    assert capsys.readouterr().out.endswith(": begins with attempt 3; the records before it are missing\n")


def test_a_recreated_rollout_is_a_second_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each uid is verified and printed by itself."""
    other = some_records(4, uid="99999999-1111-4222-8333-444455556666")
    paths = [written(tmp_path, as_list(each), each.head) for each in (RECORDS, other)]

    assert main(["verify-record", *paths, "--head", RECORDS.head]) == NO_HEAD
    assert main(["verify-record", *paths, "--head", RECORDS.head, "--head", other.head]) == HOLDS
    assert capsys.readouterr().out.count(": holds from attempt 1 on") == 4


def test_a_restored_rollout_continues_its_earlier_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One head covers both uids; the older one is printed first, and exported by its number."""
    entries = ({"time": "t", "event": "AttemptStarted"}, {"time": "t", "event": "Healthy"})
    newer = chained([Told(5, "support-agent-5.0.0", (entries,), "Healthy")], uid=RESTORED, after=RECORDS.head)
    paths = [written(tmp_path, as_list(each), each.head) for each in (newer, RECORDS)]

    assert main(["verify-record", *paths, "--head", newer.head, "--from", "1"]) == HOLDS
    assert capsys.readouterr().out.splitlines() == [
        HOLD,
        f"  continued by uid {RESTORED}",
        f"{NAME.replace(UID, RESTORED)}: holds from attempt 5 on (continues uid {UID}) to attempt 5: {TWO}",
        f"  compared with the head {newer.head}",
    ]
    for number in (4, 5):
        assert main(["export-record", *paths, "--attempt", str(number)]) == HOLDS
        exported = json.loads(capsys.readouterr().out)["predicate"]["records"]
        assert {each["spec"]["attempt"] for each in exported} == {number}
    assert main(["export-record", *paths]) == HOLDS
    assert json.loads(capsys.readouterr().out)["predicate"]["head"] == newer.head


def test_what_a_log_lacks_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A last line that is cut off breaks nothing, and a log without any line is not a head."""
    path = written(tmp_path, as_list(RECORDS))
    log = written(tmp_path, f"{RECORDS.log}{RECORDS.log.splitlines()[-1][:-30]}", "cut")
    other = written(tmp_path, "INFO Started\n", "other")

    assert main(["verify-record", path, "--against", log, "--against", other]) == HOLDS
    assert capsys.readouterr().out.splitlines() == [
        f"{log}, line {len(RECORDS.lines) + 1}: is cut off, and was left out.",
        f"{other}: has no exported line.",
        HOLD,
        MATCHED,
    ]
    assert main(["verify-record", path, "--against", other, "--head", "sha256:1"]) == BROKEN
    assert capsys.readouterr().out.splitlines()[-1].startswith("BROKEN: head sha256:1: ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give files with records, or --rollout to read them from the cluster"),
        (["x", "--rollout", "y"], "give files with records, or --rollout to read them from the cluster"),
        (["nowhere"], "nowhere: cannot be read: No such file or directory"),
        (["{folder}"], "{folder}: cannot be read: Is a directory"),
        (["{folder}/empty"], "{folder}/empty: no AgentRolloutRecord"),
        (["{folder}/other"], "{folder}/other: no AgentRolloutRecord"),
        (["{folder}/records", "--against", "nowhere"], "nowhere: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_verified_is_neither_good_nor_broken(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and a sentence on standard error."""
    for name, text in {"empty": "", "other": '{"kind": "Secret"}', "records": as_list(RECORDS)}.items():
        written(tmp_path, text, name)

    assert main(["verify-record", *(each.format(folder=tmp_path) for each in arguments)]) == WRONG_USE
    assert capsys.readouterr() == ("", f"{sentence.format(folder=tmp_path)}\n")


@pytest.mark.parametrize("number", ["0", "-1", "x", "1" * 5000, "٣"])
def test_the_first_attempt_must_be_a_number(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The parser ends with 2, as for every other wrong argument."""
    with pytest.raises(SystemExit) as end:
        main(["verify-record", "x", f"--from={number}"])
    assert (end.value.code, "must be a number" in capsys.readouterr().err) == (WRONG_USE, True)


HOSTILE: Final = {
    "a name twice": (
        json.dumps(RECORDS.objects[0])[:-1] + ', "spec": {}}',
        "cannot be read: the name 'spec' is twice in one object",
    ),
    "a name twice in YAML": ("kind: A\nkind: B\n", "found the key kind twice; remove one"),
    "not a number": ('{"a": NaN}', "cannot be read: NaN is not a number of JSON"),
    "no end": ("[" * 100_000, "cannot be read: it is nested too deeply"),
    "no end of objects": ('{"a":' * 100_000, "cannot be read: it is nested too deeply"),
    "no end in YAML": ("a: " + "[" * 20_000, "cannot be read: it is nested too deeply"),
    "a number without end": (f"[{'9' * 5_000}]", "cannot be read: Exceeds the limit"),
    "a hexadecimal number without end": (
        f"kind: AgentRolloutRecord\nspec: {{attempt: 0x{'f' * 5_000}}}",
        "record 1: spec.rollout: must be text",
    ),
    "an alias": ("a: &a [1]\nb: [*a, *a]", "cannot be read: it has a YAML alias, which no record has"),
    "an alias of itself": ("&a [*a]", "cannot be read: it has a YAML alias, which no record has"),
    "a key that is not text": ("1: 2", "cannot be read: it has a key that is not text"),
    "a time": ("a: !!timestamp 2026-01-01", "it has a value of type date, which JSON does not have"),
    "a Python object": ("a: !!python/name:os.system", "cannot be read: could not determine a constructor"),
    "a false time": ("a: !!timestamp x", "cannot be read: "),
    "a false float": ("a: !!float x", "cannot be read: found a value that is not !!float"),
    "half a value": ('{"kind": "AgentRolloutRecord", ', "cannot be read: Expecting property name"),
    "a second value that is none": ('{"kind": "Secret"} x', "cannot be read: Expecting value"),
    "escapes of a terminal": (
        '{"kind": "AgentRolloutRecord", "metadata": {"name": "\\u001b[2J"}}',
        "\ufffd[2J",
    ),
}
"""The text of a file, and a part of the sentence."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_broken(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that a file contains is an exception, and nothing of it reaches the terminal as it is."""
    text, sentence = HOSTILE[name]

    assert main(["verify-record", written(tmp_path, text)]) == BROKEN
    out = capsys.readouterr().out
    assert out.startswith("BROKEN: ")
    assert sentence in out
    assert "\x1b" not in out


def test_a_huge_file_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size has a limit, and a lower one in YAML, which is slow to read; nothing above it is parsed."""
    monkeypatch.setattr(files, "LARGEST", 2**20)
    monkeypatch.setattr(files, "LARGEST_YAML", 2**10)

    large = read_records(written(tmp_path, " " * (2**20 + 1)))
    slow = read_records(written(tmp_path, "a: 1\n" * 1_000))

    assert [type(large), type(slow)] == [Break, Break]
    assert "is larger than 1 MiB; give the records in several files" in str(large)
    assert "MiB of YAML; write it as JSON" in str(slow)


def test_bytes_that_are_no_text_are_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a file of records; in a log they are lines of someone else."""
    path = tmp_path / "bytes"
    path.write_bytes(b"\xff\xfe\n")
    log = tmp_path / "log"
    log.write_bytes(b"\xff\xfe\n" + RECORDS.log.encode())

    assert main(["verify-record", str(path)]) == BROKEN
    assert "'utf-8' codec can't decode" in capsys.readouterr().out
    assert main(["verify-record", written(tmp_path, as_list(RECORDS)), "--against", str(log)]) == HOLDS


@given(st.sampled_from([*TAMPERINGS]), st.integers(0, 10**6))
@usually(60)
def test_a_tampering_is_not_hidden_by_the_form(kind: str, seed: int) -> None:
    """What holds of the objects holds of the text, in JSON and in YAML."""
    draw = random.Random(seed)
    records = tampered(some_records(seed, attempts=2), TAMPERINGS[kind], draw)
    broken = verify(records.objects).broken

    for form in (as_list, FORMS["YAML documents"]):
        assert str(verify(objects_in(form(records))).broken) == str(broken)
