"""Puts the metrics of a crowd, as `exporter` makes them up, into the stack's Prometheus."""

import functools
import sys
from pathlib import Path
from typing import Final

from bench.rig.crowd import NAMESPACE, NEXT, STABLE, Crowd
from sandbox.programs import web
from sandbox.stack import Stack

_ADDRESS: Final = "127.0.0.1:9099"
_CANARY_SHARE: Final = 0.05


def export(stack: Stack, crowd: Crowd, scrape_seconds: float) -> Path:
    """Begin to serve everybody's metrics, and to scrape them.

    Returns:
        A file, not there yet: the agents that it names have a canary that breaches.
    """
    breached = stack.logs / "breached"
    command = [
        sys.executable,
        "-m",
        "bench.rig.exporter",
        f"--listen={_ADDRESS}",
        f"--namespace={NAMESPACE}",
        f"--agents={','.join(crowd.names)}",
        f"--releases={STABLE}={1 - _CANARY_SHARE},{NEXT}={_CANARY_SHARE}",
        f"--breached={breached}",
    ]
    healthy = functools.partial(web.answers, f"http://{_ADDRESS}/metrics")
    stack.add_process("exporter", command, healthy=healthy).start()
    every = {"__scrape_interval__": f"{scrape_seconds}s", "__scrape_timeout__": f"{scrape_seconds}s"}
    stack.add_target("exporter", _ADDRESS, {"job": "agents", **every})
    return breached
