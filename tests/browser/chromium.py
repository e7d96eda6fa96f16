"""A page in a real browser: Chromium without a window, driven by its DevTools protocol."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

BROWSER: Final = shutil.which("chromium") or shutil.which("chromium-browser")
AXE: Final = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
MISSING: Final = (
    "needs Chromium (apt-get install chromium)"
    if BROWSER is None
    else "needs axe-core (npm ci --prefix tests/browser)"
    if not AXE.exists()
    else ""
)
"""What this machine lacks; empty if nothing."""
IS_SKIPPED: Final = bool(MISSING) and os.environ.get("CI") != "true"
"""Where everything must run, what is missing is a failure."""
_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # tests run as root in containers, and only our own pages are opened
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []
        """What the browser reported, such as errors and refused loads."""

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == self._number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    async def open(self, address: str) -> None:
        """Load an address, and wait until it is loaded, wherever it leads."""
        for domain in ("Page", "Log", "Runtime", "Network"):
            await self.call(f"{domain}.enable")
        before = await self.value("performance.timeOrigin")
        await self.call("Page.navigate", url=address)
        await self.loaded(before)

    async def loaded(self, before: float) -> None:
        """Wait for the page after the one of this `performance.timeOrigin`."""
        while await self.value("performance.timeOrigin") == before:
            await self.value("new Promise(done => requestAnimationFrame(done))")
        await self.value("new Promise(done => document.readyState === 'complete' ? done() : onload = done)")

    async def value(self, expression: str) -> Any:  # noqa: ANN401 any JSON
        """What an expression of JavaScript gives; a promise is waited for."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def violations(self) -> list[str]:
        """What axe finds, one line for each element."""
        await self.value(AXE.read_text())
        found = await self.value("axe.run().then(result => result.violations)")
        return [
            f"{each['id']}: {node['html']}: {node['failureSummary']}"
            for each in found
            for node in each["nodes"]
        ]


@asynccontextmanager
async def page(profile: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own, which ends with it."""
    assert BROWSER is not None
    process = await asyncio.create_subprocess_exec(
        BROWSER,
        *_FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(profile)},
    )
    try:
        assert process.stderr is not None
        address = await _address(process.stderr)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{address}/json/list") as response:
                [tab] = [each for each in await response.json() if each["type"] == "page"]
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.kill()
        await process.wait()


async def _address(lines: asyncio.StreamReader) -> str:
    """Host and port that the browser prints when it listens."""
    async for line in lines:
        text = line.decode(errors="replace")
        if "DevTools listening on ws://" in text:
            return text.partition("ws://")[2].partition("/")[0]
    raise RuntimeError("the browser ended before it listened")
