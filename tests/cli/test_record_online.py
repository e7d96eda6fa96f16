"""The records of a rollout as they are read from a cluster, while the operator writes."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from agentrollouts.adapters.cluster.errors import ForbiddenError, NotFoundError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.cli.online.records import KIND, Fetched, fetched
from agentrollouts.cli.record.verify import BROKEN, WRONG_USE
from agentrollouts.core.record.chain import sealed
from agentrollouts.core.record.verify import Known, verify
from agentrollouts.main import main
from testkit.builders.names import AGENT, NAMESPACE
from testkit.records import UID, Json, Records, Told, chained, some_records
from tests.cli.cluster import FakeCluster

RECORDS: Final = some_records(3)
OTHER: Final = "99999999-1111-4222-8333-444455556666"
ROLLOUT: Final = Ref("AgentRollout", NAMESPACE, AGENT)


def serving(records: Records, head: str | None, *unwritten: Json) -> FakeCluster:
    """An API server with these records, and a rollout that names this head."""
    api = FakeCluster()
    for each in records.objects:
        api.put(copy.deepcopy(each))
    record = {"record": {"head": head, "unwritten": [*unwritten]}} if head else {}
    metadata = {"name": AGENT, "namespace": NAMESPACE, "uid": UID}
    api.put({"kind": "AgentRollout", "metadata": metadata, "status": record})
    return api


async def looked(api: FakeCluster) -> Fetched:
    """What is read of the rollout."""
    return await fetched(api, AGENT, NAMESPACE)


def holds(found: Fetched) -> bool:
    """Whether all of it holds, up to the head."""
    known = Known(latest=found.head, uid=found.uid, pending=found.pending)
    verification = verify(found.records, known)
    return verification.broken is None and verification.is_covered


async def test_the_status_has_the_head() -> None:
    """Records that end with it hold; missing and additional ones do not."""
    assert holds(await looked(serving(RECORDS, RECORDS.head)))
    assert not holds(await looked(serving(Records(RECORDS.objects[:-1]), RECORDS.head)))
    earlier = RECORDS.objects[-2]["spec"]["entries"][-1]["hash"]
    assert not holds(await looked(serving(RECORDS, earlier)))


async def test_entries_that_are_not_written_yet_continue_the_records() -> None:
    """The status is ahead of the record for a moment, or for as long as the record cannot be written."""
    waiting = sealed({"sequence": 9, "time": "t", "event": "QuarantineLifted"}, RECORDS.head)

    assert holds(await looked(serving(RECORDS, waiting["hash"], waiting)))
    assert not holds(await looked(serving(RECORDS, waiting["hash"])))


async def test_a_head_that_moves_while_records_are_read_is_read_again() -> None:
    """Records and head are of one moment, so that an entry in between is not taken for a break."""
    before = Records(RECORDS.objects[:-1])
    api = serving(before, before.head)
    listed = api.list

    async def writing(
        kind: str,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        found = await listed(kind, namespace, labels, fields)
        if len(found) < len(RECORDS.objects):
            api.put(RECORDS.objects[-1])
            api.objects[ROLLOUT]["status"]["record"]["head"] = RECORDS.head
        return found

    api.list = writing  # type: ignore[method-assign]

    found = await looked(api)

    assert (found.head, len(found.records)) == (RECORDS.head, len(RECORDS.objects))


async def test_records_of_an_earlier_rollout_of_that_name_are_left_out() -> None:
    """They have another uid, and no status has their head any longer."""
    api = serving(RECORDS, RECORDS.head)
    for each in some_records(4, uid="99999999-1111-4222-8333-444455556666").objects:
        api.put(each)

    found = await looked(api)

    assert (len(found.records), holds(found)) == (len(RECORDS.objects), True)
    assert found.note.endswith(" records are of an earlier rollout of that name; verify them as files.")


@pytest.mark.parametrize("has_begun", [False, True], ids=["restored", "with an attempt since then"])
async def test_a_rollout_that_was_restored_with_its_status_has_the_records_of_its_earlier_uid(
    *, has_begun: bool
) -> None:
    """Its head is theirs, so they hold up to it, and so does what follows under the new uid."""
    entries = ({"time": "t", "event": "AttemptStarted"}, {"time": "t", "event": "Healthy"})
    newer = chained([Told(5, "support-agent-5.0.0", (entries,), "Healthy")], uid=OTHER, after=RECORDS.head)
    records = Records((*RECORDS.objects, *newer.objects)) if has_begun else RECORDS
    api = serving(records, records.head)
    api.objects[ROLLOUT]["metadata"]["uid"] = OTHER

    found = await looked(api)

    assert (len(found.records), holds(found)) == (len(records.objects), True)
    restored = (
        f"The rollout was created again with its status (uid {OTHER}); no record of that uid is there yet."
    )
    assert found.note == ("" if has_begun else restored)


async def test_the_first_entry_under_a_new_uid_can_wait_in_the_status() -> None:
    """It continues the records of the earlier uid, although no record has it yet."""
    waiting = sealed({"sequence": 1, "time": "t", "event": "AttemptStarted"}, RECORDS.head)
    api = serving(RECORDS, waiting["hash"], waiting)
    api.objects[ROLLOUT]["metadata"]["uid"] = OTHER

    assert holds(await looked(api))
    api.objects[ROLLOUT]["status"]["record"]["unwritten"] = [sealed(waiting, "sha256:1")]
    assert not holds(await looked(api))


async def test_the_records_of_a_rollout_that_is_gone_have_no_head() -> None:
    """They outlive it; without any there is nothing to verify."""
    api = serving(RECORDS, RECORDS.head)
    del api.objects[ROLLOUT]

    found = await looked(api)

    assert (found.head, len(found.records)) == (None, len(RECORDS.objects))
    assert found.note == "The rollout is gone, and with it the head."
    with pytest.raises(NotFoundError, match="There is no AgentRollout support-agent in namespace support"):
        await looked(FakeCluster())


@pytest.mark.parametrize("status", [None, {}, {"record": None}, {"record": 7}, {"record": {"head": 7}}])
async def test_a_status_without_a_head_is_no_head(status: object) -> None:
    """An operator that writes no records, or another version."""
    api = serving(RECORDS, RECORDS.head)
    api.objects[ROLLOUT]["status"] = status

    assert (await looked(api)).head is None


async def test_what_cannot_be_read_is_reported() -> None:
    """Neither good nor broken."""
    api = serving(RECORDS, RECORDS.head)
    api.fail(NAMESPACE, ForbiddenError(f"Failed to list {KIND}: forbidden"))
    with pytest.raises(ForbiddenError):
        await looked(api)
    api.fail("get AgentRollout", UnavailableError("no"))
    with pytest.raises(UnavailableError):
        await looked(api)


@pytest.mark.parametrize("command", ["verify-record", "export-record"])
def test_a_rollout_without_a_record_is_not_verified(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was restored without its status, so its records are of an earlier uid: exit code 2, and never 0."""
    restored = Fetched(
        (), None, (), "5 records are of an earlier rollout of that name; verify them as files."
    )
    monkeypatch.setattr("agentrollouts.cli.online.records.fetch_records", lambda *_: restored)

    assert main([command, "--rollout", AGENT]) == WRONG_USE
    said = f"AgentRollout {AGENT} has no record yet. 5 records are of an earlier rollout of that name; "
    assert capsys.readouterr() == ("", f"{said}verify them as files.\n")

    removed = Fetched((), RECORDS.head, (), "")
    monkeypatch.setattr("agentrollouts.cli.online.records.fetch_records", lambda *_: removed)
    assert main([command, "--rollout", AGENT]) == BROKEN


@pytest.mark.parametrize("command", ["verify-record", "export-record"])
def test_without_a_cluster_there_is_nothing_to_verify(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, since 1 is for records that are broken."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    assert main([command, "--rollout", AGENT]) == WRONG_USE
    out, err = capsys.readouterr()
    assert (out, bool(err)) == ("", True)
