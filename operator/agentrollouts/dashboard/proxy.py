"""`kubectl proxy` on a Unix socket that only this user can open; it ends with the page."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, Final

from agentrollouts.dashboard.api import ACCEPTED

START_SECONDS: Final = 20.0
"""How long kubectl may take until it listens: an exec plugin may open a browser to sign in."""
_LOOK_SECONDS: Final = 0.05


class ProxyError(Exception):
    """kubectl cannot be started; the text is its sentence."""


@asynccontextmanager
async def proxy(kubectl: str, flags: Sequence[str]) -> AsyncIterator[Path]:
    """The socket of a proxy that lets through what the page needs.

    Args:
        kubectl: The program.
        flags: Global flags of kubectl, such as `--context=...`.

    Raises:
        ProxyError: it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="agentrollouts-") as folder:  # mode 0700
        socket = Path(folder) / "socket"
        command = (
            kubectl,
            "proxy",
            f"--unix-socket={socket}",
            f"--accept-paths={','.join(ACCEPTED)}",
            "--reject-methods=^(PUT|PATCH|DELETE)$",
            *flags,
        )
        said = Path(folder) / "said"
        with said.open("wb") as file:
            process = await _started(command, file)
        try:
            await _listening(process, socket, said)
            yield socket
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _started(command: Sequence[str], errors: BinaryIO) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=errors
        )
    except OSError as error:
        raise ProxyError(f"{command[0]} cannot be started: {error.strerror}") from error


async def _listening(process: asyncio.subprocess.Process, socket: Path, said: Path) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await asyncio.to_thread(socket.exists):
                if process.returncode is not None:
                    sentence = await asyncio.to_thread(said.read_text, errors="replace")
                    raise ProxyError(sentence.strip() or f"kubectl proxy ended: {process.returncode}")
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise ProxyError(f"kubectl proxy did not listen within {START_SECONDS:.0f} s") from None
