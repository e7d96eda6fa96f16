"""What the page of a rollout shows, from an API server that knows the rights of its reader."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from agentrollouts.dashboard.api import Api, Manifest, proxied
from agentrollouts.dashboard.app import Pages, application
from agentrollouts.dashboard.local import Local, Scope
from agentrollouts.dashboard.pages.rollout import Reader
from agentrollouts.dashboard.reading import Reading
from agentrollouts.dashboard.watched import Name
from testkit.builders.names import NEW
from testkit.records import UID, Told, chained
from tests.insight import incident
from tests.plugin.rollouts import in_canary, rolled_back


class Allowing(Api):
    """An API server with no other object, on which the reader may do everything."""

    def __init__(self) -> None:
        pass

    async def find(self, path: str, *_: Any) -> Manifest | None:  # noqa: ANN401 as its base
        """Nothing."""
        del path
        return None

    async def create(self, path: str, manifest: Manifest) -> Manifest:
        """The answer of a review."""
        return {**manifest, "path": path, "status": {"allowed": True}}


async def test_the_commands_of_the_page_name_its_cluster() -> None:
    """Copied into a terminal, a command reaches the cluster of the page; each has its button all the same."""
    rollout, _ = in_canary()
    reading = Reading(Allowing(), ("--context=prod",))

    seen = await reading.of(Name("support", "support-agent"), rollout, Reader())

    actions = seen.view.actions
    assert actions
    assert all(each.command.startswith("kubectl agentrollout --context=prod ") for each in actions)
    assert set(seen.reader.tickets) == set(actions)


class Storing(Allowing):
    """An API server with one rollout, and records of its name."""

    def __init__(self, rollout: Manifest, *records: Manifest) -> None:
        self._rollout, self._records = rollout, records

    async def find(self, path: str, *_: Any) -> Manifest | None:  # noqa: ANN401 as its base
        """The rollout."""
        return self._rollout if "/agentrollouts/" in path else None

    async def get(self, path: str, **_: str) -> Manifest:
        """The records."""
        return {"items": [*self._records] if path.endswith("/agentrolloutrecords") else []}


async def test_a_report_mixes_no_two_rollouts_of_one_name() -> None:
    """A rollout that was created again counts from 1 again: its status is about no earlier attempt."""
    rollout, _ = rolled_back()
    metadata, status = rollout["metadata"], rollout["status"]
    number, place = status["attempt"]["number"], Name(metadata["namespace"], metadata["name"])
    told = Told(number, NEW, (incident.entries(),), "RolledBack", incident.evidence(), "4.2.0")

    async def reported(uid: str) -> str | None:
        records = chained([told], rollout=place.name, uid=uid)
        return await Reading(Storing(rollout, *records.objects)).report(place, number)

    status["affectedWindow"] |= {"attempt": number, "runs": 4711}
    own, earlier = await reported(metadata["uid"]), await reported(UID)

    assert ["4,711 runs" in str(each) for each in (own, earlier)] == [True, False]


def unguarded(_: web.Application) -> None:
    """Everyone may read."""


async def test_what_was_never_read_is_not_said_to_be_absent(tmp_path: Path) -> None:
    """While the API server is away, nobody knows what there is; the browser tries again by itself."""
    async with proxied(tmp_path / "nobody-listens") as api:
        source = Local(api, Scope(None, "default"))
        watching = asyncio.create_task(source.watch())
        async with TestClient(TestServer(application(Pages(source), unguarded))) as client:
            one, every = await client.get("/support/support-agent"), await client.get("/")
            texts = await one.text(), await every.text()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    assert (one.status, one.headers.get("Refresh")) == (503, "5")
    assert (every.status, every.headers.get("Refresh")) == (200, None)
    assert all("no answer since" in each and "cannot be reached" in each for each in texts)
    assert "It is not known which rollouts there are" in texts[1]
    assert [each for each in ("There is no AgentRollout", "There is none") if each in "".join(texts)] == []
