"""Checks after a rollback: has the traffic moved, did it help, and how long is that worth waiting for?

Whatever the outcome, stable keeps all traffic and nothing else is rolled back: what is still bad without the
release has another cause.
"""

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.rollback import LastRollback, VerifyOutcome
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.clocks import due_time
from agentrollouts.core.rollout.desired import Desired, Standing
from agentrollouts.core.rollout.neighbors.group import failed_at_rest
from agentrollouts.core.rollout.situation import Situation, sentences
from agentrollouts.core.states import is_unproved

ELSEWHERE = "the cause is elsewhere: in a dependency, in data that the release wrote, or at the provider"
UNPROVED = "The same limits apply to the release that serves now, which shows whether that helped."
NOT_REPORTED = "The gateway has not reported the route yet"


def verifying(s: Situation) -> moves.Move:
    """What becomes of a rollback whose route is written."""
    rollback = s.status.last_rollback
    if rollback is None:
        raise ValueError("Only a rollback can be verified")
    if other := _waiting(s, rollback):
        return moves.Conclude(VerifyOutcome.UNVERIFIED, f"Not verified, since {other} was requested.")
    if due := failed_at_rest(s):
        return moves.Conclude(VerifyOutcome.UNVERIFIED, f"Not verified, since {due.message}.")
    if not s.analysis.gates_after:
        return _by_the_gateway(s, rollback)
    return _by_the_gates(s, rollback)


def _waiting(s: Situation, rollback: LastRollback) -> str | None:
    """The desired release, if it could begin: a fix never waits for what it must repair."""
    if s.is_terminating or not isinstance(s.desired, Desired):
        return None
    begins = {Standing.NEW, Standing.KNOWN_HEALTHY}
    if rollback.trigger is Trigger.SPEC_REVERTED:
        begins.add(Standing.CANARY)  # restored, and desired again after all
    return s.desired.record.release if s.desired.standing in begins else None


def _by_the_gateway(s: Situation, rollback: LastRollback) -> moves.Move:
    """Nothing to measure by: the end waits for the report of the gateway, but not indefinitely."""
    deadline = due_time(s.attempt, s.spec.rollback.verify.within_seconds, s.now)
    if rollback.observed_time or deadline <= s.now or not s.spec.traffic.by_route:
        return moves.Conclude(VerifyOutcome.UNVERIFIED, UNPROVED if is_unproved(s.status) else "")
    return moves.Wait(NOT_REPORTED, deadline)


def _by_the_gates(s: Situation, rollback: LastRollback) -> moves.Move:
    """In this order: did the traffic move, is stable as it was, or is it still worse?"""
    verify, stable = s.spec.rollback.verify, rollback.to
    is_late = s.clock >= verify.within_seconds
    worse = [
        recovery for recovery in s.analysis.recoveries if recovery.outcome is VerifyOutcome.NOT_RECOVERED
    ]
    if worse and is_late:
        summary = f"{stable} is still worse than before the attempt, so {ELSEWHERE}; no further rollback."
        return moves.Conclude(VerifyOutcome.NOT_RECOVERED, f"{summary} {sentences(worse)}")
    doubt = _doubt(s, rollback, is_late=is_late)
    if not doubt:
        summary = f"{stable} is as it was before the attempt."
        return moves.Conclude(VerifyOutcome.RECOVERED, f"{summary} {sentences(s.analysis.recoveries)}")
    if s.clock >= verify.watch_seconds:
        return moves.Conclude(VerifyOutcome.UNVERIFIED, f"It is unknown whether that helped: {doubt}")
    seconds = verify.watch_seconds if is_late else min(verify.within_seconds, verify.watch_seconds)
    return moves.Wait(
        f"It is not yet known whether that helped: {doubt}", due_time(s.attempt, seconds, s.now)
    )


def _doubt(s: Situation, rollback: LastRollback, *, is_late: bool) -> str:
    """What is not known yet; empty if the rollback helped."""
    last = rollback.last_runs
    if rollback.observed_time is None:
        if last and is_late:
            since = f"{last.time:%H:%M:%S} UTC"
            return f"runs of {rollback.from_} still ended at {since}; does the gateway follow the route?"
        return f"the last runs of {rollback.from_} have not been seen yet"
    recoveries = s.analysis.recoveries
    if not recoveries:
        return "Prometheus has not responded"
    missing = [recovery for recovery in recoveries if recovery.outcome in {None, VerifyOutcome.NOT_RECOVERED}]
    is_empty = all(recovery.outcome is VerifyOutcome.UNVERIFIED for recovery in recoveries)
    return sentences(recoveries if is_empty else missing)
