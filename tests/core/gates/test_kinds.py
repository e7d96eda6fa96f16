"""What a type of gate can do is one row, and when it fails is one rule."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

import agentrollouts
from agentrollouts.api.gates import During, Gate, GateSource, GateType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates import kinds
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.kinds import TRAITS, Traits
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.resolve import resolve
from agentrollouts.core.gates.selector import DEFAULT_LABELS, Refusal
from agentrollouts.core.judge import rules
from agentrollouts.core.judge.facts import Facts, PlanPosition
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.judge.rules import PROOFS, Ruling
from testkit.builders.names import START

CORE: Final = Path(agentrollouts.__file__).parent / "core"
NAMES_TYPES: Final = {"gates/kinds.py", "gates/templates.py", "judge/rules.py"}
TOO_FEW: Final = "20 runs of the canary; 20 of 100 canary runs needed to pass"


def _types_named_in(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Attribute(value=ast.Name(id="GateType"), attr=name):
                yield name
            case ast.Constant(value=str(name)) if name in set(GateType):
                yield name


def test_only_the_row_the_templates_and_the_rules_name_a_type() -> None:
    """Whoever needs to know what a gate can do asks its row, so another type changes no other file."""
    named = {file.relative_to(CORE).as_posix() for file in CORE.rglob("*.py") if set(_types_named_in(file))}

    assert named == NAMES_TYPES


def test_each_type_has_a_row_and_a_rule() -> None:
    """A type without either would be found when the first rollout uses it."""
    assert set(TRAITS) == set(PROOFS) == set(GateType)


@pytest.mark.parametrize(
    ("named", "types"),
    [
        ("is_share_test", {"Ratio", "Mean", "Histogram"}),
        ("compares", {"Ratio", "Mean", "Histogram", "Shift"}),
        ("takes_limit", {"Ratio", "Histogram", "Limit"}),
        ("needs_limit", {"Limit"}),
        ("takes_count", {"Count"}),
        ("has_rate", {"Ratio", "Mean", "Histogram", "Limit"}),
        ("has_evidence", {"Ratio", "Mean", "Histogram", "Shift", "Limit"}),
        ("counts_bad_runs", {"Ratio", "Limit"}),
        ("is_amount", {"Mean", "Histogram"}),
        ("is_outcome", {"Ratio"}),
    ],
)
def test_a_row_says_what_its_type_can_do(named: str, types: set[str]) -> None:
    """One capability, and exactly the types that have it."""
    assert {str(kind) for kind, traits in TRAITS.items() if getattr(traits, named)} == types


@pytest.fixture
def one_sided(monkeypatch: pytest.MonkeyPatch) -> GateType:
    """Another type, for failures that stable does not know at all: one value, one row, one rule."""
    kind = str.__new__(GateType, "OneSided")
    kind._name_, kind._value_ = "ONE_SIDED", "OneSided"

    def only_the_canary(case: Facts) -> Ruling | None:
        total = Segment.sum(tally.segment for tally in case.tallies)
        if total.stable_bad or not total.canary_bad:
            return None
        return Ruling(Verdict.FAIL, Reason.GATE_FAILED, f"only the canary has {case.gate.words.bad}")

    row: Mapping[GateType, Traits] = {kind: Traits(min_bad=1.0)}
    monkeypatch.setattr(kinds, "TRAITS", {**TRAITS, **row})
    monkeypatch.setattr(rules, "PROOFS", {**PROOFS, kind: only_the_canary})
    return kind


def _resolved(kind: GateType, **fields: Any) -> ResolvedGate | Refusal:  # noqa: ANN401 any field
    source = GateSource(bad='runs{outcome="failed"}', total="runs")
    gate = Gate(name="novel", source=source, min_samples=100)
    return resolve(gate.copy_with(type=kind, **fields), "spec.gates[0]", DEFAULT_LABELS)


@pytest.mark.parametrize(
    ("counts", "verdict", "message"),
    [
        (Segment(1, 200, 0, 800), Verdict.FAIL, "only the canary has bad runs"),
        (Segment(1, 200, 1, 800), Verdict.PASS, "200 runs of the canary"),
        (Segment(0, 200, 0, 800), Verdict.PASS, "200 runs of the canary"),
        (
            Segment(0, 20, 0, 80),
            Verdict.INCONCLUSIVE,
            "20 runs of the canary; 20 of 100 canary runs needed to pass",
        ),
    ],
)
def test_another_type_is_one_row_and_one_rule(
    one_sided: GateType, counts: Segment, verdict: Verdict, message: str
) -> None:
    """A type that nothing else knows of is resolved and judged, with every reason not to pass."""
    gate = _resolved(one_sided)
    assert isinstance(gate, ResolvedGate)

    judgment = judge(gate, Reading(counts, (), START), PlanPosition(0, 1, time_over=True))

    assert (judgment.verdict, judgment.message) == (verdict, message)


def test_another_type_refuses_fields_that_its_row_does_not_take(one_sided: GateType) -> None:
    """Validation follows from the row as well: no field is ignored in silence."""
    assert _resolved(one_sided, max_ratio=1.5) == Refusal(
        "spec.gates[0].maxRatio", "a OneSided does not compare rates"
    )
    assert _resolved(one_sided, during=[During.FULL]) == Refusal(
        "spec.gates[0].during",
        "at 100% there is no stable to compare a OneSided with; remove Full",
    )
