"""Runs of the agent under the bundles of the scenarios."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest

from sandbox import scenarios
from sandbox.agent.bundle import Behavior
from sandbox.agent.metrics import SECONDS, USD
from sandbox.agent.run import MAX_STEPS, Decision, Outcome, Request, Run, run_agent
from sandbox.agent.service import parse_request
from sandbox.agent.tools import Order, ToolAnswer, ToolResult
from sandbox.people.customers import customer_request

BehaviorOf = Callable[[str], Behavior]
CUSTOMERS = [parse_request(customer_request(number, 500).body) for number in range(4000)]
REFUND = Request("user-1", "I would like a refund for order A-7", Order("A-7", 34.5, 12))


def runs(behavior: Behavior) -> list[Run]:
    """What the behavior makes of the same 4,000 customers."""
    return [run_agent(behavior, request) for request in CUSTOMERS]


def share(outcomes: list[Run], outcome: Outcome) -> float:
    """The share of runs with that outcome."""
    return sum(run.outcome is outcome for run in outcomes) / len(outcomes)


@pytest.mark.parametrize("name", [scenarios.HEALTHY, scenarios.FIXED, scenarios.DEAR, scenarios.LENIENT])
def test_sound_prompts_complete_nearly_all(behavior_of: BehaviorOf, name: str) -> None:
    """With a prompt that fits its tools about 99% of the runs are completed, and about 1% fail."""
    done = runs(behavior_of(name))

    assert share(done, Outcome.COMPLETED) >= 0.98
    assert 0.004 <= share(done, Outcome.FAILED) <= 0.016


def test_the_same_customers_fail_under_every_sound_bundle(behavior_of: BehaviorOf) -> None:
    """What is too hard is so for both of two sound releases: their natural failures are the same runs."""
    failed = [
        [index for index, run in enumerate(runs(behavior_of(name))) if run.outcome is Outcome.FAILED]
        for name in (scenarios.HEALTHY, scenarios.FIXED)
    ]

    assert failed[0] == failed[1]


def test_bad_prompt_fails_every_approved_refund(behavior_of: BehaviorOf) -> None:
    """4.2.0 fails just where 4.1.0 pays a refund, and that is 25 to 35% of all runs."""
    healthy, bad = runs(behavior_of(scenarios.HEALTHY)), runs(behavior_of(scenarios.BAD_PROMPT))

    for before, after in zip(healthy, bad, strict=True):
        paid = any(a.tool == "issue_refund" and a.result is ToolResult.OK for a in before.answers)
        assert after.outcome is (Outcome.FAILED if paid else before.outcome)
    assert 0.25 <= share(bad, Outcome.FAILED) <= 0.35


def test_the_failure_names_both_parameters(behavior_of: BehaviorOf) -> None:
    """The run's text says which parameter is missing and which one does not exist."""
    run = run_agent(behavior_of(scenarios.BAD_PROMPT), REFUND)

    text = "issue_refund: order_number is missing; order_id is not a parameter"
    assert (run.outcome, run.text, run.decision) == (Outcome.FAILED, text, Decision.APPROVE)
    assert run.answers[-1] == ToolAnswer("issue_refund", ToolResult.BAD_ARGS, text)


def test_dear_model_costs_three_times_as_much(behavior_of: BehaviorOf) -> None:
    """The same runs under the dear model differ in nothing but a threefold price."""
    fixed, dear = runs(behavior_of(scenarios.FIXED)), runs(behavior_of(scenarios.DEAR))

    assert [replace(run, cost_usd=0.0) for run in dear] == [replace(run, cost_usd=0.0) for run in fixed]
    assert sum(run.cost_usd for run in dear) == pytest.approx(3 * sum(run.cost_usd for run in fixed))


def test_lenient_policy_approves_more(behavior_of: BehaviorOf) -> None:
    """Some 80% of the refunds asked for are approved under the sound policy, all under the lenient one."""
    decisions = [
        Counter(run.decision for run in runs(behavior_of(n))) for n in (scenarios.FIXED, scenarios.LENIENT)
    ]
    sound, lenient = [d[Decision.APPROVE] / (d.total() - d[None]) for d in decisions]

    assert 0.7 <= sound <= 0.85
    assert lenient == 1.0


@pytest.mark.parametrize(
    ("order", "outcome", "decision"),
    [
        (Order("A-7", 250.0, 30), Outcome.COMPLETED, Decision.APPROVE),
        (Order("A-7", 250.0, 31), Outcome.COMPLETED, Decision.DENY),
        (Order("A-7", 250.01, 30), Outcome.ESCALATED, Decision.ESCALATE),
        (Order("A-7", 250.01, 31), Outcome.COMPLETED, Decision.DENY),
    ],
)
def test_limits_of_the_policy(
    behavior_of: BehaviorOf, order: Order, outcome: Outcome, decision: Decision
) -> None:
    """Both limits are inclusive, age is asked first, and only an approved refund is paid."""
    run = run_agent(behavior_of(scenarios.HEALTHY), replace(REFUND, order=order))

    assert (run.outcome, run.decision) == (outcome, decision)
    assert [a.tool for a in run.answers] == ["find_order", "issue_refund"][
        : 1 + (decision is Decision.APPROVE)
    ]


def test_times_and_costs_fill_several_buckets(behavior_of: BehaviorOf) -> None:
    """Runs are spread so that at least three buckets of each histogram hold a twentieth of them or more."""
    done = runs(behavior_of(scenarios.HEALTHY))
    for bounds, values in ((SECONDS, [run.seconds for run in done]), (USD, [run.cost_usd for run in done])):
        filled = Counter(bisect_left(bounds, value) for value in values)

        assert sum(count >= len(done) / 20 for count in filled.values()) >= 3


def test_a_crowded_machine_is_not_a_slow_release(behavior_of: BehaviorOf) -> None:
    """20 ms more on every run raise the share above no bucket bound by the latency gate's margin of 1.25."""
    seconds = [run.seconds for run in runs(behavior_of(scenarios.HEALTHY))]
    for bound in SECONDS:
        above = sum(value > bound for value in seconds)

        if above >= 100:  # fewer are too few for a share
            assert sum(value + 0.020 > bound for value in seconds) < 1.25 * above


def test_missing_permission(behavior_of: BehaviorOf) -> None:
    """A bundle without the scope of a tool fails the runs that need it."""
    healthy = behavior_of(scenarios.HEALTHY)
    run = run_agent(replace(healthy, scopes=frozenset({"orders.read"})), REFUND)

    assert (run.outcome, run.text) == (Outcome.FAILED, "issue_refund: scope refunds.write is not granted")


def test_tool_that_the_bundle_does_not_have(behavior_of: BehaviorOf) -> None:
    """A prompt that names a tool which the bundle lacks fails the run with an unknown tool."""
    run = run_agent(replace(behavior_of(scenarios.HEALTHY), tools=MappingProxyType({})), REFUND)

    assert (run.outcome, run.answers) == (
        Outcome.FAILED,
        (ToolAnswer("find_order", ToolResult.UNKNOWN_TOOL, "there is no tool find_order"),),
    )


def test_endless_prompt_is_cut_off(behavior_of: BehaviorOf) -> None:
    """A prompt that wants more steps than a run may have ends as aborted."""
    again = "call find_order with order_number, " + "then find_order with order_number, " * MAX_STEPS
    run = run_agent(
        replace(behavior_of(scenarios.HEALTHY), system=f"When the customer asks for a refund: {again}"),
        REFUND,
    )

    assert (run.outcome, run.steps, len(run.answers)) == (Outcome.ABORTED, MAX_STEPS, MAX_STEPS)
