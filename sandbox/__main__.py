"""The command line of the sandbox: `python -m sandbox build | run | node | shell | demo | clean`.

`run` is what everything else goes through: it makes sure that all parts are built, while there still is a
network, and then runs a command inside fresh namespaces.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from sandbox.demo import story as demo
from sandbox.errors import SandboxError
from sandbox.isolation import namespace
from sandbox.node import cgroups
from sandbox.operator import OperatorProcess
from sandbox.parts import cache, parts
from sandbox.stack import Stack

_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code."""
    parsed = _parser().parse_args(arguments)
    act: Callable[[argparse.Namespace], int] = parsed.act
    try:
        return act(parsed)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A local stack of real parts.")
    commands = parser.add_subparsers(required=True)
    build = commands.add_parser("build", help="download or build every part that is missing")
    build.set_defaults(act=_build)
    run = commands.add_parser("run", help="build, then run a command inside a sandbox's namespaces")
    run.add_argument("command", nargs="+", help="after `--`: the program and its arguments")
    run.set_defaults(act=_run)
    node = commands.add_parser("node", help="the same, for a command that starts a real node; needs root")
    node.add_argument("command", nargs="+", help="after `--`: the program and its arguments")
    node.set_defaults(act=_node)
    shell = commands.add_parser("shell", help="start the stack with the operator in it and open a shell")
    shell.set_defaults(act=_shell)
    story = commands.add_parser("demo", help="a bad release is detected and rolled back, then the fix ships")
    story.set_defaults(act=_demo)
    clean = commands.add_parser("clean", help="remove every built part and all of Go's caches that are ours")
    clean.set_defaults(act=_clean)
    return parser


def _build(_: argparse.Namespace) -> int:
    parts.build(with_test_tools=True)
    return 0


def _run(parsed: argparse.Namespace) -> int:
    parts.build(with_test_tools=True)
    return namespace.run(parsed.command, _without_proxies(os.environ))


def _node(parsed: argparse.Namespace) -> int:
    parts.build()
    parts.build_node()
    with cgroups.made() as name:
        return namespace.run(parsed.command, {**_without_proxies(os.environ), cgroups.VARIABLE: name})


def _shell(_: argparse.Namespace) -> int:
    if not namespace.inside():
        parts.build()
        return namespace.run([sys.executable, "-m", "sandbox", "shell"], _without_proxies(os.environ))
    with Stack() as stack:
        operator = OperatorProcess(stack)
        operator.start()
        print(
            f"Kubernetes API  {stack.api_url}  (kubectl and helm are ready)\n"
            f"Prometheus      {stack.prometheus_url}\n"
            f"Gateway         {stack.gateway_url}\n"
            f"Operator        {operator.url}  (installed by its chart; /metrics, /readyz)\n"
            f"Logs            {stack.logs}\n"
            "Leave the shell to end the sandbox.",
            flush=True,
        )
        shell = os.environ.get("SHELL", "/bin/sh")
        return subprocess.run([shell], env=stack.environment, check=False).returncode


def _demo(_: argparse.Namespace) -> int:
    if namespace.inside():
        return demo.run()
    parts.build()
    return namespace.run([sys.executable, "-m", "sandbox", "demo"], _without_proxies(os.environ))


def _clean(_: argparse.Namespace) -> int:
    cache.clean()
    return 0


def _without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """Inside there is no way out, and a proxy would swallow requests to the stack's own addresses."""
    return {name: value for name, value in environment.items() if name.lower() not in _PROXIES}


if __name__ == "__main__":
    sys.exit(main())
