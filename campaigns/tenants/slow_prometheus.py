"""A server between the operator and Prometheus that takes its time for the queries of some namespaces."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import ClientError, ClientSession, web
from yarl import URL

from sandbox.stack import Stack

TIMEOUT_SECONDS: Final = 2.0
"""Of the source, so that slow queries of the default do not make the campaign long."""
SLOW_SECONDS: Final = 3 * TIMEOUT_SECONDS


@asynccontextmanager
async def slow_for(stack: Stack, prefix: str) -> AsyncIterator[dict[str, Any]]:
    """The settings of a source whose queries take too long if their namespace begins like this."""
    mark = f'namespace="{prefix}'

    async with ClientSession(stack.prometheus_url) as session:

        async def passed_on(request: web.Request) -> web.Response:
            form = await request.read()
            if mark in URL.build(query_string=form.decode(), encoded=True).query.get("query", ""):
                await asyncio.sleep(SLOW_SECONDS)
            try:
                async with session.request(
                    request.method, request.path_qs, data=form, headers={"Content-Type": request.content_type}
                ) as response:
                    return web.Response(
                        body=await response.read(), status=response.status, content_type=response.content_type
                    )
            except ClientError:  # Prometheus itself is away
                return web.Response(status=502)

        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", passed_on)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            yield {
                "name": "default",
                "url": f"http://127.0.0.1:{port}",
                "timeoutSeconds": TIMEOUT_SECONDS,
            }
        finally:
            await runner.cleanup()
