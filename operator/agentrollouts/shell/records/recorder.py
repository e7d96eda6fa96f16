"""Writes records: what the newest status of a rollout says is unwritten, until its record has it.

Level-based, like everything: the status is the only queue, and a crash loses nothing. An entry is added to
its record, then its line is exported, and only then it counts as written. Decisions see how far that is.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Final, Self

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotServedError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.model.text import writable
from agentrollouts.api.reasons import Reason
from agentrollouts.api.record.progress import RecordStatus
from agentrollouts.api.record.record import record_name
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Problem
from agentrollouts.core.metrics.evidence import EvidenceQuery
from agentrollouts.core.record.backlog import by_record, cleared, is_behind
from agentrollouts.core.record.knowledge import NOTHING_KNOWN, Knowledge
from agentrollouts.core.states import is_under_way
from agentrollouts.settings.record import RecordSettings
from agentrollouts.shell.records.captures import Ask, Captures
from agentrollouts.shell.records.errands import Errands, pause_after
from agentrollouts.shell.records.export import Export, Place, line_of
from agentrollouts.shell.records.store import ENDS, RECORD, LostError, Records, Server

logger = logging.getLogger(__name__)

REASONS: Final = (
    (NotServedError, Reason.RECORDS_NOT_SERVED),
    (ForbiddenError, Reason.FORBIDDEN),
    (InvalidError, Reason.WRITE_REFUSED),
)
"""What an error of a write is called in the condition; any other is `WriteFailed`."""
REMEDIES: Final = {
    Reason.RECORDS_NOT_SERVED: "install the CustomResourceDefinition of AgentRolloutRecord",
    Reason.FORBIDDEN: "grant get, create, update and delete on agentrolloutrecords, or raise the quota",
    Reason.WRITE_REFUSED: "update the CustomResourceDefinition of AgentRolloutRecord, or correct the policy",
    Reason.WRITE_FAILED: "the API server must accept writes",
}
PASSING: Final = 5
"""Failures in a row up to which an error may pass by itself, so that no condition reports it."""
WORKERS: Final = 4
"""Records that are written at a time; each needs a connection."""
MOST_PARTS: Final = 100
"""Parts of an old record that are deleted."""
LOOK_BACK: Final = 8
"""Attempts in a row without a record, before which a new process looks for no older ones."""


@dataclass(slots=True)
class _State:
    """What is known of one rollout; forgotten once nothing is unwritten."""

    rollout: Manifest
    record: RecordStatus
    query: EvidenceQuery | None
    is_under_way: bool
    keep: int
    head: str = ""
    problem: Problem | None = None
    lost: str = ""
    failures: int = 0


class Recorder:
    """The records of all rollouts.

    Args:
        records: The records in the API server.
        export: Where lines go.
        captures: Gets the evidence of rollbacks.
        mark: Called for a rollout of which a decision is to see something new.
        settings: How many records are kept, and where the entries also go.
    """

    def __init__(
        self,
        records: Records,
        export: Export,
        captures: Captures,
        mark: Callable[[Ref], None],
        settings: RecordSettings,
    ) -> None:
        self._records = records
        self._export = export
        self._captures = captures
        self._mark = mark
        self._settings = settings
        self._states: dict[Ref, _State] = {}
        self._deleted: dict[Ref, tuple[str, int]] = {}
        """UID of a rollout, and the attempt up to which this process has left no record of it."""
        self._errands = Errands(self._serve)

    @classmethod
    def over(cls, server: Server, ask: Ask, mark: Callable[[Ref], None], settings: RecordSettings) -> Self:
        """A recorder of an API server.

        Args:
            server: Where records are.
            ask: Queries the counts per minute before a rollback.
            mark: Called for a rollout of which a decision is to see something new.
            settings: How many records are kept, and where the entries also go.
        """
        records = Records(server)
        return cls(records, Export(), Captures(records, ask, mark), mark, settings)

    def replace(self, settings: RecordSettings) -> None:
        """Use these settings from now on."""
        self._settings = settings

    def note(
        self, key: Ref, manifest: Manifest, status: AgentRolloutStatus, query: EvidenceQuery | None
    ) -> None:
        """The status of a rollout as it is persisted; does not wait for anything.

        Args:
            key: The rollout.
            manifest: The rollout; its metadata and spec are read.
            status: Its status.
            query: What to query once as evidence.
        """
        record = status.record
        if record is None or not record.unwritten:
            self.forget_entries(key)
            self._captures.note(key, query)
            return
        limit = int((manifest.get("spec") or {}).get("historyLimit") or self._settings.keep)
        keep, is_open = min(self._settings.keep, limit), is_under_way(status)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _State(manifest, record, query, is_open, keep)
        else:
            state.rollout, state.record, state.query = manifest, record, query
            state.is_under_way, state.keep = is_open, keep
        if self._left(state).unwritten:
            self._errands.add(key)
        else:
            self._captures.note(key, query)

    def knowledge(self, key: Ref) -> Knowledge:
        """What a decision is to know."""
        state, captured, links = self._states.get(key), self._captures.result(key), self._settings.links
        if state is None and captured is None and not links:
            return NOTHING_KNOWN
        known = Knowledge(captured=captured, links=links)
        if state is None:
            return known
        return replace(known, head=state.head, problem=state.problem, lost=state.lost)

    def forget(self, key: Ref) -> None:
        """A rollout is gone. Its records stay; what is unwritten of them is lost with its status."""
        self.forget_entries(key)
        self._deleted.pop(key, None)
        self._captures.note(key, None)

    def forget_entries(self, key: Ref) -> None:
        """Nothing is unwritten."""
        if self._states.pop(key, None) is not None:
            self._errands.drop(key)

    async def work(self) -> None:
        """Write records and capture evidence, indefinitely."""
        await asyncio.gather(self._captures.work(), *(self._errands.work() for _ in range(WORKERS)))

    def _left(self, state: _State) -> RecordStatus:
        return cleared(state.record, state.head) or state.record

    async def _serve(self, key: Ref) -> float | None:
        state = self._states.get(key)
        if state is None:
            return None
        left, before = self._left(state), state.problem
        if not left.unwritten:
            return None
        try:
            await self._write(key, state, left)
        except ClusterError as error:
            state.failures += 1
            state.problem = _problem(error) if _lasts(error) or state.failures > PASSING else before
            if state.failures == 1:
                logger.warning("%s", error)
            if state.problem != before:
                self._mark(key)
            return pause_after(state.failures)
        state.head, state.problem, state.failures = left.head, None, 0
        if state.record.head == left.head:
            self._captures.note(key, state.query)
        if before is not None or not state.is_under_way or state.lost or is_behind(left):
            self._mark(key)
        return None

    async def _write(self, key: Ref, state: _State, left: RecordStatus) -> None:
        place = Place(
            self._settings.cluster, key.namespace, key.name, str(state.rollout["metadata"].get("uid", ""))
        )
        lines: list[str] = []
        for part, entries in by_record(left):
            try:
                await self._records.append(state.rollout, part, entries)
            except LostError as error:
                logger.warning("Wrote entries only as lines: %s", error)
                state.lost = part.name
            lines += [line_of(place, part, entry) for entry in entries]
        await self._export.write(lines, self._settings.file)
        if any(entry["event"] in ENDS for entry in left.unwritten):
            await self._delete_old(key, state, left)

    async def _delete_old(self, key: Ref, state: _State, left: RecordStatus) -> None:
        """The records that are too many now; that they cannot be deleted stops nothing.

        The oldest first, so that the chain has no gap, wherever this ends: what is left is deleted next time.
        """
        uid, newest = str(state.rollout["metadata"].get("uid", "")), left.attempt - state.keep
        try:
            for attempt in reversed([each async for each in self._left_over(key, uid, newest)]):
                await self._delete(key, uid, attempt)
        except ClusterError as error:
            logger.warning("Failed to delete an old record: %s", error)
        else:
            self._deleted[key] = uid, newest

    async def _left_over(self, key: Ref, uid: str, newest: int) -> AsyncIterator[int]:
        """The attempts up to that one that have a record, the newest first.

        Not each has one: a pending attempt that was superseded made no entry. And `keep` can be less now.
        """
        known, cleared = self._deleted.get(key, ("", 0))
        is_known, missing = known == uid, 0
        for attempt in range(newest, cleared if is_known else 0, -1):
            first, second = (
                _ref(key, uid, attempt, part) for part in (1, 2)
            )  # the first one is deleted first
            if await self._records.is_there(first) or await self._records.is_there(second):
                missing = 0
                yield attempt
            elif not is_known and (missing := missing + 1) == LOOK_BACK:
                return

    async def _delete(self, key: Ref, uid: str, attempt: int) -> None:
        for part in range(1, MOST_PARTS):
            is_deleted = await self._records.delete(_ref(key, uid, attempt, part))
            if not is_deleted and part > 1:
                return


def _ref(key: Ref, uid: str, attempt: int, part: int = 1) -> Ref:
    return Ref(RECORD, key.namespace, record_name(key.name, uid, attempt, part))


def _lasts(error: ClusterError) -> bool:
    return isinstance(error, ForbiddenError | InvalidError | NotServedError | NotFoundError)


def _problem(error: ClusterError) -> Problem:
    reason = next((why for kind, why in REASONS if isinstance(error, kind)), Reason.WRITE_FAILED)
    return Problem(reason, writable(f"{error}; {REMEDIES[reason]}", 600))
