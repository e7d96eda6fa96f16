"""Inputs: records of earlier attempts, and attempts that end. Outputs: the records that are left."""

from collections.abc import Sequence
from typing import Final

import pytest

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.settings.record import RecordSettings
from agentrollouts.shell.records.store import RECORD
from tests.shell.records.test_recorder import KEY, Scene, a_status, chain, played
from tests.shell.virtual import pass_time

KEEP: Final = RecordSettings(keep=3)


def store(scene: Scene, *names: str) -> None:
    """Records of earlier attempts, by the end of their names."""
    for name in names:
        attempt, dash, part = name.partition("-")
        full = f"support-agent-3f2a91c0-{attempt:>06}{dash}{part}"
        metadata = {"name": full, "namespace": KEY.namespace}
        scene.server.store({"kind": RECORD, "metadata": metadata, "spec": {}})


def left(scene: Scene) -> list[str]:
    """What records there are, by the end of their names."""
    return sorted(
        ref.name.removeprefix("support-agent-3f2a91c0-").lstrip("0") for ref in scene.server.objects
    )


async def ends(scene: Scene, *attempts: int) -> None:
    """These attempts end, one after the other."""
    for attempt in attempts:
        entries = chain("AttemptStarted", f"Phase{attempt}", "Healthy")
        scene.note(a_status(*entries, attempt=attempt, is_over=True))
        await pass_time(1)


def test_an_attempt_without_a_record_leaves_no_gap() -> None:
    """Attempts 4 and 5 were pending and superseded: what they would have ended goes with the next end."""

    async def play(scene: Scene) -> None:
        store(scene, "1", "2", "3")
        await ends(scene, 6)
        assert left(scene) == ["6"]
        await ends(scene, 7, 8, 9, 10)

    assert left(played(play, settings=KEEP)) == ["10", "8", "9"]


@pytest.mark.parametrize(
    "records", [["4", "5", "6", "7"], ["1", "2", "5", "6", "7"], ["5-2", "6", "6-2", "7"]]
)
def test_all_that_is_older_goes(records: Sequence[str]) -> None:
    """After `keep` became less, after a hole, and after a process that ended between two parts."""

    async def play(scene: Scene) -> None:
        store(scene, *records)
        await ends(scene, 9)

    assert left(played(play, settings=KEEP)) == ["7", "9"]


@pytest.mark.parametrize("deletions", range(3))
def test_a_deletion_that_fails_leaves_no_gap(deletions: int) -> None:
    """The oldest went first; what is left of the others goes at the next end."""

    def fails(verb: str, _: str) -> None:
        if verb == "delete" and scenes[0].server.calls.count("delete") == deletions + 1:
            raise UnavailableError("no")

    scenes: list[Scene] = []

    async def play(scene: Scene) -> None:
        scenes.append(scene)
        store(scene, "3", "4", "5", "6", "7")
        scene.server.fault = fails
        await ends(scene, 8)
        assert left(scene) == ["3", "4", "5", "6", "7", "8"][deletions:]
        await ends(scene, 9)

    assert left(played(play, settings=KEEP)) == ["7", "8", "9"]


def test_a_rollout_at_work_looks_for_one_record_at_each_end() -> None:
    """A new process looks further back, once."""

    async def play(scene: Scene) -> None:
        store(scene, *map(str, range(11, 20)))
        counts = []
        for attempt in (20, 21, 22):
            scene.server.calls.clear()
            await ends(scene, attempt)
            counts.append(len(scene.server.calls))
        assert counts[1:] == [counts[1]] * 2
        assert counts[0] > counts[1]

    assert left(played(play, settings=KEEP)) == ["20", "21", "22"]


def test_a_rollout_that_was_created_again_begins_anew() -> None:
    """What this process knows of the former one, which had more attempts, is about other records."""

    async def play(scene: Scene) -> None:
        store(scene, "7")
        await ends(scene, 10)
        scene.recorder.forget(KEY)
        store(scene, "1")
        await ends(scene, 4)
        assert left(scene) == ["10", "4"]

    played(play, settings=KEEP)
