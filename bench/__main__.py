"""Measures the figures that the README promises: `make bench`, or `python -m bench` inside a sandbox."""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Final

from bench import breach, going_back, rest
from bench.apiserver import ApiServer
from bench.crowd import Crowd
from bench.report import Result, as_json, as_markdown, load, machine
from sandbox.operator import OperatorProcess
from sandbox.stack import Stack

SIZE: Final = 100
FIGURES: Final = ("rest", "going-back", "breach")


def main() -> int:
    """Run the benches; the exit code is 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "figures",
        nargs="*",
        metavar="FIGURE",
        choices=[[], *FIGURES],
        help=f"of {', '.join(FIGURES)}; all by default",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    options = parser.parse_args()
    chosen = frozenset(options.figures or FIGURES)
    where, results = machine(), []
    if not options.json:
        print(f"# Figures\n\nMachine: {where} at the start")
    for result in _measure(chosen):
        results.append(result)
        if not options.json:
            print(f"\n{as_markdown(result)}\n\nMeasured at {load()}", flush=True)
    if options.json:
        print(json.dumps({"machine": where, "results": [as_json(result) for result in results]}))
    return int(not all(check.is_met for result in results for check in result.checks))


def _measure(figures: frozenset[str]) -> Iterator[Result]:
    """The figures of a crowd share a stack; the one with real agents has its own."""
    if figures & {"rest", "going-back"}:
        with Stack(with_gateway=False) as stack:
            yield from asyncio.run(_crowded(stack, figures))
    if "breach" in figures:
        with Stack() as stack:
            _say("bad releases, one after the other, about a minute and a half")
            yield breach.measure(stack, OperatorProcess(stack))


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr)


async def _crowded(stack: Stack, figures: frozenset[str]) -> list[Result]:
    operator = OperatorProcess(stack)
    await asyncio.to_thread(operator.start)
    results = []
    async with ApiServer.of(stack) as server:
        crowd = Crowd(server, SIZE)
        await crowd.settle()
        _say(f"{SIZE} rollouts are at rest, for a minute")
        if "rest" in figures and operator.process.pid is not None:
            results.append(await rest.measure(server, operator.process.pid, SIZE))
        if "going-back" in figures:
            _say("going back and forth, about a minute")
            results.append(await going_back.measure(stack, server, crowd))
    return results


if __name__ == "__main__":
    sys.exit(main())
