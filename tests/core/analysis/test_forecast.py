"""Forecasts: the specification's table of runs needed, and no promise that the judge does not keep."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.analysis.forecast import PhaseForecast, Stretch, Usual, forecast, sight, usual_of
from agentrollouts.core.analysis.outlook import advice, change, headline
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve_all
from testkit.properties import usually

TEMPLATES = {
    "errors": "error-rate",
    "completion": "task-completion",
    "accuracy": "accuracy",
    "latency": "latency",
    "loops": "loop",
    "cost": "cost-per-run",
    "violations": "violations",
}


def a_spec(**fields: object) -> AgentRolloutSpec:
    """A rollout with the default plan and gates."""
    return AgentRolloutSpec.model_validate({"agent": "a", "releaseRef": {"name": "r"}, **fields})


SPEC = a_spec(gates=[{"name": name, "template": template} for name, template in TEMPLATES.items()])
GATES: Mapping[str, ResolvedGate] = {gate.name: gate for gate in resolve_all(SPEC).gates}

NEEDED = [
    # what, gate, stable's share of bad runs, the canary's, runs at 5, 10, 25 and 50%
    ("total failure", "errors", 0.012, 1.0, (4, 4, 6, 12)),
    ("error 1.2 to 8.4%", "errors", 0.012, 0.084, (89, 98, 133, 224)),
    ("completion 84 to 71%", "completion", 0.16, 0.29, (191, 203, 246, 393)),
    ("accuracy 95 to 90%", "accuracy", 0.05, 0.10, (418, 444, 551, 869)),
    ("error 1.2 to 3.6%", "errors", 0.012, 0.036, (518, 551, 703, 1140)),
    ("accuracy 95 to 93%", "accuracy", 0.05, 0.07, (2267, 2407, 2964, 4493)),
    ("error 1.2 to 1.8%", "errors", 0.012, 0.018, (6226, 6606, 8129, 12304)),
    ("violations 0.01 to 1%", "errors", 0.0001, 0.01, (326, 393, 586, 1140)),
]


@pytest.mark.parametrize(
    ("gate", "stable", "canary", "runs"), [row[1:] for row in NEEDED], ids=[row[0] for row in NEEDED]
)
def test_runs_needed_are_those_of_the_specification(
    gate: str, stable: float, canary: float, runs: tuple[int, ...]
) -> None:
    """Three planned phases, 100:1: the canary runs of the table within 4%."""
    usual = Usual(stable, canary / stable)
    runs_needed = [
        sight(GATES[gate], usual, [Stretch(weight, 1000 / weight)], 0, 3).runs_needed
        for weight in (0.05, 0.1, 0.25, 0.5)
    ]

    assert [math.ceil(needed or 0) for needed in runs_needed] == [
        pytest.approx(each, rel=0.04) for each in runs
    ]


def first_phase(runs_per_hour: float, spec: AgentRolloutSpec = SPEC) -> PhaseForecast:
    """The forecast of the first phase."""
    return forecast(spec, resolve_all(spec).gates, runs_per_hour)[0]


def test_phases_count_the_canary_runs_of_their_weights() -> None:
    """5% for an hour, 25% for four, and a ramp from 34 to 95% in its ten steps."""
    phases = forecast(SPEC, list(GATES.values()), 1000)

    assert [phase.canary_runs for phase in phases] == [
        pytest.approx(50),
        pytest.approx(1000),
        pytest.approx(
            1000 / 100 * 3 / 10 * sum(25 + round(7 * (index + 1)) for index in range(10)), rel=0.01
        ),
    ]


def test_latency_and_cost_have_no_runs_of_the_warm_up() -> None:
    """What is not counted cannot be seen."""
    runs = {each.gate.name: each.canary_runs for each in first_phase(3000).sights}

    assert runs["errors"] == pytest.approx(150)
    assert runs["latency"] == runs["cost"] == pytest.approx(145)


def test_at_100_percent_there_is_nothing_to_compare_with() -> None:
    """A phase without a control group catches nothing and promises nothing."""
    spec = a_spec(phases=[{"name": "all", "weight": 100, "durationSeconds": 3600}])
    phase = first_phase(1000, spec)

    assert phase.canary_runs == 0
    assert {each.smallest for each in phase.sights} == {None}
    assert headline(phase) == "about 0 canary runs: can catch nothing"
    assert advice(spec, [phase]) == ()


def test_fifty_runs_catch_total_failure_and_not_much_else() -> None:
    """The sentence that a person is to read at 1,000 runs an hour."""
    spec = a_spec(gates=[{"name": "errors", "template": "error-rate"}])

    assert headline(first_phase(1000, spec)) == (
        "about 50 canary runs: can catch total failure and not much else"
    )


SENTENCES = {
    20: "about 1 canary runs: can catch nothing",
    1000: "about 50 canary runs: can catch total failure, cost 2.75x and not much else",
    2000: (
        "about 100 canary runs: can catch errors 1.2% to 7.8%, cost 2.18x, "
        "not completion 84% to 71%, latency 1.5x"
    ),
    20_000: (
        "about 1,000 canary runs: can catch errors 1.2% to 2.8%, completion 84% to 79%, "
        "latency 1.18x, cost 1.35x"
    ),
}


@pytest.mark.parametrize(("runs_per_hour", "sentence"), SENTENCES.items())
def test_the_sentence_grows_with_the_traffic(runs_per_hour: float, sentence: str) -> None:
    """From nothing, over total failure, to what each gate catches, in its own words."""
    assert headline(first_phase(runs_per_hour, a_spec())) == sentence


def test_gates_that_compare_no_rates_are_not_forecast() -> None:
    """A count needs no statistics, so nothing is said of it."""
    [violations] = [each for each in first_phase(1000).sights if each.gate.name == "violations"]

    assert (violations.is_served, violations.smallest, violations.runs_needed) == (False, None, None)
    assert "violations" not in headline(first_phase(1000))


def test_advice_names_the_phase_the_gates_and_the_remedy() -> None:
    """At 1,000 runs an hour the default plan's first phase is too short, and told how long it should be."""
    spec = a_spec(gates=[{"name": "errors", "template": "error-rate"}])
    gates = resolve_all(spec).gates

    assert "\n".join(advice(spec, forecast(spec, gates, 1000))) == (
        "canary-5: about 50 of the 100 canary runs that errors needs to pass (`minSamples`), so it will be "
        "extended. Set `durationSeconds: 7200`, or `weight: 10`.\n"
        "errors: 1.2% to 8.4% is caught only in canary-25; in canary-5 it takes about 88 canary runs. "
        "Set `durationSeconds: 6300`, or `weight: 9`."
    )
    assert advice(spec, forecast(spec, gates, 100_000)) == ()


def test_advice_is_a_plan_that_the_api_server_accepts() -> None:
    """At two runs an hour no phase is long enough; where a weight would do, only that is said."""
    spec = a_spec(gates=[{"name": "errors", "template": "error-rate"}])
    gates = resolve_all(spec).gates

    first, second, *_ = advice(spec, forecast(spec, gates, 2))

    assert first.endswith("That takes about 42 days, and a phase lasts at most 30.")
    assert second.endswith("Set `durationSeconds: 720000`.")
    spec = a_spec(
        gates=[{"name": "errors", "template": "error-rate"}],
        phases=[
            {"name": "canary-5", "weight": 20, "durationSeconds": 2_000_000},
            {"name": "all", "weight": 100, "durationSeconds": 600},
        ],
    )
    assert advice(spec, forecast(spec, gates, 0.6))[0].endswith("Set `weight: 30`.")


def test_advice_tells_what_becomes_of_a_phase_that_never_has_its_runs() -> None:
    """Too little traffic even for the extensions ends as `onTimeout` says."""
    spec = a_spec(gates=[{"name": "errors", "template": "error-rate"}], analysis={"onTimeout": "RollBack"})

    assert "extended and then rolled back" in advice(spec, forecast(spec, resolve_all(spec).gates, 100))[0]


@usually(25)
@given(
    st.sampled_from(["errors", "completion", "accuracy", "latency", "cost"]),
    st.floats(100, 1e6),
    st.floats(0.02, 0.9),
)
def test_following_the_forecast_is_enough(name: str, runs: float, share: float) -> None:
    """With the runs that it names, the regression of interest is caught, and with fewer it is not."""
    gate, usual = GATES[name], usual_of(SPEC, GATES[name])
    now = sight(gate, usual, [Stretch(share, runs)], 0, 3)
    needed = now.runs_needed
    assert needed is not None

    then = sight(gate, usual, [Stretch(share, 1.01 * needed / share)], 0, 3)

    assert then.catches_usual
    assert now.catches_usual == (now.canary_runs >= needed) or math.isclose(
        now.canary_runs, needed, rel_tol=0.01
    )


@usually(50)
@given(
    st.sampled_from(["errors", "completion", "accuracy", "latency", "loops", "cost"]),
    st.floats(1, 1e7),
    st.floats(1, 100),
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=3),
    st.integers(0, 2),
)
@example("latency", 494_235, 2.0, [0.5], 0)
@example("latency", 62_500, 2.0, [0.9], 0)
def test_more_runs_never_see_less(
    name: str, runs: float, times: float, shares: list[float], phase: int
) -> None:
    """With more runs at the same shares a gate catches all that it catches with fewer."""
    gate = GATES[name]
    fewer, more = (
        sight(gate, usual_of(SPEC, gate), [Stretch(share, each) for share in shares], phase, 3)
        for each in (runs, runs * times)
    )

    assert (more.smallest or math.inf) <= (fewer.smallest or math.inf)


def test_what_latency_promises_the_judge_keeps() -> None:
    """What fails on the way to many runs is caught, even where the ratio is within the margin by the end."""
    gate = GATES["latency"]
    fewer, more = (
        sight(gate, usual_of(SPEC, gate), [Stretch(0.5, runs)], 0, 3).smallest for runs in (494_235, 988_470)
    )

    assert fewer == pytest.approx(1.108, abs=0.002)
    assert more == fewer


def test_a_margin_bounds_what_can_be_caught() -> None:
    """However many the runs, nothing within the margin is caught; and a change is told as the gate speaks."""
    many = [Stretch(0.25, 1e9)]
    errors, completion = (
        sight(GATES[name], usual_of(SPEC, GATES[name]), many, 0, 3) for name in ("errors", "completion")
    )

    assert errors.smallest is not None
    assert 1.1 < errors.smallest < 1.13
    assert change(completion, completion.smallest) == "84% to 82%"
