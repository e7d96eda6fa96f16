"""Inputs: errands of namespaces, some of which take long. Outputs: when each is served."""

import asyncio

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.shell.records.errands import Errands
from agentrollouts.shell.records.recorder import WORKERS
from tests.shell.virtual import now, pass_time, run


def test_a_namespace_whose_errands_hang_keeps_no_other_waiting() -> None:
    """A webhook on the records of one namespace is down, and each of its writes takes ten seconds."""
    served: dict[Ref, float] = {}

    async def serve(key: Ref) -> None:
        served[key] = now()
        await pass_time(10 if key.namespace == "attacker" else 0)

    async def scenario() -> None:
        errands = Errands(serve)
        for number in range(3 * WORKERS):
            errands.add(Ref("AgentRollout", "attacker", str(number)))
        working = [asyncio.create_task(errands.work()) for _ in range(WORKERS)]
        for number in range(3):
            await pass_time(1)
            errands.add(Ref("AgentRollout", "victim", str(number)))
        await pass_time(60)
        for task in working:
            task.cancel()

    run(scenario())
    assert [at for key, at in served.items() if key.namespace == "victim"] == [1, 2, 3]
    assert len(served) == 3 * WORKERS + 3
