"""The HTTP face of the agent: `POST /run`, `GET /metrics`, `GET /healthz`.

Every answer names the release that gave it, in the headers of the library and in the body, so that a client
can count for itself who served it. A failed run is a 500, as a customer would feel it; all other
outcomes are a 200.
"""

import asyncio
import json
import time
from http import HTTPStatus
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from agentrollouts_agent.identity import Identity
from sandbox.agent.bundle import Behavior
from sandbox.agent.metrics import AgentMetrics
from sandbox.agent.run import Outcome, Request, Run, run_agent
from sandbox.agent.tools import Order

OUTCOME_HEADER: Final = "x-agent-outcome"
COHORT_HEADER: Final = "agent-cohort"
"""Of a request, and repeated in the answer: what an agent would write into the label of its counters."""
_WARM_UP: Final = 200
"""Runs made before the first customer and not counted, so that a fresh process is as fast as an old one."""


class AgentService:
    """Serves the behavior of one release under its identity."""

    def __init__(self, behavior: Behavior, identity: Identity, *, children_at_zero: bool) -> None:
        self._behavior = behavior
        self._identity = identity
        self._metrics = AgentMetrics()
        if children_at_zero:
            self._metrics.create_children(behavior.tools)

    def application(self) -> web.Application:
        """Return the aiohttp application; the caller binds and runs it."""
        for number in range(_WARM_UP):
            run_agent(self._behavior, Request("warm-up", f"refund {number}", Order("A-0", 1.0, 1)))
        app = web.Application()
        app.on_response_prepare.append(self._name)
        app.add_routes(
            [
                web.post("/run", self._run),
                web.get("/metrics", self._expose),
                web.get("/healthz", self._healthz),
            ]
        )
        return app

    async def _name(self, http: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._identity.headers())
        response.headers[COHORT_HEADER] = http.headers.get(COHORT_HEADER, "")

    async def _run(self, http: web.Request) -> web.Response:
        try:
            request = parse_request(await http.read())
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
        began = time.perf_counter()
        self._metrics.start()
        run = run_agent(self._behavior, request)
        await asyncio.sleep(run.seconds)
        self._metrics.finish(run, time.perf_counter() - began, self._behavior.tools)
        return self._answer(run)

    def _answer(self, run: Run) -> web.Response:
        body = {
            "release": self._identity.release,
            "outcome": run.outcome,
            "text": run.text,
            "decision": run.decision,
            "costUsd": run.cost_usd,
        }
        status = HTTPStatus.INTERNAL_SERVER_ERROR if run.outcome is Outcome.FAILED else HTTPStatus.OK
        return web.json_response(body, status=status, headers={OUTCOME_HEADER: run.outcome})

    async def _expose(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"release": self._identity.release, "digest": self._identity.digest})


def parse_request(body: bytes) -> Request:
    """Read the body of `POST /run`.

    Raises:
        ValueError: The body is no JSON of the shape `{user, message, order: {number, totalUsd, ageDays}}`.
    """
    try:
        data = json.loads(body)
        order = data["order"]
        return Request(
            str(data["user"]),
            str(data["message"]),
            Order(str(order["number"]), float(order["totalUsd"]), int(order["ageDays"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("the body must be {user, message, order: {number, totalUsd, ageDays}}") from error
