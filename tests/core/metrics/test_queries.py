"""The query text: one request, every selector within its namespace, agent and releases, however named."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import promql_parser
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.gates.selector import LabelNames, Matcher, Selector, alternatives
from agentrollouts.core.gates.sources import Source, Start
from agentrollouts.core.metrics.promql import for_namespace, render, render_burst
from agentrollouts.core.metrics.queries import COUNTED, QueryPlan, Subject, Term, plan_queries, tag
from testkit.gates import SHOP, resolution
from tests.core.metrics import selected

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def gates(*templates: str) -> tuple[ResolvedGate, ...]:
    """Gates of these templates, named after them; the default ones where none is named."""
    named = [{"name": name, "template": name} for name in templates]
    spec = {"agent": "a", "releaseRef": {"name": "r"}} | ({"gates": named} if named else {})
    return resolve_all(AgentRolloutSpec.model_validate(spec)).gates


def plan(*templates: str, subject: Subject = SHOP) -> QueryPlan:
    """The plan for these templates, counted from `START`, two minutes later where it has to be warm."""
    return plan_queries(gates(*templates), subject, counting_start=START, warmup_seconds=120)


def closely(usual: QueryPlan) -> QueryPlan:
    """The plan after a result in which everything was suspicious."""
    return replace(usual, closer=usual.steady)


def selectors(text: str) -> list[promql_parser.VectorSelector]:
    """All selectors of a query, those with a range included."""
    return [*selected.selectors(promql_parser.parse(text))]


def matchers(selector: promql_parser.VectorSelector) -> list[tuple[str, str]]:
    """Labels and values of a selector, in order."""
    return [(matcher.name, matcher.value) for matcher in selector.matchers.matchers]


def test_the_terms_of_one_gate() -> None:
    """Bad outcomes are counted, runs are counted and watched, and both are counted over the last minutes."""
    text = render(closely(plan("error-rate")), START + timedelta(seconds=600.9))

    shop = r'namespace="shop",agent="support",release=~"support-4\\.2\\.0|support-4\\.1\\.0"'
    runs, bad = f"agent_runs_total{{{shop}}}", f'agent_runs_total{{{shop},outcome="failed"}}'
    strange = shop.replace("release=~", "release!~")
    none_of_ours, bad_none = (
        f"agent_runs_total{{{strange}}}",
        f'agent_runs_total{{{strange},outcome="failed"}}',
    )
    fallen = (
        f"resets({runs}[600s]) > 0 and min_over_time({runs}[600s]) > clamp_min({runs} offset 600s / 2, 50)"
    )
    terms = [
        ("0.increase", f"sum by (release) (increase({runs}[600s]))"),
        ("0.births", f"sum by (release) (min_over_time({runs}[600s]) unless {runs} offset 600s)"),
        ("0.covered", f"count by (release) ({runs} offset 600s)"),
        ("0.newest", f"max by (release) (timestamp({runs}))"),
        ("0.scrapes", f"max by (release) (count_over_time({runs}[600s]))"),
        ("0.vanished", f"sum by (release) (last_over_time({runs}[600s]) unless {runs})"),
        ("0.resets", f"max by (release) (resets({runs}[600s])) > 0"),
        ("0.dips", f"max by (release) ({fallen})"),
        ("0.still-resets", f"max by (release) (resets({runs}[300s])) > 0"),
        ("0.unknown", f"sum(increase({none_of_ours}[600s])) > 0"),
        (
            "0.unknown-births",
            f"sum(min_over_time({none_of_ours}[600s]) unless {none_of_ours} offset 600s) > 0",
        ),
        ("1.increase", f"sum by (release) (increase({bad}[600s]))"),
        ("1.births", f"sum by (release) (min_over_time({bad}[600s]) unless {bad} offset 600s)"),
        ("1.unknown", f"sum(increase({bad_none}[600s])) > 0"),
        ("1.unknown-births", f"sum(min_over_time({bad_none}[600s]) unless {bad_none} offset 600s) > 0"),
        ("2.increase", f"sum by (release) (increase({bad}[300s]))"),
        ("2.births", f"sum by (release) (min_over_time({bad}[300s]) unless {bad} offset 300s)"),
        ("3.increase", f"sum by (release) (increase({runs}[300s]))"),
        ("3.births", f"sum by (release) (min_over_time({runs}[300s]) unless {runs} offset 300s)"),
        ("3.covered", f"count by (release) ({runs} offset 300s)"),
    ]
    expected = " or ".join(f'label_replace({term}, "src", "{src}", "", "")' for src, term in terms)
    assert text == expected


def test_histograms_are_grouped_by_bound_and_counted_from_the_end_of_the_warm_up() -> None:
    """Only the counts are by bound; coverage and freshness are those of the release."""
    text = render(plan("latency"), START + timedelta(seconds=600)) or ""

    assert text.count("by (release, le)") == 4
    assert text.count("by (release)") == 6
    assert "[480s]" in text
    assert "[300s]" in text
    assert "[600s]" not in text


def test_a_sum_costs_two_terms_more_for_its_last_minutes() -> None:
    """Only what it grew by is asked for: without births, no hole can make stable's life look recent."""
    text = render(plan("cost-per-run"), START + timedelta(seconds=1200)) or ""

    tagged = [src for src in ("2.increase", "2.births", "3.increase", "3.births", "3.covered") if src in text]
    assert tagged == ["2.increase", "3.increase"]
    assert text.count("[900s]") == 2


def test_a_histogram_without_a_limit_costs_one_term_more_for_its_last_minutes() -> None:
    """All buckets again, over a quarter of an hour and without births."""
    text = render(plan("loop"), START + timedelta(seconds=1200)) or ""

    tagged = [src for src in ("1.increase", "1.births", "1.covered", "2.increase") if src in text]
    assert tagged == ["1.increase"]
    assert text.count("[900s]") == 1


def test_a_window_that_a_limit_shares_is_guarded() -> None:
    """What is read as births somewhere is asked with its cover, whoever else asks for it."""
    limited = {"name": "limited", "template": "latency", "limit": {"value": "10", "windowSeconds": 900}}
    buckets = {"buckets": "agent_run_duration_seconds_bucket"}
    free = {"name": "free", "source": buckets, "type": "Histogram"}
    both = resolution(limited, free).gates

    query_plan = plan_queries(both, SHOP, counting_start=START, warmup_seconds=120)

    assert [query_plan.terms(source) for source in query_plan.sources[1:]] == [(*COUNTED, Term.COVERED)]


def test_a_moving_window_never_reaches_behind_the_start() -> None:
    """What the canary did before its weight, or while it was cold, is not counted against it."""
    text = render(plan("error-rate", "latency"), START + timedelta(seconds=170)) or ""

    assert "[170s]" in text
    assert "[50s]" in text
    assert "[300s]" not in text


def test_a_mix_is_grouped_by_its_label() -> None:
    """What the canary decided is told apart, and needs no history."""
    mix = plan("decision-mix")
    text = render(mix, START + timedelta(seconds=600)) or ""

    assert text.count("by (release, decision)") == 2
    assert text.count("by (release)") == 5
    assert render_burst(mix) is None


def test_nothing_is_asked_before_it_counts() -> None:
    """During the warm-up only gates that need none are asked; before the first second none is."""
    both = plan("error-rate", "cost-per-run")

    assert render(both, START) is None
    assert "cost" not in (render(both, START + timedelta(seconds=120)) or "")
    assert "agent_run_cost_usd_sum" in (render(both, START + timedelta(seconds=121)) or "")


def test_gates_share_sources() -> None:
    """Error rate and completion ask for the runs once; what counts from another time is another source."""
    query_plan = plan("error-rate", "task-completion", "tool-calls-per-run")

    runs = Selector("agent_runs_total")
    failed = Selector("agent_runs_total", (Matcher("outcome", "=", "failed"),))
    incomplete = Selector("agent_runs_total", (Matcher("outcome", "!=", "completed"),))
    assert query_plan.sources == (
        Source(runs),
        Source(runs, start=Start.WARM),
        Source(failed),
        Source(incomplete),
        Source(Selector("agent_tool_calls_total"), start=Start.WARM),
        Source(failed, seconds=300),
        Source(runs, seconds=300),
        Source(incomplete, seconds=300),
        Source(Selector("agent_tool_calls_total"), start=Start.WARM, seconds=900),
        Source(runs, start=Start.WARM, seconds=900),
    )
    assert query_plan.totals == {query_plan.sources[0], query_plan.sources[1]}


def test_equal_questions_are_equal_plans() -> None:
    """A plan tells whether an answer belongs to it: another counting start is another question."""
    later = plan_queries(gates(), SHOP, counting_start=START + timedelta(seconds=1), warmup_seconds=120)

    assert plan() == plan()
    assert plan() != later


def test_tags_tell_all_terms_apart() -> None:
    """No two terms of a plan have the same tag, so no row can be taken for another."""
    query_plan = plan()

    tags = [tag(query_plan, source, term) for source in query_plan.sources for term in Term]
    assert len(set(tags)) == len(tags)
    assert all(
        gate.sources.bad in query_plan.sources and gate.sources.total in query_plan.sources
        for gate in gates()
    )


def test_without_stable_only_the_canary_is_asked_for() -> None:
    """The first release of an agent has nothing beside it, and no history to measure."""
    alone = plan("error-rate", subject=Subject("shop", "support", "support-4.2.0", None))

    vector_selectors = selectors(render(alone, START + timedelta(seconds=60)) or "")
    assert {value for each in vector_selectors for label, value in matchers(each) if label == "release"} == {
        "support-4.2.0",
        r"support-4\.2\.0",  # of what is not: a regular expression
    }
    assert render_burst(alone) is None


def test_the_burst_query_asks_for_stable_alone_minute_by_minute() -> None:
    """The canary's own clusters are no measure of how failures come."""
    text = render_burst(plan("error-rate")) or ""

    assert all(matchers(selector)[2] == ("release", "support-4.1.0") for selector in selectors(text))
    assert text.count("[60s]") == 2
    assert '"0.increase"' in text
    assert '"1.increase"' in text


def test_each_prometheus_is_asked_under_its_own_label_of_the_namespace() -> None:
    """Where a proxy's series carry the tenant's namespace under another label, that is the one enforced."""
    query_plan, at = plan("error-rate"), START + timedelta(seconds=600)

    proxied = for_namespace(query_plan, "tenant_namespace")

    before, after = render(query_plan, at) or "", render(proxied, at) or ""
    assert after == before.replace("namespace=", "tenant_namespace=")
    assert all(matchers(s)[0] == ("tenant_namespace", "shop") for s in selectors(after))
    assert all(matchers(s)[0] == ("tenant_namespace", "shop") for s in selectors(render_burst(proxied) or ""))
    assert for_namespace(query_plan, "namespace") is query_plan


any_name = st.text(min_size=1, max_size=30)
labels = st.from_regex(r"[a-z]{3}_[a-z]{1,8}", fullmatch=True)


@given(
    any_name,
    any_name,
    st.lists(any_name, min_size=2, max_size=2, unique=True),
    st.lists(labels, min_size=2, max_size=2, unique=True),
)
def test_no_name_gets_out_of_its_matcher(
    namespace: str, agent: str, releases: Iterable[str], names: Iterable[str]
) -> None:
    """Whatever the names, the query parses, and every selector has the enforced matchers in front."""
    canary, stable = releases
    label = LabelNames(*names)
    subject = Subject(namespace, agent, canary, stable, label)
    query_plan = plan(subject=subject)
    enforced = [
        ("namespace", namespace),
        (label.agent, agent),
        (label.release, alternatives((canary, stable))),
    ]
    only_stable = [*enforced[:2], (label.release, stable)]

    current = selectors(render(query_plan, START + timedelta(hours=1)) or "")
    history = selectors(render_burst(query_plan) or "")

    more = {Term.BIRTHS: 1, Term.VANISHED: 1, Term.DIPS: 2, Term.UNKNOWN_BIRTHS: 1}
    assert len(current) == sum(
        1 + more.get(term, 0) for s in query_plan.sources for term in query_plan.terms(s)
    )
    assert all(matchers(selector)[:3] == enforced for selector in current)
    assert all(matchers(selector)[:3] == only_stable for selector in history)
