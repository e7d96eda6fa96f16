"""The lists beside the watch: before any worker starts, before each new watch, and from time to time.

A watch that was restarted never reports what was deleted in between, so a known object that is no longer
listed counts as deleted. Each list is an input like any other: it feeds the cache, and news marks keys dirty.

Of several namespaces in the settings, one can refuse its lists: it was deleted, or its RoleBinding was. The
others do not wait for it. Nothing of it is taken in before all of it can be.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ForbiddenError,
    NotServedError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER, LABEL_MANAGED_BY
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, GRPC_ROUTE
from agentrollouts.shell.cache import Cache, version_of
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.relations import ACTION, CONFIG_MAP, FREEZE, RELEASE, ROLLOUT, ROUTE

logger = logging.getLogger(__name__)

START_PAUSE: Final = 1.0
"""Seconds between tries to fill the cache while the API server cannot be reached or has no CRDs yet."""

REFUSED_PAUSE: Final = 2.0
"""The same for a namespace that refuses its lists while others do not."""

SYNC_SECONDS: Final = 600.0
"""How long an object that went while a watch was interrupted may be taken to be there."""

LAG_SECONDS: Final = 30.0
"""How long an API server with an older state than before may only lag behind."""

WATCHED: Final[Mapping[str, Mapping[str, str] | None]] = {
    CONFIG_MAP: {LABEL_MANAGED_BY: FIELD_MANAGER},
    ROUTE: None,
    GRPC_ROUTE: None,
    FEATURE_FLAG: {LABEL_MANAGED_BY: FIELD_MANAGER},
    RELEASE: None,
    ACTION: None,
    FREEZE: None,
    ROLLOUT: None,
}
"""What we list and watch, by which labels if any.

Children first: a rollout whose route is not known yet would be taken to have none.
"""

MISSABLE: Final[Mapping[str, str]] = {
    ROUTE: "rollouts that split by ConfigMap are served",
    FEATURE_FLAG: "rollouts without `traffic.featureFlag` are served",
    GRPC_ROUTE: "rollouts without `traffic.grpcRoute` are served",
    ACTION: "people cannot act on rollouts until the CRDs and the role of this version are installed",
    FREEZE: "freezes stop nothing until the CRDs and the role of this version are installed",
}
"""Kinds that a cluster can lack, and what follows; a rollback depends on neither."""


class Lister(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    def pages(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[Manifest]]:
        """All objects of a kind that carry the labels, part by part. Raises `ClusterError`."""

    async def version(self, kind: str, namespace: str | None) -> str:
        """The version from which a watch misses no change after this call. Raises `ClusterError`."""


class Resync:
    """Keeps the cache true where the watch cannot.

    Args:
        cluster: API server to list.
        cache: What is known.
        intake: Where the lists go.
        namespaces: Those of the settings; all if empty.
    """

    def __init__(self, cluster: Lister, cache: Cache, intake: Intake, namespaces: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._cache = cache
        self._intake = intake
        self._namespaces = namespaces
        self._versions: dict[tuple[str, str | None], str] = {}
        """Of lists that no watch has followed yet."""
        self._missing: set[str] = set()
        """Kinds of which a warning has said that the cluster lacks them."""
        self._refused: set[str | None] = set()
        """Namespaces of which nothing is known, since they refused their lists."""
        self._lower: dict[tuple[str, str | None], float] = {}
        """Since when the API server has lower versions of a kind than those that were seen."""
        self._turns = defaultdict[str | None, asyncio.Lock](asyncio.Lock)

    async def fill(self) -> None:
        """List everything; tried until it succeeds, at least for one namespace."""
        while True:
            if await self._is_filled():
                return
            await asyncio.sleep(START_PAUSE)

    async def keep(self) -> None:
        """List everything at intervals, indefinitely; a list that fails stops no other."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            for namespace in self._namespaces or (None,):
                for kind, labels in WATCHED.items():
                    try:
                        if namespace not in self._refused:
                            await self._take_in(kind, namespace, labels)
                    except ClusterError as error:
                        logger.warning("%s", error)

    async def anew(self, kind: str, namespace: str | None) -> str:
        """The version from which to watch a kind, after a list if the last one has been used for a watch.

        Waits for as long as a namespace of which nothing is known refuses its lists.

        Raises:
            ClusterError: it could not be listed.
        """
        if namespace in self._refused:
            async with self._turns[namespace]:
                await self._admit(namespace)
        version = self._versions.pop((kind, namespace), None)
        if version is None:
            await self._take_in(kind, namespace, WATCHED[kind])
            version = self._versions.pop((kind, namespace), "")
        return version

    async def has(self, kind: str, namespace: str | None, version: str) -> bool:
        """Whether the API server has come to a version; not if it was restored from a backup.

        Raises:
            ClusterError: it did not say.
        """
        return int(await self._cluster.version(kind, namespace) or 0) >= int(version)

    async def _is_filled(self) -> bool:
        """List everything; whether that succeeded, at least for one namespace."""
        namespaces, refused = self._namespaces or (None,), list[ForbiddenError]()
        self._refused.clear()
        try:
            for namespace in namespaces:
                try:
                    await self._fill(namespace)
                except ForbiddenError as error:
                    refused.append(error)
                    self._refused.add(namespace)
        except ClusterError as error:
            logger.warning("%s", error)
            return False
        cure = "; nothing of this namespace is served until the role is bound there"
        for each in refused:
            logger.warning("%s%s", each, cure if self._namespaces else "")
        return len(refused) < len(namespaces)

    async def _fill(self, namespace: str | None) -> None:
        for kind, labels in WATCHED.items():
            await self._take_in(kind, namespace, labels)

    async def _admit(self, namespace: str | None) -> None:
        """Wait until a namespace that refused its lists is listed."""
        while namespace in self._refused:
            try:
                await self._fill(namespace)
                self._refused.discard(namespace)
                logger.info("Namespace %s is served now", namespace)
            except ForbiddenError:
                await asyncio.sleep(REFUSED_PAUSE)

    async def _take_in(self, kind: str, namespace: str | None, labels: Mapping[str, str] | None) -> None:
        versions = self._cache.versions(kind, namespace)
        known, unseen = self._cache.gone(kind) | versions, set(versions)
        try:
            version = await self._newest(kind, namespace, known)
            versions = self._cache.versions(kind, namespace)
            unseen = set(versions)
            async for page in self._cluster.pages(kind, namespace, labels):
                for manifest in page:
                    unseen.discard(Ref.of(manifest))
                    self._put(manifest, known)
            self._versions[kind, namespace] = version
            self._missing.discard(kind)
        except (NotServedError, ForbiddenError) as error:
            if kind not in MISSABLE or (kind == ROUTE and isinstance(error, ForbiddenError)):
                raise
            if kind not in self._missing:  # once: most clusters lack one of them for good
                logger.warning("%s; %s", error, MISSABLE[kind])
            if isinstance(error, NotServedError):
                self._missing.add(kind)
            if isinstance(error, ForbiddenError):
                return  # what is known may still be there: a freeze does not end for a lost right
        for key in unseen:
            gone = self._cache.get(key)
            if gone is not None and version_of(gone) == versions[key]:  # no news since the question
                self._intake.drop(gone)

    async def _newest(self, kind: str, namespace: str | None, known: Mapping[Ref, int]) -> str:
        """The version from which to watch.

        Raises:
            ClusterError: it is not known, or is lower than one that was seen. Once that lasts, the API server
                does not lag behind, but was restored from a backup, and then the version is the answer.
        """
        place, now = (kind, namespace), asyncio.get_running_loop().time()
        version = await self._cluster.version(kind, namespace)
        is_lower = int(version or 0) < max(known.values(), default=0)
        if is_lower and now < self._lower.setdefault(place, now) + LAG_SECONDS:
            raise UnavailableError(f"Failed to list {kind}: the API server has an older state than before")
        if self._lower.pop(place, None) is not None:  # it may have caught up, with other changes than before
            logger.warning("The API server had an older state than before; every %s is read again", kind)
            self._cache.go_back(known)
        return version

    def _put(self, manifest: Manifest, known: Mapping[Ref, int]) -> None:
        """Take in one object; what a tenant writes into it must not keep all others from being served."""
        key = Ref.of(manifest)
        if version_of(manifest) < known.get(key, 0):  # in a newer list: it comes from a backup
            self._cache.go_back([key])
        try:
            self._intake.put(manifest)
        except Exception:  # a bug; the next list may fare better
            logger.exception("Failed to take in %s", key)
