"""`agentrollouts report`: from files and from a cluster."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrollouts.adapters.cluster.errors import ForbiddenError
from agentrollouts.cli.arguments import parse
from agentrollouts.cli.online.report import records_of
from agentrollouts.cli.record.report import Found, document_of, run_report
from agentrollouts.main import main
from testkit.builders.names import AGENT, NAMESPACE
from testkit.records import some_records
from tests.cli.cluster import FakeCluster
from tests.insight import incident

Json = dict[str, Any]


def objects() -> list[Json]:
    """What a cluster has of the incident."""
    return [*incident.incident().objects, incident.rollout(), incident.bad_release()]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A file as `kubectl get -o yaml` writes it."""
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": objects()}))
    return path


def test_the_report_is_the_golden_file(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of a record, its rollout and its release gives the report that people have read."""
    golden = Path(incident.__file__).parent / "golden" / "report.md"

    assert main(["report", AGENT, "-f", str(stored)]) == 0
    assert capsys.readouterr().out == golden.read_text()


def test_files_can_be_of_any_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object to a file, as JSON or YAML, gives the same report as a list of them."""
    golden = Path(incident.__file__).parent / "golden" / "report.md"
    options = []
    for number, each in enumerate(objects()):
        path = tmp_path / str(number)
        path.write_text(json.dumps(each) if number % 2 else yaml.safe_dump(each))
        options += ["--file", str(path)]

    assert main(["report", AGENT, *options]) == 0
    assert capsys.readouterr().out == golden.read_text()


def test_a_page_is_written_on_request(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o html` prints one page."""
    assert main(["report", AGENT, "-f", str(stored), "-o", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")


def test_without_a_name_there_are_figures(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures are over all records of the files, or of one namespace in them."""
    assert main(["report", "-f", str(stored)]) == 0
    assert "Change failure rate: 100%" in capsys.readouterr().out
    assert main(["report", "-f", str(stored), "-n", "elsewhere"]) == 0
    assert "There are no records." in capsys.readouterr().out


def test_the_newest_attempt_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `--attempt` the report is of the newest one, with it of that one."""
    path = tmp_path / "records.json"
    path.write_text(json.dumps({"kind": "List", "items": some_records(5, attempts=4).objects}))

    assert main(["report", AGENT, "-f", str(path)]) == 0
    assert f"# {AGENT}, attempt 4" in capsys.readouterr().out
    assert main(["report", AGENT, "-f", str(path), "--attempt", "2"]) == 0
    assert f"# {AGENT}, attempt 2" in capsys.readouterr().out


def test_the_newest_attempt_is_the_last_one_also_after_a_clock_was_set_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Attempts are ordered by number; times order only rollouts of one name, of which each has its own."""
    records = [json.loads(json.dumps(each)) for each in some_records(5, attempts=4).objects]
    for each in records:
        if each["spec"]["attempt"] == 4:
            each["spec"]["entries"][0]["time"] = "2026-01-01T00:00:00Z"
    path = tmp_path / "records.json"
    path.write_text(json.dumps({"kind": "List", "items": records}))

    assert main(["report", AGENT, "-f", str(path)]) == 0
    assert f"# {AGENT}, attempt 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nobody"], 1, "nobody: there is no AgentRolloutRecord"),
        ([AGENT, "--attempt", "7"], 1, f"{AGENT}: there is no AgentRolloutRecord of attempt 7"),
        (["--attempt", "7"], 2, "--attempt: needs the NAME of a rollout"),
        ([AGENT, "-f", "/does/not/exist"], 2, "/does/not/exist: cannot be read"),
    ],
)
def test_mistakes_are_sentences(
    stored: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], code: int, sentence: str
) -> None:
    """What cannot be reported is one line on standard error, and nothing on standard output."""
    assert main(["report", "-f", str(stored), *arguments]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(sentence)
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "head", "is_missing"),
    [("own", None, False), ("own", "middle", False), ("own", "sha256:1", True), ("other", "sha256:1", False)],
)
def test_a_status_that_was_restored_under_another_uid_is_about_its_earlier_records(
    name: str, head: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, is_missing: bool
) -> None:
    """By the record that it names. It can be older than they are; one that names another has no part."""
    record, other, release = objects()
    entries, known = record["spec"]["entries"], other["status"]["record"]
    heads = {None: known["head"], "middle": entries[2]["hash"]}
    other["metadata"]["uid"] = "77777777-1111-4222-8333-444455556666"
    known |= {"name": record["metadata"]["name"] if name == "own" else name, "head": heads.get(head, head)}
    file = tmp_path / "restored.json"
    file.write_text(json.dumps({"items": [record, other, release]}))

    assert main(["report", AGENT, "-f", str(file)]) == 0

    missing = "The newest entries are missing: the rollout names another head than the record has."
    assert (missing in capsys.readouterr().out) is is_missing


def test_records_that_were_saved_twice_are_reported_once(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files of two days: the older one has fewer entries of the same record."""
    command = ["report", AGENT, "-f", str(stored)]
    assert main(command) == 0
    expected = capsys.readouterr().out
    earlier = [copy.deepcopy(each) for each in objects() if each["kind"] == "AgentRolloutRecord"]
    for each in earlier:
        each["spec"]["entries"] = each["spec"]["entries"][:2]
        each["spec"].pop("outcome", None)
    old = tmp_path / "old.json"
    old.write_text(json.dumps({"items": earlier}))

    assert main([*command, "-f", str(old)]) == 0

    assert capsys.readouterr().out == expected


def test_a_name_in_two_namespaces_needs_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is in several namespaces of the files is not guessed."""
    here, there = incident.incident().objects[0], incident.incident().objects[0]
    there["metadata"]["namespace"], there["spec"]["rolloutUid"] = "billing", "other"
    path = tmp_path / "records.json"
    path.write_text(json.dumps({"kind": "List", "items": [here, there]}))

    assert main(["report", AGENT, "-f", str(path)]) == 2
    assert "--namespace: must be set" in capsys.readouterr().err
    assert main(["report", AGENT, "-f", str(path), "-n", NAMESPACE]) == 0


def a_cluster() -> FakeCluster:
    """A cluster with the incident, and with the record of another rollout."""
    cluster = FakeCluster()
    [other] = some_records(1, attempts=1, uid="another").objects[:1]
    other["spec"]["rollout"] = "billing-agent"
    other["metadata"]["name"] = "billing-agent-1"
    for each in [*objects(), other]:
        cluster.put(each)
    return cluster


async def test_a_cluster_gives_what_files_give() -> None:
    """The records of one rollout, with it and its releases, are all that its report needs."""
    _, options = parse(["report", AGENT, "-n", NAMESPACE])
    found = await records_of(a_cluster(), NAMESPACE, AGENT)

    assert {each["metadata"]["name"] for each in found} == {each["metadata"]["name"] for each in objects()}
    assert document_of(Found.among(found), options) == document_of(Found.among(objects()), options)


async def test_a_right_to_read_records_is_enough() -> None:
    """Whoever may read neither rollouts nor releases gets the report of the records alone."""
    cluster = a_cluster()
    for kind in ("AgentRollout", "AgentRelease"):
        cluster.fail(f"get {kind}", ForbiddenError(f"{kind}: forbidden"))

    found = await records_of(cluster, NAMESPACE, AGENT)

    assert {each["kind"] for each in found} == {"AgentRolloutRecord"}


async def test_the_figures_are_over_all_rollouts_of_the_namespace() -> None:
    """Without a name, records of every rollout are read, and nothing else."""
    found = await records_of(a_cluster(), NAMESPACE, None)

    assert {each["spec"]["rollout"] for each in found} == {AGENT, "billing-agent"}


def test_no_kubeconfig_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without files and without a cluster, the reason is one sentence."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    _, options = parse(["report", AGENT])

    assert run_report(options) == 1
    assert "Failed to read" in capsys.readouterr().err
