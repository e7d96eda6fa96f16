"""Inputs: attempts one after another, and rollouts that come and go. Outputs: what the shell still holds."""

import asyncio
import gc
from collections import Counter
from collections.abc import Collection

from testkit.builders.names import NEW, OLD
from tests.shell.test_reconcile import IN_CANARY, ROLLOUT, Shell, a_shell
from tests.shell.virtual import pass_time, run

WARM = 6
"""Cycles after which nothing may grow."""
CYCLES = 18
OURS = ("agentrollouts.shell", "agentrollouts.turns")
BOUNDED = {"Cache._gone", "WorkQueue._heap"}
"""What remembers a deletion, up to ten thousand, and replaced due times, up to 64."""


async def cycle(shell: Shell, number: int) -> None:
    """A rollback and a new attempt; beside it, a rollout in a namespace of its own comes and is deleted."""
    manifest = IN_CANARY.build().to_json()
    metadata = {**manifest["metadata"], "namespace": f"short-lived-{number}"}
    shell.api.put({**manifest, "metadata": metadata})
    shell.ask_for(OLD)
    await pass_time(3600)
    assert shell.status()["attempt"]["state"] == "RolledBack"
    for ref in [ref for ref in shell.api.objects if ref.namespace == metadata["namespace"]]:
        shell.api.delete(ref)
    shell.ask_for(NEW)
    await pass_time(600)
    assert shell.status()["attempt"]["state"] in {"Canary", "Held"}
    for seen in (shell.api.effects, shell.api.reads, shell.api.events, shell.prometheus.asked):
        seen.clear()
    for ref in [ref for ref in shell.records.objects if ref.namespace == metadata["namespace"]]:
        del shell.records.objects[ref]


def held() -> Counter[str]:
    """How many entries the containers of the shell's objects have, by class and attribute; and all tasks."""
    gc.collect()
    counts = Counter(tasks=len(asyncio.all_tasks()))
    for one in gc.get_objects():
        if str(type(one).__module__).startswith(OURS) and hasattr(one, "__dict__"):
            counts[type(one).__qualname__] += 1
            for name, value in vars(one).items():
                if isinstance(value, Collection) and not isinstance(value, str | bytes):
                    counts[f"{type(one).__qualname__}.{name}"] += len(value)
    return counts


def test_attempts_and_rollouts_that_are_over_leave_nothing_behind() -> None:
    """Whatever is kept by object is dropped with it; a month of attempts takes the room of a day of them."""

    async def scenario() -> dict[str, tuple[int, int]]:
        async with a_shell(keeps_records=True) as shell:
            shell.release(OLD)
            shell.release(NEW)
            shell.make(IN_CANARY)
            await pass_time(1)
            for number in range(WARM):
                await cycle(shell, number)
            warm = held()
            for number in range(WARM, CYCLES):
                await cycle(shell, number)
            grown = held()
            assert "Reconciler._failures" in warm
            assert ROLLOUT in shell.api.objects
            return {
                what: (warm[what], count)
                for what, count in grown.items()
                if count > warm[what] and what not in BOUNDED
            }

    assert run(scenario()) == {}
