"""Inputs: more releases than a namespace may have, or larger ones. Outputs: which are looked at, and when."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agentrollouts.adapters.cluster.errors import ForbiddenError, UnavailableError
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.settings.limits import Limits
from agentrollouts.settings.settings import Settings
from testkit.builders.names import NAMESPACE
from tests.shell.controllers.test_releases import a_release, message, reasons, ref
from tests.shell.fakes import failing
from tests.shell.permits.test_rollouts import limits
from tests.shell.test_reconcile import Shell, a_shell
from tests.shell.virtual import pass_time, run

MANY = 2000
READY, REFUSED = "Materialized", "LimitExceeded"
ROOM = 2300
"""Bytes of all bundles: fewer than an administrator can set, so that the tests are quick."""
HALF = "x y " * 250
"""Text of which two bundles have room and three have not."""
LARGE = 2 * HALF
"""Text of which the bundle has more room than is left beside one of `HALF`."""


class SmallLimits(Limits):
    """Limits below what an administrator can set."""

    release_bytes_per_namespace: int = 0


def room_for(size: int) -> Settings:
    """Settings with so many bytes for each namespace."""
    return Settings(limits=SmallLimits(release_bytes_per_namespace=size))


@contextmanager
def looks(shell: Shell) -> Iterator[list[Ref]]:
    """The keys at which a worker was, one for each pass."""
    seen: list[Ref] = []
    done = shell.queue.done

    def counted(key: Ref) -> None:
        seen.append(key)
        done(key)

    shell.queue.done = counted  # type: ignore[method-assign] # the one that counts
    yield seen
    shell.queue.done = done  # type: ignore[method-assign]


def delete(shell: Shell, number: int) -> None:
    """A release goes, and its snapshot with it."""
    snapshot = shell.status(ref(number))["snapshot"]["name"]
    shell.api.delete(ref(number))
    shell.api.delete(Ref("ConfigMap", NAMESPACE, snapshot))


async def a_crowd(shell: Shell, texts: list[str]) -> None:
    """A release with each of these texts, the oldest first."""
    for number, text in enumerate(texts):
        shell.api.put(a_release(number, text))
    await pass_time(600)


def test_the_youngest_releases_above_the_number_are_refused_by_name() -> None:
    """Unread, with one Event each; the next one is served once an older one is gone."""

    async def scenario() -> None:
        async with a_shell(settings=limits(releasesPerNamespace=2)) as shell:
            for number in range(4):
                shell.api.put(a_release(number))
            await pass_time(60)
            refused = ["Materialized", "Materialized", "LimitExceeded", "LimitExceeded"]
            assert (reasons(shell, 4), shell.examined) == (refused, 2)
            assert message(shell, 3) == (
                "namespace support has more than 2 AgentReleases, and 2 older ones are served "
                "(limits.releasesPerNamespace in the operator's settings); delete one of them, or ask the "
                "administrator for more"
            )
            events = [each for each in shell.api.events if each["reason"] == "LimitExceeded"]
            assert [each["involvedObject"]["name"] for each in events] == [ref(2).name, ref(3).name]
            shell.api.delete(ref(0))
            await pass_time(1)
            assert reasons(shell, 4, 1) == ["Materialized", "Materialized", "LimitExceeded"]

    run(scenario())


@pytest.mark.parametrize("namespaces", [1, 2])
def test_a_bundle_without_room_is_refused_by_name(namespaces: int) -> None:
    """What is materialized stays, another namespace has room of its own, and a deletion makes some."""

    async def scenario() -> None:
        async with a_shell(settings=room_for(ROOM)) as shell:
            if namespaces == 2:
                shell.api.put(a_release(9, HALF, namespace="other"))
            await a_crowd(shell, [HALF] * 4)
            assert reasons(shell, 4) == ["Materialized"] * 2 + ["LimitExceeded"] * 2
            assert "limits.releaseBytesPerNamespace in the operator's settings is 2,300" in message(shell, 3)
            assert "the bundle has 1,1" in message(shell, 3)
            if namespaces == 2:
                assert shell.ready(ref(9, "other")) == ("True", "Materialized")
            examined = shell.examined
            await pass_time(600)
            assert shell.examined == examined, "what has no room is not read again and again"
            delete(shell, 0)
            await pass_time(1)
            assert reasons(shell, 4, 1) == ["Materialized", "Materialized", "LimitExceeded"]

    run(scenario())


def test_releases_above_the_number_cost_nothing_while_they_wait() -> None:
    """Two thousand of them: no pass, no write; a free place is taken by the oldest, and only by it."""

    async def scenario() -> None:
        async with a_shell(settings=limits(releasesPerNamespace=2)) as shell:
            await a_crowd(shell, [""] * (MANY + 2))
            assert reasons(shell, MANY + 2) == [READY] * 2 + [REFUSED] * MANY
            written = len(shell.api.effects)
            with looks(shell) as seen:
                await pass_time(24 * 3600)
                assert (seen, len(shell.api.effects)) == ([], written)

                shell.api.delete(ref(1))
                await pass_time(3600)
                assert set(seen) == {ref(1), ref(2)}
            assert reasons(shell, 5, 2) == [READY, REFUSED, REFUSED]

    run(scenario())


def test_releases_without_room_cost_nothing_while_they_wait() -> None:
    """Two thousand of them; when there is room, the oldest that fit take it, and only these are looked at."""

    async def scenario() -> None:
        async with a_shell(settings=room_for(ROOM)) as shell:
            await a_crowd(shell, [HALF, HALF, LARGE, *[""] * MANY])
            assert reasons(shell, MANY + 3) == [READY] * 2 + [REFUSED] * (MANY + 1)
            written, examined = len(shell.api.effects), shell.examined
            with looks(shell) as seen:
                await pass_time(24 * 3600)
                assert (seen, len(shell.api.effects)) == ([], written)

                delete(shell, 0)
                await pass_time(3600)
            served = shell.examined - examined
            assert set(seen) == {ref(0), *(ref(number) for number in range(3, 3 + served))}
            assert 1 < served < 20
            assert reasons(shell, 4 + served, 2) == [REFUSED, *[READY] * served, REFUSED]

    run(scenario())


@pytest.mark.parametrize(
    ("few", "more", "text"),
    [
        (limits(releasesPerNamespace=2), limits(releasesPerNamespace=4), ""),
        (room_for(ROOM), room_for(2 * ROOM), HALF),
    ],
)
def test_a_limit_that_rises_serves_those_that_it_permits(few: Settings, more: Settings, text: str) -> None:
    """Four instead of two, by age, and nothing else is examined; each that still waits names the number."""

    async def scenario() -> None:
        async with a_shell(settings=few) as shell:
            await a_crowd(shell, [text] * 7)
            assert reasons(shell, 7) == [READY] * 2 + [REFUSED] * 5
            examined = shell.examined
            with looks(shell) as seen:
                shell.release_permits.replace(more)
                await pass_time(1)
            assert set(seen) == {ref(2), ref(3)}
            assert shell.api.intake is not None
            shell.api.intake.look_at_all()
            await pass_time(60)
            assert reasons(shell, 7) == [READY] * 4 + [REFUSED] * 3
            assert shell.examined == examined + 2
            if not text:
                assert "more than 4 AgentReleases" in message(shell, 6)

    run(scenario())


def test_one_that_was_made_again_loses_its_place() -> None:
    """Also if no pass ran between its deletion and its re-creation."""

    async def scenario() -> None:
        async with a_shell(settings=limits(releasesPerNamespace=1)) as shell:
            await a_crowd(shell, [""] * 3)
            shell.api.delete(ref(0))
            again = a_release(9)
            again["metadata"] |= {"name": ref(0).name, "uid": "another"}
            shell.api.put(again)
            await pass_time(60)
            assert reasons(shell, 3) == [REFUSED, READY, REFUSED]

    run(scenario())


@pytest.mark.parametrize(("settings", "text"), [(limits(releasesPerNamespace=2), ""), (room_for(ROOM), HALF)])
def test_one_that_waits_and_is_deleted_takes_no_place(settings: Settings, text: str) -> None:
    """The next one has its place."""

    async def scenario() -> None:
        async with a_shell(settings=settings) as shell:
            await a_crowd(shell, [text] * 5)
            shell.api.delete(ref(2))
            await pass_time(60)
            with looks(shell) as seen:
                delete(shell, 0)
                await pass_time(60)
            assert set(seen) == {ref(0), ref(3)}
            assert reasons(shell, 5, 3) == [READY, REFUSED]

    run(scenario())


def test_a_snapshot_that_outlives_its_release_keeps_its_room() -> None:
    """Until it is deleted too; then the next release is served at once."""

    async def scenario() -> None:
        async with a_shell(settings=room_for(ROOM)) as shell:
            await a_crowd(shell, [HALF] * 3)
            snapshot = shell.status(ref(0))["snapshot"]["name"]
            shell.api.delete(ref(0))
            await pass_time(600)
            assert reasons(shell, 3, 1) == [READY, REFUSED]
            shell.api.delete(Ref("ConfigMap", NAMESPACE, snapshot))
            await pass_time(1)
            assert reasons(shell, 3, 1) == [READY, READY]

    run(scenario())


@pytest.mark.parametrize("what", ["write", "read"])
def test_one_whose_turn_fails_delays_no_other(what: str) -> None:
    """The room goes to the next that fits, and it has to wait again."""

    async def scenario() -> None:
        async with a_shell(settings=room_for(ROOM)) as shell:
            await a_crowd(shell, [HALF] * 4)
            assert reasons(shell, 4) == [READY, READY, REFUSED, REFUSED]
            text = shell.api.text

            async def refuse(key: Ref) -> bytes | None:
                if key == ref(2):
                    raise UnavailableError("the API server did not respond within 10 s")
                return await text(key)

            if what == "read":
                shell.api.text = refuse  # type: ignore[assignment,method-assign] # as if down
            else:
                shell.api.on_write = failing(ForbiddenError("no"), "apply", "ConfigMap", times=1)
            delete(shell, 0)
            await pass_time(60)
            assert reasons(shell, 4, 3) == [READY]
            assert reasons(shell, 3, 2) != [READY]

            shell.api.text = text  # type: ignore[method-assign]
            await pass_time(400)
            assert reasons(shell, 4, 2) == [REFUSED, READY]
            delete(shell, 1)
            await pass_time(60)
            assert reasons(shell, 4, 2) == [READY, READY]

    run(scenario())


def test_room_that_comes_while_it_is_examined_is_not_missed() -> None:
    """Nothing tells it again: it waits only since then."""

    async def scenario() -> None:
        async with a_shell(settings=room_for(ROOM)) as shell:
            await a_crowd(shell, [HALF] * 2)
            examine, text = shell.examined, shell.api.text

            async def late(key: Ref) -> bytes | None:
                if key == ref(2) and shell.api.objects.get(ref(0)):
                    delete(shell, 0)
                    await pass_time(1)
                return await text(key)

            shell.api.text = late  # type: ignore[assignment,method-assign] # in its pass
            shell.api.put(a_release(2, HALF))
            await pass_time(60)
            assert reasons(shell, 3, 1) == [READY, READY]
            assert shell.examined == examine + 2

    run(scenario())
