"""One rollout, followed for as long as the caller wants, also across restarts of the API server."""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final

from agentrollouts.plugin.kubectl import (
    PATIENCE_SECONDS,
    Kubectl,
    KubectlError,
    Manifest,
    failure,
    say_waiting,
)
from agentrollouts.plugin.lost import is_missing
from agentrollouts.plugin.watch import Watch, WatchEndedError

BACK_OFF: Final = (0.5, 10.0)
"""Seconds between two watches: at first, and at most."""
TICK: Final = 1.0
"""Seconds after which the caller is given the same rollout again, since its clocks run."""


@dataclass(frozen=True, slots=True)
class Look:
    """The rollout as it is known at a moment."""

    rollout: Manifest
    is_new: bool
    """Whether it changed since the look before."""
    silent_seconds: float | None = None
    """Time without an answer of the API server; None while there is a watch."""
    problem: str = ""
    """Why there is none, in the words of kubectl."""


class NoAnswerError(KubectlError):
    """The API server has not answered at all."""


def follow(
    kubectl: Kubectl, name: str, *, seconds: float | None = None, tick: float = TICK
) -> Generator[Look, None, None]:
    """The rollout as it is now, then each change, and the same one again after each tick.

    Args:
        kubectl: Reads it.
        name: Of the rollout.
        seconds: How long the first answer may take; None for as long as it takes.
        tick: Seconds between two looks if nothing changes.

    Raises:
        KubectlError: it cannot be read in the beginning, or it was deleted.
        NoAnswerError: it was not read in time.
    """
    follower = _Follower(kubectl, name, tick, seconds)
    while True:
        yield from follower.one_watch()
        yield from follower.pause()


class _Follower:
    """What is known between two watches."""

    def __init__(self, kubectl: Kubectl, name: str, tick: float, seconds: float | None) -> None:
        self._kubectl, self._name, self._tick = kubectl, name, tick
        self._seconds, self._began = seconds, time.monotonic()
        self._rollout: Manifest | None = None
        self._lost: float | None = None
        self._problem = ""
        self._pause = BACK_OFF[0]

    def one_watch(self) -> Iterator[Look]:
        """Looks until the watch ends."""
        with self._kubectl.watch("agentrollout", self._name) as watch:
            while True:
                try:
                    event = watch.event(self._tick)
                except WatchEndedError as error:
                    self._lose(watch, str(error))
                    return
                yield from self._look(event)

    def _look(self, event: Manifest | None) -> Iterator[Look]:
        if event is None:
            if self._rollout:
                yield self._same()
            else:
                self._wait()
            return
        if event["type"] == "DELETED":
            raise self._deleted()
        if event["type"] == "ERROR":  # the watch ends after it
            return
        is_new = event["object"] != self._rollout
        self._rollout, self._lost, self._problem, self._pause = event["object"], None, "", BACK_OFF[0]
        yield Look(event["object"], is_new)

    def _wait(self) -> None:
        """Nothing was read yet."""
        waited = time.monotonic() - self._began
        if self._seconds is not None and waited > self._seconds:
            raise NoAnswerError(f"no answer from the API server within {self._seconds:g} s")
        if waited > PATIENCE_SECONDS:
            say_waiting()

    def _deleted(self) -> KubectlError:
        return KubectlError(f"agentrollout {self._name} was deleted")

    def _lose(self, watch: Watch, errors: str) -> None:
        failed = failure(watch.process, errors)
        if self._rollout is None:
            raise failed
        if is_missing(failed, self._name):  # while there was no watch
            raise self._deleted()
        if watch.process.returncode:  # an end without an error is a watch that was open for its full time
            self._problem = str(failed)
        self._lost = self._lost or time.monotonic()

    def pause(self) -> Iterator[Look]:
        """The same look, until it is time for another watch."""
        until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, BACK_OFF[1])
        yield self._same()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, self._tick))
            yield self._same()

    def _same(self) -> Look:
        silent = None if self._lost is None else time.monotonic() - self._lost
        assert self._rollout is not None  # noqa: S101 for mypy: without one, the beginning has failed
        return Look(self._rollout, is_new=False, silent_seconds=silent, problem=self._problem)
