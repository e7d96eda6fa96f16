"""`agentrollouts roll-back-all`: rolls back every canary in progress, and waits until stable has all traffic.

The chart runs it before an uninstall. It requests each rollback by an AgentRolloutAction as a person does, so
the operator that is about to end decides and writes it. Nothing here sets a weight.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from pydantic import ValidationError

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    NotFoundError,
    NotServedError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.cli.online.act import Creates, user_name
from agentrollouts.cli.online.listed import Listed

NOT_BACK: Final = 1

_KIND: Final = "AgentRollout"
LOOK_SECONDS: Final = 1.0
"""Interval between two lists while a rollback is in progress."""
_CALL_SECONDS: Final = 10.0
"""Hard limit of one request to the API server."""


class Rollouts(Creates, Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def list(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        """All objects of a kind, in one namespace or in all. Raises `ClusterError`."""


def run_roll_back_all(options: argparse.Namespace) -> int:
    """Roll back what is in progress and print it; 1 if stable does not have all traffic in the end."""
    done = asyncio.run(_connected(options.namespace, options.timeout))
    if not done and options.best_effort:
        _warn("The exit code is 0 all the same, because of --best-effort.")
    return 0 if done or options.best_effort else NOT_BACK


async def _connected(namespaces: Sequence[str], seconds: int) -> bool:
    try:
        cluster = await Cluster.connect(timeout_seconds=min(_CALL_SECONDS, seconds))
    except ClusterError as error:
        _warn(str(error))
        return False
    try:
        return await Recall(cluster, namespaces, seconds).run()
    finally:
        await cluster.close()


class Recall:
    """The rollback of everything that is in progress.

    Args:
        cluster: The API server.
        namespaces: Whose rollouts; of all namespaces if there are none.
        seconds: How long to wait until stable has all traffic.
        interval: Seconds between two lists.
    """

    def __init__(
        self,
        cluster: Rollouts,
        namespaces: Iterable[str],
        seconds: float,
        *,
        interval: float = LOOK_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._places: list[str | None] = [*namespaces] or [None]
        self._seconds, self._interval = seconds, interval
        self._seen = 0
        self._reported: set[tuple[str, int]] = set()
        self._open: dict[str, Listed] = {}
        """Rollouts whose stable release does not have all traffic."""
        self._user = ""
        """Who we are; empty until the first request."""
        self._requested: set[tuple[str, int]] = set()
        """Rollouts and attempts for which there is an action."""
        self._refused: dict[str, str] = {}
        """Why the request for a rollout was refused."""
        self._problems: list[str] = []
        """What could not be read."""
        self._is_partial = False
        """Whether a list was refused, so that a rollout that is not listed may still exist."""
        self._outage = "the API server did not respond"
        """Why the last look failed; empty if it succeeded."""
        self._is_warned = False

    async def run(self) -> bool:
        """Request the rollbacks, wait, and print what happens; whether stable has all traffic."""
        try:
            async with asyncio.timeout(self._seconds):
                while await self._is_waiting():  # noqa: ASYNC110 no event: the API server is read again
                    await asyncio.sleep(self._interval)
        except NotServedError:
            print("AgentRollouts are not installed in this cluster, so there is nothing to roll back.")
            return True
        except TimeoutError:
            pass
        return self._report()

    async def _is_waiting(self) -> bool:
        """Look once; whether something can still change."""
        try:
            found = await self._listed()
        except UnavailableError as error:
            if not self._is_warned:
                _warn(f"{error}. Trying again for at most {self._seconds:g} s.")
            self._outage, self._is_warned = str(error), True
            return True
        self._outage, self._seen = "", len(found)
        self._note(found)
        for each in tuple(self._open.values()):
            await self._advance(each)
        return bool(self._open.keys() - self._refused.keys())

    async def _listed(self) -> dict[str, Listed]:
        """All rollouts; a namespace that cannot be read does not stop the others.

        Raises:
            NotServedError: the API server does not know the kind.
            UnavailableError: it does not respond.
        """
        found: dict[str, Listed] = {}
        for place in tuple(self._places):
            try:
                manifests = await self._cluster.list(_KIND, place)
            except (NotServedError, UnavailableError):
                raise
            except ClusterError as error:
                self._places.remove(place)
                self._problems.append(str(error))
                self._is_partial = True
                continue
            found |= {each.name: each for each in map(self._read, manifests) if each}
        return found

    def _read(self, manifest: Manifest) -> Listed | None:
        try:
            return Listed.of(manifest)
        except ValidationError:
            problem = f"{Ref.of(manifest)}: its status cannot be read; use the version that wrote it"
            if problem not in self._problems:
                self._problems.append(problem)
            return None

    def _note(self, found: dict[str, Listed]) -> None:
        """Note who is not back, before anything takes time, and print who is."""
        before, self._open = self._open, {name: each for name, each in found.items() if not each.is_back}
        for name, each in before.items():
            if name not in found and self._is_partial:
                self._open[name] = each
            elif name not in self._open:
                print(f"{name}: {found[name].shares if name in found else 'was deleted'}", flush=True)
        for each in found.values():
            if each.is_first:
                self._say(each, "ships its first release, so there is no release to roll back to")

    async def _advance(self, each: Listed) -> None:
        """Print what one rollout does, and request its rollback if that is due."""
        if each.due is None:
            self._say(each, f"waiting for stable to get all traffic: {each.shares}")
        elif (each.name, each.attempt) in self._requested or await self._request(each):
            self._say(each, f"the rollback of {each.due} is requested: {each.shares}")

    async def _request(self, each: Listed) -> bool:
        """Request its rollback; whether there is an action now."""
        try:
            self._user = self._user or await user_name(self._cluster)
            await self._cluster.create(each.action(self._user))
        except AlreadyExistsError:
            pass  # by an earlier run, or by a call whose answer was lost
        except (ConflictError, NotFoundError, UnavailableError):
            return False  # the next look decides again
        except ClusterError as error:
            self._refused[each.name] = str(error)
            return False
        self._refused.pop(each.name, None)
        self._requested.add((each.name, each.attempt))
        return True

    def _say(self, each: Listed, sentence: str) -> None:
        """Print the first sentence about an attempt."""
        about = (each.name, each.attempt)
        if about not in self._reported:
            self._reported.add(about)
            print(f"{each.name}: {sentence}", flush=True)

    def _report(self) -> bool:
        """Print how it ended, and what a person has to do."""
        for problem in self._problems:
            _warn(problem)
        if self._outage:
            _warn(f"It is unknown where stable has all traffic, after {self._seconds:g} s: {self._outage}")
        for name, each in self._open.items():
            _warn(f"{name}: NOT rolled back, {each.shares}. {self._cause(name, each)}; or {each.remedy}")
        is_done = not (self._problems or self._outage or self._open)
        if is_done:
            checked = "1 AgentRollout" if self._seen == 1 else f"{self._seen} AgentRollouts"
            nothing = "no canary is in progress, so there is nothing to roll back"
            print(f"Checked {checked}: {'stable has all traffic' if self._reported else nothing}.")
        return is_done

    def _cause(self, name: str, each: Listed) -> str:
        """Why a rollout is not rolled back, and what to do."""
        if name in self._refused:
            return f"{self._refused[name]}. Grant the right and run this again"
        if each.due and (name, each.attempt) not in self._requested:
            return f"The rollback was not requested within {self._seconds:g} s. Run this again"
        if each.due:
            late = f"The operator did not act on the request within {self._seconds:g} s"
            return f"{late}. Check that it runs, and run this again"
        cause = each.obstacle or "The weights are not written yet"
        return f"{cause.rstrip('.')}. Correct this and run it again"


def _warn(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
