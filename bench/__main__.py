"""Measures the figures that the README promises: `make bench`, or `python -m bench` inside a sandbox."""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from bench.figures import (
    active,
    breach,
    breaches,
    dashboard,
    following,
    going_back,
    going_back_alerting,
    going_back_hooked,
    group,
    idle,
    plugin,
    records,
    rest,
    surrounded,
    switch_off,
)
from bench.rig import meters
from bench.rig.crowd import Crowd
from bench.rig.report import Result, as_json, as_markdown, load, machine
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer
from sandbox.stack import Stack

SIZE: Final = 1_000

Install = Callable[[Stack], OperatorProcess]
Figure = Callable[[Stack, ApiServer, Crowd, OperatorProcess], Awaitable[Result]]
"""Installs the operator that is measured, without starting it."""
"""Measures rollouts without a burden and then others with it."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "figures",
        nargs="*",
        metavar="FIGURE",
        choices=[[], *FIGURES],
        help=f"of {', '.join(FIGURES)}; all by default",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    parser.add_argument(
        "--without-lease",
        action="store_true",
        help="measure an operator that is the only one and has no Lease",
    )
    sizes = group.Sizes()
    parser.add_argument(
        "--rollouts",
        type=int,
        default=sizes.rollouts,
        help="of the figures group, surrounded, switch-off, going-back, and it with hooks or alerts",
    )
    parser.add_argument(
        "--members", type=int, default=sizes.members, help="of each group in the figure group"
    )
    parser.add_argument("--runs", type=int, default=sizes.runs, help="of the figure group")
    return parser.parse_args()


def main() -> int:
    """Run the benches; the exit code is 1 if a target was missed."""
    options = _options()
    figures: dict[str, Callable[[Install], Result]] = {
        **FIGURES,
        "going-back": partial(_going_back, size=options.rollouts),
        "going-back-hooked": partial(_hooked, size=options.rollouts),
        "going-back-alerting": partial(
            _going_back, size=options.rollouts, figure=going_back_alerting.measure
        ),
        "group": _group(group.Sizes(options.rollouts, options.members, options.runs)),
        "surrounded": partial(_surrounded, size=options.rollouts),
        "switch-off": partial(_switch_off, size=options.rollouts),
    }
    install = partial(_installed, has_lease=not options.without_lease)
    where, results = machine() + ", without a Lease" * options.without_lease, []
    if not options.json:
        print(f"# Figures\n\nMachine: {where} at the start")
    for name in options.figures or FIGURES:
        print(f"bench: {name}", file=sys.stderr)
        results.append(figures[name](install))
        if not options.json:
            print(f"\n{as_markdown(results[-1])}\n\nMeasured at {load()}", flush=True)
    if options.json:
        print(json.dumps({"machine": where, "results": [as_json(result) for result in results]}))
    return int(not all(check.is_met for result in results for check in result.checks))


def _installed(stack: Stack, *, has_lease: bool) -> OperatorProcess:
    operator = OperatorProcess(stack)
    operator.install()
    if not has_lease:
        operator.change_settings(lease=None)
    return operator


def _on_a_stack(
    install: Install, measure: Callable[[Stack, ApiServer, OperatorProcess], Awaitable[Result]]
) -> Result:
    """Measure an operator on a stack of its own, where no agent runs and nothing is routed."""

    async def connected(stack: Stack, operator: OperatorProcess) -> Result:
        async with ApiServer.of(stack) as server:
            return await measure(stack, server, operator)

    with Stack(with_gateway=False, quiet=True) as stack:
        operator = install(stack)
        operator.start()
        return asyncio.run(connected(stack, operator))


def _rest(install: Install) -> Result:
    async def measure(_: Stack, server: ApiServer, operator: OperatorProcess) -> Result:
        await Crowd(server, SIZE).settle(seconds=600)
        return await rest.measure(server, meters.pid_of(operator.process), SIZE)

    return _on_a_stack(install, measure)


def _going_back(
    install: Install, *, size: int = SIZE, figure: Figure = going_back.measure, prometheus_hangs: bool = False
) -> Result:
    async def measure(stack: Stack, server: ApiServer, operator: OperatorProcess) -> Result:
        crowd = Crowd(server, size)
        await crowd.settle(seconds=600)
        if prometheus_hangs:
            stack.processes["prometheus"].pause()
        return await figure(stack, server, crowd, operator)

    return _on_a_stack(install, measure)


def _breaches(install: Install) -> Result:
    return _on_a_stack(install, lambda stack, server, _: breaches.measure(stack, server))


def _unrecorded(install: Install) -> Install:
    """An operator that may not write records, as in a cluster whose administrator forbids it."""

    def installed(stack: Stack) -> OperatorProcess:
        operator = install(stack)
        role = stack.kubectl.get(f"clusterrole/{operator.name}")
        rules = [rule for rule in role["rules"] if "agentrolloutrecords" not in rule.get("resources", ())]
        stack.apply([role | {"rules": rules}])
        return operator

    return installed


def _active(burden: active.Load) -> Callable[[Install], Result]:
    async def measure(stack: Stack, server: ApiServer, operator: OperatorProcess) -> Result:
        return await active.measure(stack, server, meters.pid_of(operator.process), burden)

    return lambda install: _on_a_stack(install, measure)


def _group(sizes: group.Sizes) -> Callable[[Install], Result]:
    async def measure(_: Stack, server: ApiServer, __: OperatorProcess) -> Result:
        return await group.measure(server, sizes)

    return lambda install: _on_a_stack(install, measure)


def _switch_off(install: Install, size: int = SIZE) -> Result:
    async def measure(stack: Stack, server: ApiServer, _: OperatorProcess) -> Result:
        return await switch_off.measure(server, stack.processes["prometheus"], size)

    return _on_a_stack(_unlimited(install, size), measure)


def _dashboard(install: Install, *, in_cluster: bool = False) -> Result:
    async def measure(stack: Stack, server: ApiServer, _: OperatorProcess) -> Result:
        return await dashboard.measure(stack, server, dashboard.SIZE, in_cluster=in_cluster)

    return _on_a_stack(install, measure)


def _hooked(install: Install, *, size: int = SIZE) -> Result:
    async def measure(stack: Stack, server: ApiServer, operator: OperatorProcess) -> Result:
        plain, hooked = (Crowd(server, size // 2, prefix=prefix) for prefix in ("agent", "hooked"))
        for crowd in (plain, hooked):
            await crowd.settle(seconds=600)
        return await going_back_hooked.measure(stack, server, plain, hooked, operator)

    return _on_a_stack(install, measure)


def _surrounded(install: Install, size: int = SIZE) -> Result:
    return _on_a_stack(
        _unlimited(install, size), lambda stack, server, _: surrounded.measure(stack, server, size)
    )


def _unlimited(install: Install, size: int) -> Install:
    """One namespace has room for more than these rollouts."""

    def unlimited(stack: Stack) -> OperatorProcess:
        operator = install(stack)
        most = {"rolloutsPerNamespace": 2 * size, "releasesPerNamespace": 4 * size}
        operator.change_settings(limits={**most, "releaseBytesPerNamespace": 2**40})
        return operator

    return unlimited


def _breach(install: Install) -> Result:
    with Stack(quiet=True) as stack:
        return breach.measure(stack, install(stack))


def _records(install: Install) -> Result:
    with Stack(with_gateway=False, quiet=True) as stack:
        install(stack)
        return asyncio.run(records.measure(stack))


FIGURES: Final[Mapping[str, Callable[[Install], Result]]] = {
    "rest": _rest,
    "idle": lambda install: _on_a_stack(install, idle.measure),
    "going-back": _going_back,
    "going-back-hanging": partial(_going_back, prometheus_hangs=True),
    "going-back-unrecorded": lambda install: _going_back(_unrecorded(install)),
    "going-back-hooked": _hooked,
    "going-back-alerting": partial(_going_back, figure=going_back_alerting.measure),
    "active": _active(active.USUAL),
    "active-many": _active(active.MANY),
    "breaches": _breaches,
    "breaches-unrecorded": lambda install: _breaches(_unrecorded(install)),
    "breach": _breach,
    "records": _records,
    "group": _group(group.Sizes()),
    "switch-off": _switch_off,
    "surrounded": _surrounded,
    "following": lambda _: following.measure(),
    "dashboard": _dashboard,
    "dashboard-in-cluster": partial(_dashboard, in_cluster=True),
    "plugin": lambda install: _on_a_stack(install, lambda stack, server, _: plugin.measure(stack, server)),
}

if __name__ == "__main__":
    sys.exit(main())
