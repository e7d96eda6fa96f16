"""Has releases examined by a process beside this one, which runs only while there is something to examine.

Between the controller of releases and `examination`. One request at a time; a process that takes too long, or
that ends, is replaced at the next request.
"""

import asyncio
import contextlib
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from typing import Final

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.core.release.examine import Examined
from agentrollouts.shell.content.examination import LENGTH, Request, examination, too_much

SECONDS: Final = 60.0
"""How long an examination can take. The largest bundle of ordinary content takes three seconds."""
IDLE_SECONDS: Final = 60.0
"""How long the process waits for another request; its start takes half a second of its own time."""

Examine = Callable[[Request], Awaitable[Examined]]
"""Examines a release. Raises `ClusterError` if that has to be tried again."""


async def examined_here(request: Request) -> Examined:
    """Examine a release in this process, for tests and small worlds."""
    return examination(request)


class Examiner:
    """The process beside this one."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._one = asyncio.Lock()
        self._rest: asyncio.TimerHandle | None = None

    async def examine(self, request: Request) -> Examined:
        """Have a release examined.

        Raises:
            UnavailableError: the process ended; try again.
        """
        async with self._one:
            self._wake()
            try:
                async with asyncio.timeout(SECONDS):
                    return await self._exchange(pickle.dumps(request))
            except TimeoutError:
                await self.close()
                return too_much(f"more than {SECONDS:g} s")
            except (OSError, asyncio.IncompleteReadError):
                await self.close()
                raise UnavailableError("Failed to examine a release: the process for it ended") from None
            except asyncio.CancelledError:  # what it was about to answer is not the next one's answer
                self._kill()
                raise
            finally:
                self._rest = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._kill)

    async def close(self) -> None:
        """End the process; the next request starts another one."""
        process = self._process
        self._kill()
        if process is not None:
            await process.wait()

    def _kill(self) -> None:
        self._wake()
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _wake(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    async def _exchange(self, message: bytes) -> Examined:
        process = self._process
        if process is None or process.returncode is not None:
            process = self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", examination.__module__, stdin=PIPE, stdout=PIPE
            )
        if process.stdin is None or process.stdout is None:
            raise BrokenPipeError
        process.stdin.write(len(message).to_bytes(LENGTH, "big") + message)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH), "big")
        reply: tuple[Examined, bool] = pickle.loads(await process.stdout.readexactly(length))  # noqa: S301 - ours
        examined, is_tired = reply
        if is_tired:
            await self.close()
        return examined
