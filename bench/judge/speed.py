"""How long judging takes: every gate of every active rollout is judged at each tick, on one core."""

import time
from typing import Final

from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import PlanPosition
from bench.judge.ours import GATES, NOW, Past, shipped
from bench.rig.report import Check

MAX_MS: Final = 20.0
GATES_JUDGED: Final = 1000
RUNS: Final = 15


def check() -> Check:
    """A thousand gates with counts, sentence and all; the best of several runs, in CPU time."""
    gate, course, past = GATES["errors"], PlanPosition(0, 3, time_over=False), Past((), 1.2)
    reading = Reading(Segment(4, 50, 11, 950), (), NOW)
    durations = []
    for _ in range(RUNS):
        begun = time.process_time()
        for _ in range(GATES_JUDGED):
            shipped(gate, reading, course, past)
        durations.append(1000 * (time.process_time() - begun))
    best = min(durations)
    return Check(f"{GATES_JUDGED:,} gates judged in {MAX_MS:.0f} ms", f"{best:.1f} ms", best <= MAX_MS)
