"""What a gate must not say: fields that do not fit its type, and what is not supported yet.

Checked before defaults are filled in, so no field of a user is ignored in silence.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from agentrollouts.api.gates import Better, During, Gate, GateType
from agentrollouts.core.gates.counts import SMALLEST
from agentrollouts.core.gates.kinds import Traits, traits_of
from agentrollouts.core.gates.selector import Refusal

FITS: Final[tuple[tuple[str, Callable[[Traits], bool], str], ...]] = (
    ("limit", lambda t: t.takes_limit, "a {kind} has no share of bad runs to limit; for a sum use spec.caps"),
    ("max_count", lambda t: t.takes_count, "goes with type Count, not {kind}"),
    ("for_seconds", lambda t: not t.needs_limit, "set limit.forSeconds"),
    ("for_seconds", lambda t: t.is_share_test, "a {kind} is not evaluated at every check; remove it"),
    ("max_ratio", lambda t: t.is_share_test, "a {kind} does not compare rates"),
    ("confidence", lambda t: t.compares, "a {kind} has none to set; remove it"),
    ("min_bad", lambda t: t.has_rate, "a {kind} needs no number of bad outcomes; remove it"),
    ("burst_factor", lambda t: t.has_evidence, "a {kind} has no evidence to divide; remove it"),
)
"""Fields that not every type has, which types do, and the message for the others."""


def unserved(
    gate: Gate, kind: GateType, better: Better, field: str, *, has_limit: bool = False
) -> Refusal | None:
    """The first field that does not fit the others, or that cannot be served as written.

    Args:
        gate: As the user wrote it.
        kind: Its type, from the template where the gate says none.
        better: Its direction, likewise.
        field: Where it stands, `spec.gates[0]`.
        has_limit: Whether it has a limit, its own or the template's.
    """
    idle = _idle(gate, kind, has_limit=has_limit or gate.limit is not None)
    conflict = next(chain(_of_other_types(gate, kind), _contradictions(gate, kind, better), idle), None)
    return None if conflict is None else Refusal(f"{field}.{conflict[0]}", conflict[1])


def _of_other_types(gate: Gate, kind: GateType) -> Iterator[tuple[str, str]]:
    traits = traits_of(kind)
    for name, has, message in FITS:
        if getattr(gate, name) is not None and not has(traits):
            yield str(Gate.model_fields[name].alias), message.format(kind=kind)


def _contradictions(gate: Gate, kind: GateType, better: Better) -> Iterator[tuple[str, str]]:
    limit, traits = gate.limit, traits_of(kind)
    if limit is None and traits.needs_limit:
        yield "limit", f"type {kind} needs one, like {{value: 0.15}}"
    if limit and limit.value > 1 and not traits.by_bounds:
        yield "limit.value", "is a share of bad runs, at most 1"
    least = 0.0 if traits.is_sum else 1.0  # of counts: they do not scatter less than chance has it
    if isinstance(gate.burst_factor, float) and not gate.burst_factor >= max(least, SMALLEST):
        yield "burstFactor", f"of a {kind} must be {'above 0' if not least else 'at least 1'}"
    if better is Better.LOWER and gate.min_ratio is not None:
        yield "minRatio", "goes with better Higher; here set maxRatio"
    if better is Better.HIGHER and not traits.is_outcome:
        yield "better", f"a {kind} cannot be better Higher; count the undesired outcome"
    if better is Better.HIGHER and gate.max_ratio is not None:
        yield "maxRatio", "goes with better Lower; here set minRatio"


def _idle(gate: Gate, kind: GateType, *, has_limit: bool) -> Iterator[tuple[str, str]]:
    """Times at which the gate has nothing to say."""
    traits = traits_of(kind)
    for stage in gate.during or ():
        if stage in traits.stages(has_limit=has_limit):
            continue
        if stage is During.VERIFY:
            yield "during", f"a {kind} does not compare stable with what it was before; remove Verify"
        else:
            remedy = "set `limit`, or remove Full" if traits.takes_limit else "remove Full"
            yield "during", f"at 100% there is no stable to compare a {kind} with; {remedy}"
