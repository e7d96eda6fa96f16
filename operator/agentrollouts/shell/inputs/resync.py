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

MISSING_PAUSE: Final = 5.0
"""The same while a kind is not installed, and for each kind that is not, later on."""

OTHERS_SECONDS: Final = 5.0
"""How long the start waits for a kind of others whose lists fail, before it goes ahead without it."""

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


OF_OTHERS: Final = frozenset({GRPC_ROUTE, FEATURE_FLAG})
"""Kinds that few rollouts use: if their lists fail, whatever the reason, the start does not wait for them. A
conversion webhook that is down must not keep all rollouts from being rolled back."""

NEEDED: Final = (RELEASE, ROLLOUT)
"""Kinds without which nothing can be decided."""


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
        self.problem = ""
        """Why the cache is not filled yet."""
        self._refused: set[str | None] = set()
        """Namespaces of which nothing is known, since they refused their lists."""
        self._lower: dict[tuple[str, str | None], float] = {}
        """Since when the API server has lower versions of a kind than those that were seen."""
        self._turns = defaultdict[str | None, asyncio.Lock](asyncio.Lock)
        self._looks = defaultdict[str, asyncio.Lock](asyncio.Lock)
        """For each kind, whether it is looked for after a pause."""

    async def fill(self) -> None:
        """List everything; tried until it succeeds, at least for one namespace."""
        pause = await self._pause_after_filling()
        while pause is not None:
            await asyncio.sleep(pause)
            pause = await self._pause_after_filling()

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

        Waits for as long as a namespace of which nothing is known refuses its lists, or a kind is not served.

        Raises:
            ClusterError: it could not be listed.
        """
        if namespace in self._refused:
            async with self._turns[namespace]:
                await self._admit(namespace)
        version = None if kind in self._cache.unserved else self._versions.pop((kind, namespace), None)
        while version is None:
            try:
                await self._take_in(kind, namespace, WATCHED[kind])
            except NotServedError as error:
                if kind not in self._cache.unserved:
                    logger.warning("%s; it is looked for until it is there", error)
                self._cache.unserved.add(kind)
            if kind in self._cache.unserved:
                async with self._looks[kind]:  # the watches of all namespaces take turns
                    if kind in self._cache.unserved:
                        await asyncio.sleep(MISSING_PAUSE)
            else:
                version = self._versions.pop((kind, namespace), "")
        return version

    async def has(self, kind: str, namespace: str | None, version: str) -> bool:
        """Whether the API server has come to a version; not if it was restored from a backup.

        Raises:
            ClusterError: it did not say.
        """
        return int(await self._cluster.version(kind, namespace) or 0) >= int(version)

    async def _pause_after_filling(self) -> float | None:
        """List everything; None if that succeeded, at least for one namespace, else seconds until a retry."""
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
            self._report(str(error))
            return MISSING_PAUSE if isinstance(error, NotServedError) else START_PAUSE
        cure = "; nothing of this namespace is served until the role is bound there"
        self._report(*(f"{error}{cure if self._namespaces else ''}" for error in refused))
        return None if len(refused) < len(namespaces) else START_PAUSE

    def _report(self, *problems: str) -> None:
        """Log why lists failed, once while the reason stays the same."""
        before, self.problem = self.problem, "; ".join(problems)
        if self.problem != before:
            for problem in problems:
                logger.warning("%s", problem)

    async def _fill(self, namespace: str | None) -> None:
        if self.problem:  # a few objects say whether the rest is worth a list
            for kind in NEEDED:
                await self._cluster.version(kind, namespace)
        for kind, labels in WATCHED.items():
            if kind in OF_OTHERS:
                await self._fill_with_others(kind, namespace)
            else:
                await self._take_in(kind, namespace, labels)

    async def _fill_with_others(self, kind: str, namespace: str | None) -> None:
        """List a kind of others, for a while; its watch lists it again until that succeeds."""
        clock = asyncio.get_running_loop().time
        end = clock() + OTHERS_SECONDS
        while True:
            try:
                await self._take_in(kind, namespace, WATCHED[kind])
            except ClusterError as error:
                if clock() >= end:
                    logger.warning(
                        "%s; %s, and it is listed again until that succeeds", error, MISSABLE[kind]
                    )
                    return
                await asyncio.sleep(START_PAUSE)
            else:
                return

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
            self._welcome(kind)
        except (NotServedError, ForbiddenError) as error:
            if kind not in MISSABLE or (kind == ROUTE and isinstance(error, ForbiddenError)):
                raise
            if kind not in self._cache.unserved:  # once: most clusters lack one of them for good
                logger.warning("%s; %s", error, MISSABLE[kind])
            if isinstance(error, NotServedError):
                self._cache.unserved.add(kind)
            if isinstance(error, ForbiddenError):
                return  # what is known may still be there: a freeze does not end for a lost right
        for key in unseen:
            gone = self._cache.get(key)
            if gone is not None and version_of(gone) == versions[key]:  # no news since the question
                self._intake.drop(gone)

    def _welcome(self, kind: str) -> None:
        """If a kind was not served until now, what could not be written may be written now."""
        if kind in self._cache.unserved:
            self._cache.unserved.discard(kind)
            logger.info("The API server serves %s now", kind)
            self._intake.look_at_all()

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
