"""Figure: how large records are, how long an entry takes, and what a thousand rollouts with ten each need.

The entries are those of decisions about a plan with four gates, three phases and a ramp of ten steps. They
are written by the operator's own code under its account, so that the rules of the CRD and the policy count.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import requests

from agentrollouts.adapters.cluster.replacing import ReplacingCluster
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.attempt import State
from agentrollouts.api.record.progress import RecordPart
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.shell.records.store import RECORD, Records
from bench.rig.report import Check, Result, Series
from sandbox.programs import controlplane
from sandbox.stack import Stack
from testkit.builders.names import AGENT, NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.recording import new_entries
from testkit.world import Behavior, World, a_world

SAMPLES: Final = 30
"""Records that are written entry by entry."""
ROLLOUTS: Final = 1_000
KEPT: Final = 10
AT_ONCE: Final = 16
ACCOUNT: Final = "agentrollouts"
PLAN: Final[dict[str, Any]] = {
    "phases": [
        {"name": "canary-5", "weight": 5, "durationSeconds": 1200},
        {"name": "canary-25", "weight": 25, "durationSeconds": 1200},
        {"name": "ramp", "weight": 95, "rampSeconds": 3600, "durationSeconds": 4200},
    ],
    "gates": [
        {"name": name, "template": template}
        for name, template in (
            ("errors", "error-rate"),
            ("completion", "task-completion"),
            ("latency", "latency"),
            ("cost", "cost-per-run"),
        )
    ],
}
Entries = Sequence[dict[str, Any]]


@dataclass(kw_only=True)
class Recording(World):
    """A world that remembers the entries of its record."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    part: RecordPart | None = None

    def decided(self, obs: Observation, decision: Decision) -> None:
        """Take the new entries in; the rules are checked by tests."""
        if decision.status is not None and (record := decision.status.record):
            self.entries += map(dict, new_entries(obs.status, decision.status))
            self.part = record


def an_attempt(end: State, behavior: Behavior) -> tuple[RecordPart, Entries]:
    """The record of one attempt, which ends like that."""
    world = a_world(a_rollout(**PLAN).serving(OLD), OLD, kind=Recording)
    world.ship(NEW, behavior)
    world.run_until(end, within=24 * 3600)
    if not isinstance(world, Recording) or world.part is None:
        raise ValueError(f"no entry of an attempt that ends as {end}")
    return world.part, world.entries


async def measure(stack: Stack) -> Result:
    """Sizes, times and the room in etcd.

    Args:
        stack: Where CRDs, policies and the operator's account are; the operator itself does not run.
    """
    stack.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "records"}}])
    kubeconfig = stack.account_kubeconfig(ACCOUNT, ACCOUNT)
    cluster = await ReplacingCluster.connect(kubeconfig, connections=AT_ONCE)
    try:
        records, sizes, times = Records(cluster), [], []
        for end, behavior in ((State.HEALTHY, Behavior()), (State.ROLLED_BACK, Behavior(failed=0.3))):
            part, entries = an_attempt(end, behavior)
            times += [await _appended(records, f"{end.lower()}-{n}", part, entries) for n in range(SAMPLES)]
            sizes.append(await _stored(cluster, f"{end.lower()}-0"))
        part, entries = an_attempt(State.HEALTHY, Behavior())
        before = _etcd_mib()
        await _fill(records, part, entries)
        room = _etcd_mib() - before
    finally:
        await cluster.close()
    appends = Series("one more entry: GET and PUT", "ms", (tuple(ms for each in times for ms in each),))
    return Result(
        f"Records: 4 gates, 3 phases, a ramp of 10 steps; then {ROLLOUTS} rollouts x {KEPT} records",
        (
            appends,
            Series("healthy attempt, as stored", "KiB", ((sizes[0],),)),
            Series("attempt that was rolled back, without evidence", "KiB", ((sizes[1],),)),
            Series("room in etcd", "MiB", ((room,),)),
        ),
        (
            Check("append, median ≤ 25 ms", f"{appends.median:.1f} ms", appends.median <= 25),  # noqa: PLR2004 authority
            Check("healthy ≤ 20 KiB", f"{sizes[0]:.1f} KiB", sizes[0] <= 20),  # noqa: PLR2004 of records
            Check("rolled back ≤ 32 KiB", f"{sizes[1]:.1f} KiB", sizes[1] <= 32),  # noqa: PLR2004 the same
            Check("120 to 170 MB of etcd, at most", f"{room:.0f} MiB", room <= 170),  # noqa: PLR2004 the same
        ),
    )


def _rollout(name: str) -> Manifest:
    return {
        "metadata": {"name": name, "namespace": "records", "uid": f"uid-of-{name}"},
        "spec": {"agent": AGENT},
    }


async def _appended(records: Records, name: str, part: RecordPart, entries: Entries) -> list[float]:
    """Milliseconds of each append to a record that exists."""
    milliseconds = []
    for entry in entries:
        begun = time.perf_counter()
        await records.append(_rollout(name), part.copy_with(name=name), [entry])
        milliseconds.append(1000 * (time.perf_counter() - begun))
    return milliseconds[1:]


async def _stored(cluster: ReplacingCluster, name: str) -> float:
    """KiB of a record as JSON, with what the API server adds."""
    return len(json.dumps(await cluster.get(Ref(RECORD, "records", name)))) / 1024


async def _fill(records: Records, part: RecordPart, entries: Entries) -> None:
    """All records of all rollouts, each as it is once its attempt is over."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with slots:
            name = f"rollout-{number // KEPT}-{number % KEPT:06}"
            await records.append(_rollout(name), part.copy_with(name=name), entries)

    await asyncio.gather(*map(one, range(ROLLOUTS * KEPT)))


def _etcd_mib() -> float:
    """Bytes of etcd that are in use, in MiB, as it says itself."""
    text = requests.get(f"{controlplane.ETCD_URL}/metrics", timeout=10).text
    name = "etcd_mvcc_db_total_size_in_use_in_bytes "
    return next(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)) / 2**20
