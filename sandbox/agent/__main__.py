"""Starts one demo agent for one release: `python -m sandbox.agent --bundle-file F --release NAME ...`.

The process says where it listens in one line on standard output, serves until it is told to stop (SIGTERM
or SIGINT), and ends with code 2 and one sentence when the bundle cannot be read or served.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from sandbox.agent.bundle import BundleError, read_bundle
from sandbox.agent.metrics import Identity
from sandbox.agent.service import AgentService
from sandbox.agent.snapshot import fetch_bundle

_GRACE_SECONDS = 1.0
"""How long requests under way may take to finish after the order to stop; nearly every run takes less."""


def main(arguments: list[str] | None = None) -> int:
    """Run the agent until it is stopped; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.bundle_file is None and not (options.kubeconfig and options.snapshot):
        print("The agent needs --bundle-file, or --kubeconfig with --snapshot", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(options))
    except BundleError as error:
        print(f"Cannot serve {options.release}: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(options: argparse.Namespace) -> None:
    identity = Identity(options.namespace, options.agent, options.release)
    service = AgentService(
        read_bundle(await _bundle(options)), identity, children_at_zero=options.children_at_zero
    )
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


async def _bundle(options: argparse.Namespace) -> str:
    if options.bundle_file is None:
        return await fetch_bundle(options.kubeconfig, options.namespace, options.snapshot)
    try:
        return str(options.bundle_file.read_text())
    except OSError as error:
        raise BundleError(f"{options.bundle_file}: {error.strerror}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.agent", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--bundle-file", type=Path, help="bundle.json, instead of a snapshot")
    parser.add_argument("--kubeconfig", type=Path, help="how to reach the API server that has the snapshot")
    parser.add_argument("--snapshot", help="name of the snapshot ConfigMap")
    parser.add_argument("--listen", required=True, help="address:port; port 0 takes any free one")
    parser.add_argument("--release", required=True, help="name of the AgentRelease")
    parser.add_argument("--agent", required=True, help="name of the agent")
    parser.add_argument(
        "--namespace", required=True, help="namespace of the snapshot, and label of every series"
    )
    parser.add_argument(
        "--children-at-zero", action="store_true", help="create every series at 0 from the start"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
