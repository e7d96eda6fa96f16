"""`agentrollouts export-record`: an in-toto Statement of one attempt, and when there is none."""

import json
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.json_format import MessageToJson, Parse
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from agentrollouts.cli.record.verify import BROKEN, HOLDS, WRONG_USE
from agentrollouts.core.record.verify import Known, verify
from agentrollouts.main import main
from testkit.builders.names import digest_of
from testkit.records import Json, Records, Told, chained, some_records

RECORDS: Final = some_records(3)


def written(folder: Path, records: Records) -> str:
    """The path of a file with these records."""
    path = folder / "records.json"
    path.write_text(json.dumps({"kind": "List", "items": records.objects}))
    return str(path)


def exported(capsys: pytest.CaptureFixture[str]) -> Json:
    """The Statement that was printed."""
    statement: Json = json.loads(capsys.readouterr().out)
    return statement


def test_an_attempt_becomes_a_statement_about_its_release(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fields are those of in-toto's Statement v1; all parts of the attempt are in the predicate."""
    assert main(["export-record", written(tmp_path, RECORDS), "--attempt", "2", "-o", "in-toto"]) == HOLDS

    statement = exported(capsys)
    parts = [each for each in RECORDS.objects if each["spec"]["attempt"] == 2]
    release = parts[0]["spec"]["release"]
    assert len(parts) > 1
    assert {**statement, "predicate": None} == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": release, "digest": {"sha256": digest_of(release).removeprefix("sha256:")}},
        ],
        "predicateType": "https://agentrollouts.dev/record/v1",
        "predicate": None,
    }
    assert [each["spec"] for each in statement["predicate"]["records"]] == [each["spec"] for each in parts]


def test_what_is_signed_can_be_verified_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The predicate of the newest attempt is a head for all records, and holds by itself."""
    assert main(["export-record", written(tmp_path, RECORDS), "--head", RECORDS.head]) == HOLDS

    predicate = exported(capsys)["predicate"]
    assert predicate["head"] == RECORDS.head
    for records in (predicate["records"], RECORDS.objects):
        verification = verify(records, Known((predicate["head"],)))
        assert (verification.broken, verification.is_covered) == (None, True)


def test_the_library_of_in_toto_reads_what_is_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It accepts the Statement, and what it writes holds: for it all numbers are floats, such as 2.0."""
    assert main(["export-record", written(tmp_path, RECORDS), "--attempt", "2"]) == HOLDS

    read = Statement.copy_from_pb(Parse(capsys.readouterr().out, statement_pb2.Statement()))
    read.validate()
    again = json.loads(MessageToJson(read.pb))["predicate"]
    path = tmp_path / "again.json"
    path.write_text(json.dumps(again["records"]))
    assert '"attempt": 2.0' in path.read_text()
    assert main(["verify-record", str(path), "--head", again["head"]]) == HOLDS


def test_a_broken_record_is_exported_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any break stops it, also in another attempt, since all of them are one chain."""
    path = written(tmp_path, Records(tuple(each for each in RECORDS.objects if each["spec"]["attempt"] != 2)))
    broken = verify(json.loads(Path(path).read_text())["items"]).broken

    assert main(["export-record", path, "--attempt", "1"]) == BROKEN
    assert capsys.readouterr() == (
        "",
        f"BROKEN: {broken}\nNothing was exported. Use --unverified to export it all the same.\n",
    )
    assert main(["export-record", path, "--attempt", "1", "--unverified"]) == HOLDS
    out, err = capsys.readouterr()
    assert (json.loads(out)["subject"][0]["name"], err) == (
        "support-agent-4.1.0",
        f"BROKEN: {broken}\nIt was exported because of --unverified.\n",
    )


def test_what_cannot_be_exported_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No such attempt, several rollouts, or a digest that in-toto cannot express."""
    path = written(tmp_path, RECORDS)
    assert main(["export-record", path, "--attempt", "9"]) == WRONG_USE
    assert capsys.readouterr().err == "there is no record of attempt 9; there are 1, 2, 3, 4\n"

    other = some_records(4, uid="99999999-1111-4222-8333-444455556666")
    path = written(tmp_path, Records((*RECORDS.objects, *other.objects)))
    assert main(["export-record", path]) == WRONG_USE
    assert capsys.readouterr().err == "the records are of several rollouts; give those of one\n"

    odd = chained([Told(1, "a-1.0.0", (({"time": "t", "event": "AttemptStarted"},),))])
    odd.objects[0]["spec"]["digest"] = "md5:1"
    assert main(["export-record", written(tmp_path, odd), "--unverified"]) == WRONG_USE
    assert capsys.readouterr().err == "spec.digest: must be sha256: and 64 hexadecimal digits\n"
    assert main(["export-record", "nowhere"]) == WRONG_USE
