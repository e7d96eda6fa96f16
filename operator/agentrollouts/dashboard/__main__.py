"""`python -m agentrollouts.dashboard`: serves the page; `kubectl agentrollout dashboard` starts it."""

import argparse
import asyncio
import shutil
import signal
import socket
import sys
import webbrowser
from collections.abc import Coroutine, Sequence

from aiohttp import web

from agentrollouts.dashboard.api import proxied
from agentrollouts.dashboard.app import Pages, application
from agentrollouts.dashboard.guard import Guard
from agentrollouts.dashboard.local import Local, Scope
from agentrollouts.dashboard.proxy import ProxyError, proxy

REFUSED = 1
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until Ctrl-C."""
    options, flags = _parser().parse_known_args(arguments)
    try:
        asyncio.run(_until_ended(_serve(options, flags)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except (ProxyError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubectl agentrollout dashboard",
        description="Show all rollouts as a page on this machine, with your own rights. "
        "Global flags of kubectl, such as --context, are passed to it.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port (default: a free one)")
    parser.add_argument("--no-open", action="store_true", help="print the link and open no browser")
    parser.add_argument("--namespace", metavar="NAME", help="show only this namespace (default: all)")
    parser.add_argument(
        "--current-namespace",
        default="default",
        metavar="NAME",
        help="namespace to show to a reader who may not see all (default: default)",
    )
    parser.add_argument("--kubectl", default=shutil.which("kubectl") or "kubectl", help=argparse.SUPPRESS)
    return parser


async def _until_ended(serving: Coroutine[None, None, None]) -> None:
    """End as Ctrl-C does when the terminal is closed, so that kubectl ends too."""
    task = asyncio.ensure_future(serving)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


async def _serve(options: argparse.Namespace, flags: Sequence[str]) -> None:
    scope = Scope(options.namespace, options.current_namespace)
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        guard = Guard(listener.getsockname()[1])
        async with proxy(options.kubectl, flags) as path, proxied(path) as api:
            source = Local(api, scope, flags)
            app = application(Pages(source), guard.install)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            try:
                await web.SockSite(runner, listener).start()
                _announce(guard.link, is_opened=not options.no_open)
                await source.watch()
            finally:
                await runner.cleanup()


def _announce(link: str, *, is_opened: bool) -> None:
    sys.stdout.write(f"The page is at {link}\nThe link works on this machine only. Ctrl-C ends the page.\n")
    sys.stdout.flush()
    if is_opened:
        webbrowser.open(link)


if __name__ == "__main__":
    sys.exit(main())
