"""An event loop that does nothing else, in a process of its own: how late does this machine make one?

Measured as the operator measures its own. Where this one is late, the machine was busy, and the operator's
figure says nothing.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_STEP_SECONDS: Final = 0.05


class BareLoop:
    """The process; `worst` is known once the context is over."""

    worst = 0.0
    """Seconds."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Measure for as long as the context lasts."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "campaigns.prometheus.bare_loop", stdin=pipe, stdout=pipe
        )
        try:
            yield
        finally:
            output, _ = await process.communicate(b"")  # without input its stdin would stay open
            self.worst = float(output)


async def _worst_until_stdin_ends() -> float:
    loop, worst = asyncio.get_running_loop(), 0.0
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        due = loop.time() + _STEP_SECONDS
        await asyncio.sleep(_STEP_SECONDS)
        worst = max(worst, loop.time() - due)
    return worst


if __name__ == "__main__":
    print(asyncio.run(_worst_until_stdin_ends()))
