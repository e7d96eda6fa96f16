"""Figure: the same as `going_back` beside an Alertmanager that takes connections and never answers.

The first rollouts are rolled back without an Alertmanager, and the others after it is in the settings. It
must be connected to by then: what happened to the first ones are alerts.
"""

import asyncio
from contextlib import suppress
from typing import Final

from bench.figures import going_back
from bench.rig.crowd import Crowd
from bench.rig.report import Check, Result
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer
from sandbox.stack import Stack

PATIENCE_SECONDS: Final = 120


class _Silent:
    """A server that keeps each connection and sends nothing."""

    def __init__(self) -> None:
        self.taken = 0
        self.is_taken = asyncio.Event()

    async def keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read until the other side gives up."""
        self.taken += 1
        self.is_taken.set()
        with suppress(asyncio.CancelledError):  # the bench is over; asyncio would log it as a mistake
            while await reader.read(1 << 16):
                pass
        writer.close()


async def measure(
    stack: Stack, server: ApiServer, plain: Crowd, alerted: Crowd, operator: OperatorProcess
) -> Result:
    """First the plain rollouts, then the others; needs the operator to run, and both to be settled."""
    usual = await going_back.measure(stack, server, plain, operator.process)
    silent = _Silent()
    async with await asyncio.start_server(silent.keep, "127.0.0.1", 0) as hanging:
        url = f"http://127.0.0.1:{hanging.sockets[0].getsockname()[1]}"
        operator.change_settings(alertmanagers=[{"name": "hanging", "url": url}])
        async with asyncio.timeout(PATIENCE_SECONDS):
            await silent.is_taken.wait()
        before = silent.taken
        burdened = await going_back.measure(stack, server, alerted, operator.process)
        tries = silent.taken - before
        operator.change_settings(alertmanagers=[])
    title = (
        f"Asking to go back beside an Alertmanager that hangs, {len(plain.names)} rollouts with and without"
    )
    result = going_back.beside(title, usual, burdened, "alerts")
    tried = Check("posts that got no answer meanwhile ≥ 1", f"{tries}", tries > 0)
    return Result(result.title, result.series, (*result.checks, tried), result.notes)
