"""Starts one demo agent for one release: `python -m sandbox.agent --bundle FOLDER --release NAME ...`.

The process says where it listens in one line on standard output, serves until it is told to stop (SIGTERM
or SIGINT), and ends with one sentence when the bundle cannot be verified or served.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from agentrollouts_agent import Bundle, load, verify
from sandbox.agent.bundle import BundleError, read_behavior
from sandbox.agent.service import AgentService
from sandbox.agent.snapshot import fetch_files

_GRACE_SECONDS = 1.0
"""How long requests under way may take to finish after the order to stop; nearly every run takes less."""


def main(arguments: list[str] | None = None) -> int:
    """Run the agent until it is stopped; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.bundle is None and not (options.kubeconfig and options.namespace and options.snapshot):
        print("The agent needs --bundle, or --kubeconfig, --namespace and --snapshot", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(options))
    except BundleError as error:
        print(f"Cannot serve {options.release}: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(options: argparse.Namespace) -> None:
    bundle = await _bundle(options)
    service = AgentService(read_behavior(bundle), bundle.identity, children_at_zero=options.children_at_zero)
    host, _, port = options.listen.rpartition(":")
    runner = web.AppRunner(service.application(), access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, host, int(port)).start()
    print(f"Serving {options.release} on http://{host}:{runner.addresses[0][1]}", flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await runner.cleanup()


async def _bundle(options: argparse.Namespace) -> Bundle:
    if options.bundle is not None:
        return load(options.bundle, release=options.release)
    files = await fetch_files(options.kubeconfig, options.namespace, options.snapshot)
    return verify(files, f"ConfigMap {options.namespace}/{options.snapshot}", release=options.release)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.agent", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--bundle", type=Path, help="folder with both files, instead of a snapshot")
    parser.add_argument("--kubeconfig", type=Path, help="how to reach the API server that has the snapshot")
    parser.add_argument("--snapshot", help="name of the snapshot ConfigMap")
    parser.add_argument("--listen", required=True, help="address:port; port 0 takes any free one")
    parser.add_argument("--release", required=True, help="name of the AgentRelease")
    parser.add_argument("--namespace", help="namespace of the snapshot")
    parser.add_argument(
        "--children-at-zero", action="store_true", help="create every series at 0 from the start"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
