"""Inputs: statuses, and what the API server does with them. Outputs: what is stored, and what is said."""

import asyncio
from itertools import count

import pytest

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.effects.statuses.pace import AT_ONCE, PAUSE_LAST
from agentrollouts.shell.effects.statuses.writer import LAPSED_SECONDS, PASSING, QUIET_SECONDS, Written
from tests.shell.effects.test_act import REFUSED, ROLLOUT, Hands, an_object
from tests.shell.fakes import failing
from tests.shell.virtual import pass_time, run

STATUS: Manifest = {
    "attempt": {"state": "RollingBack", "number": 3},
    "gates": [{"name": "errors", "message": "x" * 9}],
    "conditions": [{"type": "Ready", "message": "y"}],
}


def a_rollout(hands: Hands) -> Manifest:
    """A rollout that an Event can be about."""
    return hands.api.put(an_object(ROLLOUT, spec={}))


async def reasons(hands: Hands) -> list[str]:
    """The Events so far."""
    sending = asyncio.create_task(hands.sender.work())
    await pass_time(0.001)
    sending.cancel()
    return [event["reason"] for event in hands.api.events]


def test_the_status_is_written_over_the_version_that_was_decided_on_only() -> None:
    """Somebody else's change in between is a conflict, and the status stays as it was."""

    async def scenario() -> None:
        hands = Hands()
        decided_on = hands.api.put(an_object(ROLLOUT, spec={"paused": False}))
        hands.api.edit(ROLLOUT, paused=True)
        with pytest.raises(ConflictError):
            await hands.actor.statuses.replace(decided_on, {"weight": 5})
        assert "status" not in hands.api.objects[ROLLOUT]
        await hands.actor.statuses.replace(hands.api.objects[ROLLOUT], {"weight": 5})
        assert hands.cache.get(ROLLOUT) == hands.api.objects[ROLLOUT]
        assert hands.api.objects[ROLLOUT]["status"] == {"weight": 5}

    run(scenario())


@pytest.mark.parametrize("is_news", [True, False])
def test_a_status_is_looked_at_again_only_if_it_says_something_new(*, is_news: bool) -> None:
    """Numbers are known to the next decision, and cause none."""

    async def scenario() -> None:
        hands = Hands()
        decided_on = hands.api.put(an_object(ROLLOUT, spec={}))
        await hands.actor.statuses.replace(decided_on, {"weight": 5}, is_news=is_news)
        assert hands.cache.get(ROLLOUT) == hands.api.objects[ROLLOUT]
        assert len(hands.queue) == int(is_news)

    run(scenario())


@pytest.mark.parametrize(
    ("times", "kept"), [(1, {"attempt", "gates", "conditions"}), (2, {"attempt", "conditions"})]
)
def test_a_status_that_is_refused_is_written_with_less(times: int, kept: set[str]) -> None:
    """An attempt goes on though its sentences or its numbers cannot be stored, and the status says so."""
    status = {
        "attempt": {"state": "RollingBack"},
        "gates": [{"name": "errors", "message": "x" * 9}],
        "conditions": [{"type": "Ready", "message": "y"}],
    }

    async def scenario() -> None:
        hands = Hands()
        rollout = hands.api.put(an_object(ROLLOUT))
        hands.api.on_write = failing(REFUSED, "replace_status", "AgentRollout", times=times)
        await hands.actor.statuses.replace(rollout, status)
        stored = hands.api.objects[ROLLOUT]["status"]
        assert stored.keys() == kept
        assert stored["attempt"] == {"state": "RollingBack"}
        assert stored["conditions"][0]["message"].endswith("refused it: metadata.annotations: Too long")

    run(scenario())


def test_a_status_that_is_refused_in_every_form_is_an_error() -> None:
    """Then the worker backs off; the traffic was written before."""

    async def scenario() -> None:
        hands = Hands()
        rollout = hands.api.put(an_object(ROLLOUT))
        hands.api.on_write = failing(REFUSED, "replace_status", "AgentRollout")
        with pytest.raises(InvalidError):
            await hands.actor.statuses.replace(rollout, {"attempt": {"state": "RollingBack"}})

    run(scenario())


def test_a_status_that_conflicts_makes_the_newer_object_known_at_once() -> None:
    """The next decision is about what a person has asked since, however late the watch is."""

    async def scenario() -> None:
        hands = Hands()
        old = hands.api.put(an_object(ROLLOUT, spec={"releaseRef": {"name": "new"}}))
        hands.cache.put(old)
        hands.api.put(an_object(ROLLOUT, spec={"releaseRef": {"name": "stable"}}))
        with pytest.raises(ConflictError):
            await hands.actor.statuses.replace(old, {"attempt": {"number": 1}})
        cached = hands.cache.get(ROLLOUT)
        assert cached is not None
        assert cached["spec"]["releaseRef"]["name"] == "stable"
        assert await hands.queue.take() == ROLLOUT

    run(scenario())


@pytest.mark.parametrize("error", [REFUSED, ForbiddenError("denied the request")], ids=type)
def test_a_refused_status_is_loud_without_the_status(error: ClusterError) -> None:
    """One Event in ten minutes, however often it is tried, and a number for the metrics."""

    async def scenario() -> None:
        hands = Hands()
        rollout = a_rollout(hands)
        hands.api.on_write = failing(error, "replace_status", "AgentRollout")
        for _ in range(20):
            with pytest.raises(type(error)):
                await hands.actor.statuses.replace(rollout, STATUS)
            await pass_time(QUIET_SECONDS / 15)
        assert await reasons(hands) == ["StatusNotWritten"] * 2
        assert str(error) in hands.api.events[0]["message"]
        assert hands.actor.statuses.unwritten() == 1
        hands.api.on_write = lambda _verb, _ref: None
        assert await hands.actor.statuses.replace(rollout, STATUS) == Written()
        assert hands.actor.statuses.unwritten() == 0

    run(scenario())


def test_an_api_server_that_is_away_for_a_moment_is_no_event() -> None:
    """An Event could not be written either; a webhook that always fails is another matter."""

    async def scenario() -> None:
        hands = Hands()
        rollout = a_rollout(hands)
        hands.api.on_write = failing(
            UnavailableError("failed calling webhook"), "replace_status", ROLLOUT.kind
        )
        for times in range(PASSING + 1):
            assert await reasons(hands) == []
            with pytest.raises(UnavailableError):
                await hands.actor.statuses.replace(rollout, STATUS)
            assert hands.actor.statuses.unwritten() == 1, times
        assert await reasons(hands) == ["StatusNotWritten"]
        await pass_time(LAPSED_SECONDS + 1)
        assert hands.actor.statuses.unwritten() == 0

    run(scenario())


def test_a_refusal_whose_words_change_makes_no_loop() -> None:
    """The status without details repeats them, so it is another one each time, and news."""

    async def scenario() -> None:
        hands, numbers = Hands(), count()
        rollout = a_rollout(hands)

        def refuse(verb: str, _ref: Ref) -> None:
            number = next(numbers)
            if verb == "replace_status" and number % 2 == 0:
                raise InvalidError(f"request {number} is denied")

        hands.api.on_write = refuse
        written = [await hands.actor.statuses.replace(rollout, STATUS)]
        for _ in range(600):
            await pass_time(0.1)
            written.append(await hands.actor.statuses.replace(hands.api.objects[ROLLOUT], STATUS))
        done = [each for each in written if each.is_done]
        assert set(done) == {Written(again=PAUSE_LAST)}
        assert AT_ONCE < len(done) <= AT_ONCE + 5 + 60 / PAUSE_LAST
        assert all(each.again for each in written if not each.is_done)

    run(scenario())


def without_gates(manifest: Manifest) -> Manifest:
    """What a schema without `gates` and `attempt.number` leaves."""
    status = {key: value for key, value in manifest["status"].items() if key != "gates"}
    return {**manifest, "status": {**status, "attempt": {"state": status["attempt"]["state"]}}}


def test_fields_that_are_not_stored_are_named_once_and_not_written_again() -> None:
    """The CRD is older than the operator: nothing is written twice, until there is something new."""

    async def scenario() -> None:
        hands = Hands()
        rollout = a_rollout(hands)
        hands.api.prune = without_gates
        for times in range(5):
            written = await hands.actor.statuses.replace(rollout, STATUS)
            assert written == Written(is_new=times == 0)
            rollout = hands.api.objects[ROLLOUT]
        assert hands.api.count("replace_status") == 1
        assert await reasons(hands) == ["StatusIncomplete"]
        assert "status.attempt.number, status.gates: the CustomResource" in hands.api.events[0]["message"]
        assert hands.actor.statuses.incomplete() == 1
        hands.api.prune = lambda manifest: manifest
        news = {**STATUS, "observedGeneration": 2}
        assert await hands.actor.statuses.replace(rollout, news) == Written()
        assert hands.api.objects[ROLLOUT]["status"] == news
        assert hands.actor.statuses.incomplete() == 0

    run(scenario())


def test_a_status_that_someone_undoes_is_written_at_a_bounded_pace() -> None:
    """A controller that restores the status of a backup does not decide how often we write."""

    async def scenario() -> None:
        hands, done = Hands(), 0
        for _ in range(600):
            rollout = hands.api.put(an_object(ROLLOUT, spec={}, status={"theirs": True}))
            done += (await hands.actor.statuses.replace(rollout, STATUS)).is_done
            await pass_time(0.1)
        assert AT_ONCE < done <= AT_ONCE + 5 + 60 / PAUSE_LAST

    run(scenario())


def test_statuses_that_differ_by_warnings_wait_for_nothing_else() -> None:
    """Five at once, then one in ten seconds, and the last state wins; all others are written at once."""

    async def scenario() -> None:
        hands = Hands()
        rollout = a_rollout(hands)
        for number in range(600):
            minor = {**STATUS, "conditions": [{"type": "RouteConflict"}] * (number % 2)}
            written = await hands.actor.statuses.replace(rollout, minor, is_minor=True)
            assert written.is_done or 0 < (written.again or 0) <= PAUSE_LAST
            rollout = hands.api.objects[ROLLOUT]
            await pass_time(0.1)
        assert AT_ONCE < hands.api.count("replace_status") <= AT_ONCE + 60 / PAUSE_LAST
        moved = {**STATUS, "attempt": {"state": "Verifying"}}
        assert await hands.actor.statuses.replace(rollout, moved) == Written()
        await pass_time(PAUSE_LAST)
        assert (
            await hands.actor.statuses.replace(hands.api.objects[ROLLOUT], minor, is_minor=True) == Written()
        )
        assert hands.api.objects[ROLLOUT]["status"] == minor

    run(scenario())
