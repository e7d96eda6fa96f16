"""`python -m agentrollouts.dashboard.incluster`: serves the page in a pod; the chart starts it."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from agentrollouts.dashboard.app import Pages, application
from agentrollouts.dashboard.incluster.guard import Guard
from agentrollouts.dashboard.incluster.source import in_cluster

REFUSED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until the pod ends."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m agentrollouts.dashboard.incluster",
        description="Serve the page of all rollouts, to each reader with the token of their own requests.",
        allow_abbrev=False,
    )
    parser.add_argument("--server", required=True, metavar="URL", help="address of the API server")
    parser.add_argument(
        "--ca-file", required=True, type=Path, metavar="FILE", help="who signed its certificate"
    )
    parser.add_argument(
        "--host",
        required=True,
        action="append",
        metavar="HOST[:PORT]",
        help="a name by which browsers request the page; can be repeated",
    )
    parser.add_argument("--address", help="address to listen at (default: all)")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="port (default: 8080)")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with in_cluster(options.server, options.ca_file) as source:
        app = application(Pages(source), Guard(options.host).install)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, options.address, options.port).start()
            sys.stdout.write(f"The page is at port {options.port} for {', '.join(options.host)}\n")
            sys.stdout.flush()
            await ended.wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
