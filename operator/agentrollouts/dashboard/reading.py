"""What the page of one rollout shows, read with the rights of the reader."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.request import Answer
from agentrollouts.dashboard.acting import ticket
from agentrollouts.dashboard.api import OURS, Api, ApiError, Manifest
from agentrollouts.dashboard.markup import Markup
from agentrollouts.dashboard.pages.course import course
from agentrollouts.dashboard.pages.listing import address
from agentrollouts.dashboard.pages.requested import Requested
from agentrollouts.dashboard.pages.rollout import Reader
from agentrollouts.dashboard.rights import AccessReviews
from agentrollouts.dashboard.watched import Name
from agentrollouts.insight.named import BUNDLE, named
from agentrollouts.insight.records import attempts
from agentrollouts.insight.render.page import to_html
from agentrollouts.insight.report import Case, report
from agentrollouts.insight.view.acting.command import addressed
from agentrollouts.insight.view.reading import Known
from agentrollouts.insight.view.shape import View
from agentrollouts.insight.view.view import view

SNAPSHOTS: Final = 64
"""Bundles that are remembered: a snapshot never changes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the page of a rollout shows."""

    view: View
    reader: Reader
    chart: Markup | None


class Reading:
    """Reads what a rollout refers to.

    Args:
        api: The API server.
        flags: Flags of kubectl that name it, for the commands that the page shows.
    """

    def __init__(self, api: Api, flags: Sequence[str] = ()) -> None:
        self._api, self._flags = api, flags
        self._reviews = AccessReviews(api)
        self._bundles: OrderedDict[tuple[str, str], str | None] = OrderedDict()

    async def of(self, name: Name, rollout: Manifest, reader: Reader) -> Seen:
        """The view, and the buttons that the reader may press."""
        seen = addressed(view(rollout, await self._known(rollout), datetime.now(UTC)), self._flags)
        types = {ActionType(each.type) for each in seen.actions if each.type in set(ActionType)}
        try:
            rights, unsure = await self._reviews.of(name, types), ""
        except ApiError as error:
            rights, unsure = {}, str(error)
        tickets = {each: sent for each in seen.actions if (sent := ticket(each, rollout, name))}
        return Seen(
            seen, replace(reader, tickets=tickets, rights=rights, unsure=unsure), _chart(rollout, seen)
        )

    async def report(self, name: Name, number: int) -> str | None:
        """The report of an attempt as a page; None if there is no record of it. Raises `ApiError`."""
        folder = f"{OURS}/namespaces/{name.namespace}"
        rollout, records, releases = await asyncio.gather(
            self._api.find(f"{folder}/agentrollouts/{name.name}"),
            self._api.get(f"{folder}/agentrolloutrecords", fieldSelector=f"spec.rollout={name.name}"),
            self._api.get(f"{folder}/agentreleases"),
        )
        known = attempts(tuple(records["items"]), (rollout,) if rollout else ())
        fitting = [each for each in known if each.number == number and each.entries]
        if not fitting:
            return None
        record = max(fitting, key=lambda each: each.entries[0].time)
        status = _status(rollout) if rollout and record.status_of else None
        is_newest = status is not None and status.attempt is not None and status.attempt.number == number
        return to_html(report(Case(record, status if is_newest else None, tuple(_read(releases["items"])))))

    async def _known(self, rollout: Manifest) -> dict[str, Known]:
        """What is known of the releases that a person compares."""
        namespace = rollout["metadata"]["namespace"]
        names = dict(named(rollout))
        found = await asyncio.gather(*(self._one(namespace, *each) for each in names.items()))
        return dict(zip(names, found, strict=True))

    async def _one(self, namespace: str, name: str, snapshot: str | None) -> Known:
        release = self._api.find(f"{OURS}/namespaces/{namespace}/agentreleases/{name}")
        if snapshot is None:
            return Known(await release, None)
        return Known(*await asyncio.gather(release, self._bundle(namespace, snapshot)))

    async def _bundle(self, namespace: str, snapshot: str) -> str | None:
        key = (namespace, snapshot)
        if key not in self._bundles:
            found = await self._api.find(f"/api/v1/namespaces/{namespace}/configmaps/{snapshot}")
            self._bundles[key] = ((found or {}).get("data") or {}).get(BUNDLE)
            if len(self._bundles) > SNAPSHOTS:
                self._bundles.popitem(last=False)
        return self._bundles[key]


def requested(action: Manifest) -> Requested:
    """An action, with its answer so far."""
    answer = Answer.of(action)
    return Requested(
        action["spec"]["type"],
        datetime.fromisoformat(action["metadata"]["creationTimestamp"]),
        answer.text if answer else "",
        (action.get("status") or {}).get("routedSeconds"),
    )


def _status(rollout: Manifest) -> AgentRolloutStatus | None:
    try:
        return AgentRolloutStatus.model_validate(rollout.get("status") or {})
    except ValidationError:
        return None


def _chart(rollout: Manifest, seen: View) -> Markup | None:
    try:
        read = AgentRollout.model_validate(rollout)
    except ValidationError:
        return None
    status, names = read.status, [gate.name for gate in read.spec.gates]
    number = status.attempt.number if status.attempt else 0
    return course(seen, status.course, names, f"{address(seen)}/attempts/{number}")


def _read(releases: list[Manifest]) -> Iterator[AgentRelease]:
    for each in releases:
        try:
            yield AgentRelease.model_validate(each)
        except ValidationError:
            continue
