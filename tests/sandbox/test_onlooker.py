"""Input: what a watch reports, and how it ends. Output: when an object looked as expected."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sandbox.people.apiserver import Manifest, Onlooker


class Watched:
    """A server whose watches are scripted, one after the other."""

    def __init__(self, *watches: list[str] | Exception) -> None:
        self._watches = list(watches)

    async def watch(self, _path: str) -> AsyncIterator[tuple[float, Manifest]]:
        """The states of one watch, after which it ends, fails or, if it is the last one, stays open."""
        script = self._watches.pop(0)
        if isinstance(script, Exception):
            raise script
        for state in script:
            yield 0.0, {"metadata": {"namespace": "n", "name": "a"}, "state": state}
        if not self._watches:
            await asyncio.Event().wait()


def saw(server: Watched, state: str) -> float:
    """Wait for a state."""

    async def scenario() -> float:
        async with Onlooker(server, "/things") as onlooker:  # type: ignore[arg-type]  # all that it needs
            return await onlooker.until("n", "a", lambda manifest: manifest["state"] == state, seconds=60)

    return asyncio.run(scenario())


def test_a_watch_that_ended_is_begun_again() -> None:
    """What changes after its end is seen all the same."""
    assert saw(Watched(["old"], ["old", "new"]), "new") == 0.0


def test_a_watch_that_failed_is_no_silence() -> None:
    """Whoever waits is told at once, with the cause."""
    with pytest.raises(RuntimeError, match="The watch of /things has failed") as error:
        saw(Watched(["old"], OSError("no route")), "new")
    assert str(error.value.__cause__) == "no route"
