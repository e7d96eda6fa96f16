"""`agentrollouts approve`, `roll-back` and the like: create an action, and print what the operator answers.

The admission policies decide who may create it, and in whose name. The operator decides what it does.
"""

import argparse
import asyncio
import sys
from dataclasses import fields
from typing import Final, Protocol

import yaml

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.credentials import current_namespace
from agentrollouts.adapters.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.action.request import Answer, OpenRequestError, Request, manifest_of

REFUSED: Final = 1
WRONG_USE: Final = 2
NO_ANSWER: Final = 3

LOOK_SECONDS: Final = 0.25
"""Interval between two looks at the action."""
_CALL_SECONDS: Final = 10.0
"""Hard limit of one request to the API server."""
_REVIEW: Final = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


class Creates(Protocol):
    """Creates objects."""

    async def create(self, manifest: Manifest) -> Manifest:
        """Create an object. Raises `ClusterError`."""


class Actions(Creates, Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None. Raises `ClusterError`."""


def run_action(options: argparse.Namespace) -> int:
    """Create the action that the options describe, and print its answer; the exit code says what it was."""
    try:
        request = request_of(options, options.namespace or current_namespace())
        return asyncio.run(_connected(request, options.wait, is_dry_run=options.dry_run))
    except OpenRequestError as error:
        _warn(f"{options.rollout}: {error}")
        return WRONG_USE
    except ClusterError as error:
        _warn(str(error))
        return REFUSED


def request_of(options: argparse.Namespace, namespace: str) -> Request:
    """What the options request; each command has only those of its type."""
    given = {each.name: getattr(options, each.name) for each in fields(Request) if each.name in options}
    return Request(**(given | {"namespace": namespace}))


async def _connected(request: Request, wait: float, *, is_dry_run: bool) -> int:
    cluster = await Cluster.connect(timeout_seconds=_CALL_SECONDS)
    try:
        return await act(cluster, request, wait=wait, is_dry_run=is_dry_run)
    finally:
        await cluster.close()


async def act(
    api: Actions,
    request: Request,
    *,
    wait: float,
    is_dry_run: bool = False,
    interval: float = LOOK_SECONDS,
) -> int:
    """Create the action, and print its answer.

    Args:
        api: The API server.
        request: What someone requests.
        wait: Seconds to wait for the answer; 0 to end once the action is created.
        is_dry_run: Print the action and create nothing.
        interval: Seconds between two looks at the action.

    Returns:
        0 if the answer is yes, `REFUSED`, or `NO_ANSWER`.

    Raises:
        OpenRequestError: the request leaves something open that the rollout does not show.
        ClusterError: the action was not created.
    """
    rollout = await api.get(Ref("AgentRollout", request.namespace, request.rollout))
    if rollout is None:
        raise NotFoundError(f"There is no AgentRollout {request.rollout} in namespace {request.namespace}")
    manifest = manifest_of(request, rollout, await user_name(api))
    if is_dry_run:
        print(yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True), end="")
        return 0
    created = await _created(api, manifest)
    ref = Ref.of(created)
    if not wait:
        print(f"{ref.name}: created")
        return 0
    return await _answer(api, ref, wait, interval)


async def user_name(api: Creates) -> str:
    """Who we are, as the API server names us.

    A rollback does not depend on it: someone without the right to ask is "unknown". Where the API server
    verifies names, it refuses that one.
    """
    try:
        review = await api.create(_REVIEW)
    except ForbiddenError:
        return "unknown"
    return str(review["status"]["userInfo"]["username"])


async def _created(api: Actions, manifest: Manifest) -> Manifest:
    """The action, created now, or before by the same request under the same chosen name."""
    try:
        return await api.create(manifest)
    except AlreadyExistsError:
        if name := manifest["metadata"].get("name"):
            stored = await api.get(Ref(manifest["kind"], manifest["metadata"]["namespace"], name))
            if stored and stored["spec"] == manifest["spec"]:
                return stored
        raise


async def _answer(api: Actions, ref: Ref, wait: float, interval: float) -> int:
    """Wait for the last answer, and print the one that there is in the end."""
    answer, problem = None, ""
    try:
        async with asyncio.timeout(wait):
            while answer is None or not answer.is_final:
                await asyncio.sleep(interval)
                try:
                    answer, problem = Answer.of(await api.get(ref) or {}), ""
                except UnavailableError as error:
                    problem = str(error)
    except TimeoutError:
        pass
    except ClusterError as error:  # a right to create actions is none to read them
        problem = str(error)
    if answer is None:
        _warn(
            f"{ref.name}: created; no answer within {wait:g} s. {problem or 'Check that the operator runs'}"
        )
        return NO_ANSWER
    print(f"{ref.name}: {answer.text}")
    if not answer.is_final:
        return NO_ANSWER
    return 0 if answer.is_yes else REFUSED


def _warn(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
