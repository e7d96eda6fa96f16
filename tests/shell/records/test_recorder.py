"""Inputs: statuses with unwritten entries, and an API server with faults. Outputs: records and lines."""

import asyncio
import copy
import io
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from agentrollouts.adapters.cluster.errors import (
    ConflictError,
    ForbiddenError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.record.progress import RecordPart, RecordStatus
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.metrics.evidence import EvidenceQuery
from agentrollouts.core.metrics.poll import Series
from agentrollouts.core.metrics.queries import Subject, plan_queries
from agentrollouts.core.record.chain import hash_of, sealed
from agentrollouts.settings.record import RecordSettings
from agentrollouts.shell.records.captures import Captures
from agentrollouts.shell.records.export import Export
from agentrollouts.shell.records.recorder import Recorder
from agentrollouts.shell.records.store import RECORD, Records
from testkit.builders.names import NEW, OLD, START, digest_of
from testkit.builders.rollouts import a_rollout
from tests.shell.records.server import Immediate, Server
from tests.shell.virtual import pass_time, run

KEY: Final = Ref("AgentRollout", "support", "support-agent")
ROLLOUT: Final[Manifest] = {
    "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": "3f2a91c0-6c0e"},
    "spec": {"agent": "support-agent", "historyLimit": 10},
}
NAME: Final = "support-agent-3f2a91c0-000013"


def record(name: str) -> Ref:
    """A record of that name."""
    return Ref(RECORD, KEY.namespace, name)


def chain(*events: str, after: Iterable[dict[str, Any]] = (), first: int = 1) -> list[dict[str, Any]]:
    """Entries, chained to those before."""
    entries, previous = [], [*after][-1]["hash"] if after else ""
    for number, event in enumerate(events, first):
        entries.append(sealed({"sequence": number, "time": "2026-11-21T10:00:00Z", "event": event}, previous))
        previous = entries[-1]["hash"]
    return entries


def a_status(
    *entries: dict[str, Any], attempt: int = 13, earlier: tuple[RecordPart, ...] = (), is_over: bool = False
) -> AgentRolloutStatus:
    """A status whose record has these entries to be written."""
    record = RecordStatus(
        name=NAME[:-2] + f"{attempt:02d}",
        attempt=attempt,
        release=NEW,
        digest=digest_of(NEW),
        sequence=entries[-1]["sequence"] if entries else 0,
        head=entries[-1]["hash"] if entries else "",
        unwritten=entries,
        earlier=earlier,
    )
    state = State.ROLLED_BACK if is_over else State.CANARY
    now = Attempt(number=attempt, state=state, digest=digest_of(NEW), start_time=START)
    return AgentRolloutStatus(attempt=now, record=record)


@pytest.mark.parametrize(("before", "after"), [("", "a\n"), ("x\n", "x\na\n"), ('{"specv', '{"specv\na\n')])
def test_a_line_is_never_added_to_one_that_was_cut_off(before: str, after: str, tmp_path: Path) -> None:
    """A process was killed, or the disk was full, within a line: the next one begins on its own."""
    file = tmp_path / "records.jsonl"
    file.write_text(before)

    Export(io.StringIO()).write_now("a\n", file)

    assert file.read_text() == after


def part_of(status: AgentRolloutStatus) -> RecordPart:
    """The record that a status names."""
    assert status.record is not None
    return status.record


@dataclass
class Scene:
    """A recorder on a server."""

    server: Server
    settings: RecordSettings = field(default_factory=RecordSettings)
    answers: list[Series | str] = field(default_factory=list)
    marked: list[Ref] = field(default_factory=list)
    out: io.StringIO = field(default_factory=io.StringIO)
    passed: float = 0.0

    def __post_init__(self) -> None:
        records = Records(self.server)
        self.start = asyncio.get_running_loop().time()
        captures = Captures(records, self.ask, self.marked.append, self.now)
        self.recorder = Recorder(records, Immediate(self.out), captures, self.marked.append, self.settings)
        self.task = asyncio.create_task(self.recorder.work())

    def now(self) -> Any:  # noqa: ANN401 a time
        """Time goes with the loop's."""
        return START + timedelta(seconds=asyncio.get_running_loop().time() - self.start)

    async def ask(self, _key: Ref, _query: EvidenceQuery) -> Series | str:
        """The next answer; the last one again."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def note(self, status: AgentRolloutStatus, query: EvidenceQuery | None = None) -> None:
        """The status was persisted."""
        self.recorder.note(KEY, ROLLOUT, status, query)

    def lines(self) -> list[dict[str, Any]]:
        """What was exported."""
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


def played(play: Callable[[Scene], Awaitable[None]], **scene: Any) -> Scene:  # noqa: ANN401 fields of it
    """A scene after it was played."""

    async def scenario() -> Scene:
        made = Scene(Server(), **scene)
        await play(made)
        made.task.cancel()
        return made

    return run(scenario())


def test_entries_are_in_the_record_and_on_standard_output() -> None:
    """The record is made once, then it grows; each entry is one line of CloudEvents."""
    first = chain("AttemptStarted")
    more = chain("PhaseStarted", "Healthy", after=first, first=2)

    async def play(scene: Scene) -> None:
        scene.note(a_status(*first))
        await pass_time(1)
        assert scene.recorder.knowledge(KEY).head == first[0]["hash"]
        scene.note(a_status(*first, *more, is_over=True))
        await pass_time(1)

    scene = played(play)
    assert scene.server.hashes(record(NAME)) == [entry["hash"] for entry in (*first, *more)]
    assert scene.server.objects[record(NAME)]["spec"]["outcome"] == "Healthy"
    assert [line["subject"] for line in scene.lines()] == ["13/1/1", "13/1/2", "13/1/3"]
    assert scene.lines()[0] | {"data": None} == {
        "specversion": "1.0",
        "id": first[0]["hash"],
        "type": "dev.agentrollouts.record.v1",
        "source": "/cluster/support/support-agent",
        "subject": "13/1/1",
        "time": "2026-11-21T10:00:00Z",
        "datacontenttype": "application/json",
        "rolloutuid": "3f2a91c0-6c0e",
        "data": None,
    }
    assert scene.marked == [KEY]  # the end alone: in mid-attempt another write follows


def test_what_is_written_is_not_read_again() -> None:
    """A rollout without news costs no call, and a rollout at rest nothing at all."""
    first = chain("AttemptStarted")

    async def play(scene: Scene) -> None:
        scene.note(a_status(*first))
        await pass_time(1)
        before = len(scene.server.calls)
        for _ in range(10):
            scene.note(a_status(*first))
            await pass_time(1)
        scene.note(a_status())
        assert len(scene.server.calls) == before
        assert scene.recorder.knowledge(KEY).head == ""

    played(play)


def test_a_crash_after_the_write_repeats_only_the_line() -> None:
    """The next process finds the entries in the status; by their hashes nothing is written twice."""
    entries = chain("AttemptStarted", "PhaseStarted")

    async def play(scene: Scene) -> None:
        await Records(scene.server).append(ROLLOUT, part_of(a_status(*entries)), entries)
        scene.note(a_status(*entries))
        await pass_time(1)

    scene = played(play)
    assert scene.server.hashes(record(NAME)) == [entry["hash"] for entry in entries]
    assert scene.server.calls == ["get", "create", "get"]
    assert [line["id"] for line in scene.lines()] == [entry["hash"] for entry in entries]


def test_a_conflict_is_read_again() -> None:
    """Whatever changed the record meanwhile, what is missing is added to the newest version."""
    first = chain("AttemptStarted")
    more = chain("PhaseStarted", after=first, first=2)
    left = [ConflictError("changed"), ConflictError("changed")]

    def fault(verb: str, _name: str) -> None:
        if verb == "replace" and left:
            raise left.pop()

    async def play(scene: Scene) -> None:
        scene.note(a_status(*first))
        await pass_time(1)
        scene.server.fault = fault
        scene.note(a_status(*first, *more))
        await pass_time(1)

    scene = played(play)
    assert scene.server.hashes(record(NAME)) == [entry["hash"] for entry in (*first, *more)]


def test_two_records_are_written_in_their_order() -> None:
    """Entries of two attempts are in one status if the first could not be written."""
    first = chain("Superseded")
    second = chain("AttemptStarted", "Rose", after=first)
    earlier = RecordPart(name=NAME[:-2] + "12", attempt=12, release=OLD, digest=digest_of(OLD), sequence=1)

    async def play(scene: Scene) -> None:
        scene.note(a_status(*first, *second, earlier=(earlier,)))
        await pass_time(1)

    scene = played(play)
    assert scene.server.hashes(record(earlier.name)) == [first[0]["hash"]]
    assert scene.server.hashes(record(NAME)) == [entry["hash"] for entry in second]
    assert scene.server.objects[record(earlier.name)]["spec"]["outcome"] == "Superseded"


def test_a_refused_record_is_retried_with_growing_pauses_and_reported() -> None:
    """No loop, a condition with the remedy, and all is written once it may be."""
    entries = chain("AttemptStarted")

    def refuse(verb: str, _name: str) -> None:
        if verb == "create":
            raise ForbiddenError("may not create")

    async def play(scene: Scene) -> None:
        scene.server.fault = refuse
        scene.note(a_status(*entries))
        await pass_time(300)
        problem = scene.recorder.knowledge(KEY).problem
        assert problem is not None
        assert (problem.reason, "grant get, create" in problem.message) == ("Forbidden", True)
        assert scene.server.calls.count("create") <= 12
        assert scene.lines() == []
        scene.server.fault = lambda *_: None
        await pass_time(61)
        assert scene.recorder.knowledge(KEY).problem is None

    scene = played(play)
    assert scene.server.hashes(record(NAME)) == [entries[0]["hash"]]
    assert scene.marked == [KEY, KEY]  # for the condition, and for its end


def test_an_outage_is_reported_only_if_it_lasts() -> None:
    """A blip makes no condition, and so no further write."""
    entries = chain("AttemptStarted")

    def refuse(_verb: str, _name: str) -> None:
        raise UnavailableError("the API server did not respond")

    async def play(scene: Scene) -> None:
        scene.server.fault = refuse
        scene.note(a_status(*entries))
        await pass_time(5)
        assert scene.recorder.knowledge(KEY).problem is None
        await pass_time(120)
        problem = scene.recorder.knowledge(KEY).problem
        assert problem is not None
        assert problem.reason == "WriteFailed"

    played(play)


def test_a_write_that_hangs_delays_no_other_rollout() -> None:
    """Each rollout is served by itself; `note` waits for nothing."""
    entries, other = chain("AttemptStarted"), Ref("AgentRollout", "billing", "billing-agent")

    async def play(scene: Scene) -> None:
        never = asyncio.Event()
        real = scene.server.get

        async def get(ref: Ref) -> Manifest | None:
            if ref.namespace == "support":
                await never.wait()
            return await real(ref)

        scene.server.get = get  # type: ignore[method-assign]
        scene.note(a_status(*entries))
        manifest = copy.deepcopy(ROLLOUT)
        manifest["metadata"] |= {"namespace": "billing", "name": "billing-agent"}
        scene.recorder.note(other, manifest, a_status(*entries), None)
        await pass_time(1)
        assert scene.recorder.knowledge(other).head == entries[0]["hash"]

    played(play)


@pytest.mark.parametrize("loss", ["gone", "other"])
def test_a_record_that_was_lost_stops_nothing(loss: str) -> None:
    """Entries are exported all the same, and the decision learns that another part is due."""
    first = chain("AttemptStarted")
    more = chain("PhaseStarted", after=first, first=2)

    async def play(scene: Scene) -> None:
        scene.note(a_status(*first))
        await pass_time(1)
        if loss == "gone":
            scene.server.objects.clear()
        else:
            scene.server.objects[record(NAME)]["spec"]["entries"][0]["hash"] = "sha256:other"
        scene.note(a_status(*first, *more))
        await pass_time(1)
        known = scene.recorder.knowledge(KEY)
        assert (known.lost, known.head) == (NAME, more[0]["hash"])

    scene = played(play)
    assert [line["id"] for line in scene.lines()] == [entry["hash"] for entry in (*first, *more)]


def test_the_oldest_record_is_deleted_once_an_attempt_ends() -> None:
    """By name, with all its parts; the others stay."""
    old = [NAME[:-2] + text for text in ("10", "10-2", "11")]
    entries = chain("AttemptStarted", "Healthy")

    async def play(scene: Scene) -> None:
        for name in old:
            metadata = {"name": name, "namespace": KEY.namespace}
            scene.server.store({"kind": RECORD, "metadata": metadata, "spec": {}})
        scene.note(a_status(*entries, is_over=True))
        await pass_time(1)

    scene = played(play, settings=RecordSettings(keep=3))
    assert set(scene.server.objects) == {record(old[2]), record(NAME)}


def test_lines_are_also_appended_to_a_file(tmp_path: Path) -> None:
    """A file that cannot be written is reported, and stops nothing."""
    file, entries = tmp_path / "records.jsonl", chain("AttemptStarted")

    async def play(scene: Scene) -> None:
        scene.note(a_status(*entries))
        await pass_time(1)

    scene = played(play, settings=RecordSettings(file=file))
    played(play, settings=RecordSettings(file=tmp_path / "missing" / "file"))
    assert file.read_text() == scene.out.getvalue()


def test_a_text_never_makes_a_second_line() -> None:
    """Whatever a person wrote, an entry is one object on one line."""
    hostile = 'a\nb\u2028c\x1b[31m "}{'
    entry = sealed(
        {"sequence": 1, "time": "2026-11-21T10:00:00Z", "event": "ActionRefused", "reason": hostile}, ""
    )

    async def play(scene: Scene) -> None:
        scene.note(a_status(entry))
        await pass_time(1)

    scene = played(play)
    assert [line["data"]["reason"] for line in scene.lines()] == [hostile]
    assert scene.out.getvalue().isascii()


def a_query() -> EvidenceQuery:
    """What is missing after the rollback of a canary."""
    gates, _ = resolve_all(a_rollout().build().spec)
    subject = Subject("support", "support-agent", NEW, OLD)
    plan = plan_queries(gates, subject, counting_start=START, warmup_seconds=0)
    return EvidenceQuery(NAME, "default", plan, gates, START)


def a_series(query: EvidenceQuery) -> Series:
    """One count a minute, of the first source."""
    labels = {"src": "0.increase", query.plan.subject.labels.release: NEW}
    return ((labels, [(query.start + timedelta(minutes=n), float(n)) for n in range(31)]),)


def test_evidence_is_in_the_record_before_a_decision_hears_of_it() -> None:
    """Queried after the entries are written, put into the record once, and known by its hash."""
    entries, query = chain("AttemptStarted", "RollbackStarted"), a_query()

    async def play(scene: Scene) -> None:
        scene.answers = ["Prometheus answered 503", a_series(query)]
        scene.note(a_status(*entries), query)
        assert scene.recorder.knowledge(KEY).captured is None
        await pass_time(40)
        captured = scene.recorder.knowledge(KEY).captured
        assert captured is not None
        assert captured.hash == hash_of(scene.server.objects[record(NAME)]["spec"]["evidence"])

    scene = played(play)
    evidence = scene.server.objects[record(NAME)]["spec"]["evidence"]
    assert (evidence["stepSeconds"], len(evidence["series"][0]["values"])) == (60, 31)
    assert KEY in scene.marked


def test_evidence_that_cannot_be_had_is_given_up_after_ten_minutes() -> None:
    """With the error; a few queries, not a stream of them."""
    entries, query = chain("AttemptStarted", "RollbackStarted"), a_query()

    async def play(scene: Scene) -> None:
        scene.answers = ["Prometheus answered 503"]
        scene.note(a_status(*entries), query)
        await pass_time(590)
        assert scene.recorder.knowledge(KEY).captured is None
        await pass_time(60)
        captured = scene.recorder.knowledge(KEY).captured
        assert captured is not None
        assert (captured.hash, captured.problem) == ("", "Prometheus answered 503")

    played(play)


def test_evidence_of_a_process_that_crashed_is_found() -> None:
    """The record has it, the status does not say so yet: it is not queried again."""
    entries, query = chain("AttemptStarted", "RollbackStarted"), a_query()

    async def play(scene: Scene) -> None:
        await Records(scene.server).append(ROLLOUT, part_of(a_status(*entries)), entries)
        scene.server.objects[record(NAME)]["spec"]["evidence"] = {"series": []}
        scene.note(a_status(), query)
        await pass_time(5)
        captured = scene.recorder.knowledge(KEY).captured
        assert captured is not None
        assert captured.hash == hash_of({"series": []})

    played(play)
