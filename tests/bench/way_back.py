"""How much processor time the operator takes from a person's action to the call that writes the route.

Run by hand, `python -m tests.bench.way_back`. The whole shell runs in memory, beside an API server that
answers at once, so that other work on the machine affects only the caches of the processor.
"""

import argparse
import logging
import statistics
import sys
import time

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.people.action import ActionType
from testkit.builders.actions import an_action
from testkit.builders.names import NEW
from tests.shell.test_reconcile import IN_CANARY, a_shell
from tests.shell.virtual import pass_time, run

ROLLBACKS = 60


async def rolled_back() -> dict[str, float]:
    """Milliseconds until the route and the status of one rollback are written."""
    spent: dict[str, float] = {}
    began = 0.0

    def written(_verb: str, ref: Ref) -> None:
        spent.setdefault(ref.kind, 1000 * (time.thread_time() - began))

    async with a_shell(keeps_records=True) as shell:
        shell.make(IN_CANARY)
        await pass_time(45)
        action = an_action(ActionType.ROLL_BACK, 1, release=NEW)
        attempt = shell.status()["attempt"]["number"]
        action = action.copy_with(spec=action.spec.copy_with(attempt=attempt))
        shell.api.on_write = written
        began = time.thread_time()
        shell.api.put({**action.to_json(), "kind": "AgentRolloutAction"})
        await pass_time(0.1)
        assert shell.weights() == [100, 0]
    return spent


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollbacks", type=int, default=ROLLBACKS)
    logging.disable(logging.CRITICAL)
    samples = [run(rolled_back()) for _ in range(parser.parse_args().rollbacks)]
    for kind in ("HTTPRoute", "AgentRollout"):
        sys.stdout.write(f"{kind}: {statistics.median(sample[kind] for sample in samples):.2f} ms\n")


if __name__ == "__main__":
    main()
