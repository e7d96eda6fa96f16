"""The page in a browser, as a person opens it: its program runs as they start it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp.test_utils import unused_port

from sandbox.people.page import in_cluster as page_in_cluster
from sandbox.stack import Stack
from tests.browser.chromium import Page, page

PATIENCE: Final = 120.0
"""Seconds until something must be on the page."""


@asynccontextmanager
async def dashboard(stack: Stack, user: str, *flags: str) -> AsyncIterator[str]:
    """The link to the page, served with the rights of a user."""
    command = [sys.executable, "-m", "agentrollouts.dashboard", "--no-open", f"--as={user}", *flags]
    async with started(command, stack.environment) as (line, _):
        yield line.split()[-1]


@asynccontextmanager
async def in_cluster(stack: Stack) -> AsyncIterator[tuple[str, int]]:
    """The address of the page as a pod serves it, without any credential, and the id of its process."""
    port = unused_port()
    async with started(page_in_cluster(stack, port), {}) as (_, process):
        yield f"http://127.0.0.1:{port}", process


@asynccontextmanager
async def started(command: Sequence[str], environment: Mapping[str, str]) -> AsyncIterator[tuple[str, int]]:
    """The line that the page prints once it serves, and the id of its process."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        assert line.startswith("The page is at "), line
        yield line, process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def opened(stack: Stack, user: str, namespace: str, path: str, profile: Path) -> AsyncIterator[Page]:
    """A tab that shows a path of the page."""
    async with dashboard(stack, user, f"--namespace={namespace}") as link, page(profile) as tab:
        await tab.open(link)
        await tab.open(await tab.value(f"new URL({json.dumps(path)}, location).href"))
        yield tab


async def until(tab: Page, expression: str, seconds: float = PATIENCE) -> Any:  # noqa: ANN401 any JSON
    """Wait until an expression is true on the page; it is evaluated at each frame.

    Raises:
        AssertionError: it was not in time.
    """
    awaited = f"""
        new Promise((done, failed) => {{
          const look = () => {{
            const found = {expression};
            if (found) done(found); else requestAnimationFrame(look);
          }};
          setTimeout(() => failed(`not within {seconds} s: ${{document.body.innerText}}`), {1000 * seconds});
          look();
        }})"""
    return await tab.value(awaited)


async def text(tab: Page, name: str) -> str:
    """What a part of the page says."""
    return str(await tab.value(f"document.getElementById({json.dumps(name)}).innerText"))


async def press(tab: Page, label: str) -> None:
    """Press a button as a finger does, and wait for the page that follows.

    Raises:
        AssertionError: there is no such button.
    """
    before = await tab.value("performance.timeOrigin")
    assert label in await buttons(tab)
    found = f"[...document.querySelectorAll('button')].find(each => each.innerText === {json.dumps(label)})"
    await tab.value(f"{found}.click()")
    await tab.loaded(before)


async def buttons(tab: Page) -> list[str]:
    """What can be pressed."""
    labels: list[str] = await tab.value(
        "[...document.querySelectorAll('button')].map(each => each.innerText)"
    )
    return labels


async def typed(tab: Page, reason: str) -> None:
    """Type into the field for the reason."""
    await tab.value("document.getElementById('reason').focus()")
    await tab.call("Input.insertText", text=reason)


async def screen(tab: Page, theme: str, width: int) -> None:
    """Use another screen."""
    await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    await tab.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )


async def signed_in(tab: Page, address: str, token: str) -> None:
    """Open an address and paste a token into the only field of the page."""
    await tab.open(address)
    await tab.value("document.getElementById('token').focus()")
    await tab.call("Input.insertText", text=token)
    await press(tab, "Sign in")
