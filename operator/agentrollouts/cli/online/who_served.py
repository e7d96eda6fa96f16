"""`agentrollouts who-served`: from the digest of a run to the release that answered it, and what it changed.

It reads what the cluster has and writes nothing. A full digest selects its records on the API server. The
rollouts are listed, since no field selects by their histories.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from pydantic import ValidationError

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.credentials import current_namespace
from agentrollouts.adapters.cluster.errors import ClusterError, NotServedError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.online.found import json_of, lines_of
from agentrollouts.cli.online.served import Served, digests_of, only_recorded, served, with_release

UNKNOWN: Final = 1
WRONG_USE: Final = 2

FULL_LENGTH: Final = len("sha256:") + 64
"""Characters of a whole digest."""

_CALL_SECONDS: Final = 10.0
"""Hard limit of one request to the API server."""


class Reads(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None. Raises `ClusterError`."""

    async def list(
        self,
        kind: str,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> list[Manifest]:
        """All objects of a kind with these labels and fields. Raises `ClusterError`."""


def run_who_served(options: argparse.Namespace) -> int:
    """Print who served the digest; the exit code says whether anyone did."""
    try:
        namespace = None if options.all_namespaces else options.namespace or current_namespace()
        return asyncio.run(_connected(options.digest, namespace, as_json=options.output == "json"))
    except WrongUseError as error:
        _warn(str(error))
        return WRONG_USE
    except ClusterError as error:
        _warn(str(error))
        return UNKNOWN


async def _connected(digits: str, namespace: str | None, *, as_json: bool) -> int:
    cluster = await Cluster.connect(timeout_seconds=_CALL_SECONDS)
    try:
        return await who_served(cluster, digits, namespace, as_json=as_json)
    finally:
        await cluster.close()


async def who_served(api: Reads, digits: str, namespace: str | None, *, as_json: bool) -> int:
    """Print every rollout that knows of the digest, and its releases.

    Args:
        api: The API server.
        digits: The digest, or at least its first 12 hex digits, without `sha256:`.
        namespace: Where to look; None for all namespaces.
        as_json: Whether to print JSON instead of lines.

    Returns:
        0 if a rollout or a record knows of it, or else `UNKNOWN`.

    Raises:
        WrongUseError: several digests begin with these digits.
        ClusterError: the rollouts cannot be read.
    """
    start = f"sha256:{digits}"
    rollouts, records = await asyncio.gather(
        api.list("AgentRollout", namespace), _records(api, start, namespace)
    )
    known = [each for each in rollouts if any(digest.startswith(start) for digest in digests_of(each))]
    digest = _only(start, {digest for each in known for digest in digests_of(each)})
    releases: list[Manifest] = []
    if not known and not records:
        releases = [
            each
            for each in await api.list("AgentRelease", namespace)
            if str((each.get("status") or {}).get("digest", "")).startswith(start)
        ]
        digest = _only(start, {each["status"]["digest"] for each in releases})
    if digest != start:
        records = await _records(api, digest, namespace)
    found = [await _completed(api, each) for each in _found(known, records, digest)]
    if as_json:
        print(json.dumps(json_of(digest, found, releases), indent=2, ensure_ascii=False))
    for line in () if as_json else lines_of(found):
        print(line)
    if not found:
        _warn(_nobody(digest, namespace, releases))
    return 0 if found else UNKNOWN


def _only(start: str, digests: set[str]) -> str:
    """The one digest that begins so; the text itself if there is none."""
    matching = sorted(digest for digest in digests if digest.startswith(start))
    if len(matching) > 1:
        listed = "".join(f"\n  {digest}" for digest in matching)
        raise WrongUseError(
            f"{start}: several digests begin with it; give more digits of one of them{listed}"
        )
    return matching[0] if matching else start


async def _records(api: Reads, digest: str, namespace: str | None) -> list[Manifest]:
    """The records of the digest; none where the kind, or the selection by that field, is not known."""
    if len(digest) < FULL_LENGTH:
        return []
    try:
        return await api.list("AgentRolloutRecord", namespace, fields={"spec.digest": digest})
    except NotServedError:
        return []
    except ClusterError as error:
        _warn(f"{error}. Only what the rollouts know is shown.")
        return []


def _found(rollouts: Sequence[Manifest], records: Sequence[Manifest], digest: str) -> list[Served]:
    """What each rollout knows, with its records; and what records know of rollouts that are gone."""
    found, left = list[Served](), list(records)
    for rollout in rollouts:
        ref, uid = Ref.of(rollout), rollout["metadata"].get("uid")
        own = [
            each
            for each in left
            if each["metadata"]["namespace"] == ref.namespace and each["spec"].get("rolloutUid") == uid
        ]
        left = [each for each in left if each not in own]
        try:
            each = served(rollout, own, digest)
        except ValidationError:
            _warn(f"{ref}: its status cannot be read; use the version that wrote it")
            left += own
            continue
        found += [each] if each else []
    return [*found, *only_recorded(left, digest)]


async def _completed(api: Reads, found: Served) -> Served:
    """With what the AgentRelease says, where it can be read."""
    try:
        return with_release(found, await api.get(Ref("AgentRelease", found.namespace, found.release)))
    except ClusterError as error:
        _warn(str(error))
        return found


def _nobody(digest: str, namespace: str | None, releases: Sequence[Manifest]) -> str:
    """Why nothing was found, and what to do."""
    where = f"in namespace {namespace}" if namespace else "in any namespace"
    if releases:
        names = ", ".join(f"{Ref.of(each).namespace}/{Ref.of(each).name}" for each in releases)
        return f"{digest} is the digest of {names}, and no rollout {where} has served it"
    more = "" if namespace is None else "; look in all namespaces with -A"
    return f"No rollout, record or release {where} knows {digest}{more}"


def _warn(sentence: str) -> None:
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
