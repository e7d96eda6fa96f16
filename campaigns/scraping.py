"""Agents that are only their counters, as a target of the real Prometheus."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web

from sandbox.stack import Stack


@asynccontextmanager
async def scraped(stack: Stack, exposition: Callable[[], Iterable[str]]) -> AsyncIterator[None]:
    """Let Prometheus scrape the lines of that moment every second, in its text format."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text="".join(f"{line}\n" for line in exposition()))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stack.add_target("agents", f"127.0.0.1:{runner.addresses[0][1]}", {"job": "agents"})
        yield
    finally:
        await runner.cleanup()
