"""How the page of the chart is started outside of a pod."""

import sys

from sandbox.stack import Stack


def in_cluster(stack: Stack, port: int) -> list[str]:
    """The command that serves it at a port of the loopback address, without any credential."""
    return [
        *(sys.executable, "-m", "agentrollouts.dashboard.incluster", "--address=127.0.0.1"),
        *(f"--server={stack.api_url}", f"--ca-file={stack.ca_file}"),
        *(f"--port={port}", f"--host=127.0.0.1:{port}"),
    ]
