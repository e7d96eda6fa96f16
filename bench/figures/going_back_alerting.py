"""Figure: the same as `going_back` beside an Alertmanager that takes connections and never answers.

It is in the settings for half of the runs, and is connected to before each of them. What was rolled back in
earlier runs is watched for a while, so later runs are slower; the order makes that even.
"""

import asyncio
from contextlib import suppress
from typing import Final

from bench.figures.going_back import Run, beside, prepared, result
from bench.rig.crowd import Crowd
from bench.rig.report import Check, Result
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer
from sandbox.stack import Stack

ORDER: Final = (False, True, True, False, False, True)
"""Whether a run has alerts."""
PATIENCE_SECONDS: Final = 120


class _Silent:
    """A server that keeps each connection and sends nothing."""

    def __init__(self) -> None:
        self.taken = 0
        self._open = 0
        self._changed = asyncio.Condition()

    async def keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read until the other side gives up."""
        self.taken += 1
        await self._count(+1)
        with suppress(asyncio.CancelledError):  # the bench is over; asyncio would log it as a mistake
            while await reader.read(1 << 16):
                pass
            await self._count(-1)
        writer.close()

    async def until(self, *, connected: bool) -> None:
        """Wait until there are connections, or none."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: (self._open > 0) is connected)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self._open += change
            self._changed.notify_all()


async def measure(stack: Stack, server: ApiServer, crowd: Crowd, operator: OperatorProcess) -> Result:
    """Runs in the order of `ORDER`; needs the operator to run, and the crowd to be settled."""
    silent, runs = _Silent(), dict[bool, list[Run]]({False: [], True: []})
    async with (
        await asyncio.start_server(silent.keep, "127.0.0.1", 0) as hanging,
        prepared(stack, server, crowd, operator, len(ORDER)) as trial,
    ):
        url = f"http://127.0.0.1:{hanging.sockets[0].getsockname()[1]}"
        tries = 0
        for number, alerts in enumerate(ORDER):
            operator.change_settings(alertmanagers=[{"name": "hanging", "url": url}] if alerts else [])
            await silent.until(connected=alerts)
            before = silent.taken
            runs[alerts].append(await trial.run(number))
            tries += silent.taken - before
    size = len(crowd.names)
    usual, burdened = (result(f"{size} rollouts", runs[alerts]) for alerts in (False, True))
    title = f"Asking to go back beside an Alertmanager that hangs, {size} rollouts"
    found = beside(title, usual, burdened, "alerts")
    tried = Check("posts that got no answer meanwhile ≥ 1", f"{tries}", tries > 0)
    return Result(found.title, found.series, (*found.checks, tried), found.notes)
