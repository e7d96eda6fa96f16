"""What a gate may not say: fields that do not fit its type, and what is not served yet.

Asked by `catalogue` before a gate is filled in, so that no field of a user is ignored in silence.
"""

from typing import Final

from agentrollouts.api.rollout import Better, During, Gate, GateType
from agentrollouts.core.series import Refusal

COMPARED: Final = frozenset({GateType.RATIO, GateType.MEAN, GateType.HISTOGRAM})
"""Types that hold the canary against stable by the share test."""
LIMITED: Final = frozenset({GateType.RATIO, GateType.HISTOGRAM, GateType.LIMIT})
"""Types that have a share of bad runs, and so may have a limit for it."""

COUNT_BAD: Final = "count the undesired outcome"


def unserved(gate: Gate, kind: GateType, better: Better, field: str) -> Refusal | None:
    """The first field that does not fit the others, or that cannot be served as written."""
    is_higher, limit = better is Better.HIGHER, gate.limit
    rows = (
        (
            kind is GateType.LIMIT and limit is None,
            "limit",
            "type Limit needs one, like {value: 0.15}",
        ),
        (
            limit and kind not in LIMITED,
            "limit",
            f"a {kind} has no share of bad runs to limit; for a sum use spec.caps",
        ),
        (
            limit and kind is not GateType.HISTOGRAM and limit.value > 1,
            "limit.value",
            "is a share of bad runs, at most 1",
        ),
        (
            gate.max_count is not None and kind is not GateType.COUNT,
            "maxCount",
            f"goes with type Count, not {kind}",
        ),
        (
            gate.for_seconds and kind not in COMPARED,
            "forSeconds",
            "set limit.forSeconds"
            if kind is GateType.LIMIT
            else f"a {kind} is not asked at every check; leave it out",
        ),
        (gate.during not in (None, (During.CANARY,)), "during", "only [Canary] is served yet"),
        (
            is_higher and kind is not GateType.RATIO,
            "better",
            f"a {kind} cannot be better Higher; {COUNT_BAD}",
        ),
        (is_higher and gate.max_ratio is not None, "maxRatio", "goes with better Lower; here set minRatio"),
        (
            not is_higher and gate.min_ratio is not None,
            "minRatio",
            "goes with better Higher; here set maxRatio",
        ),
        (gate.max_ratio is not None and kind not in COMPARED, "maxRatio", f"a {kind} compares no rates"),
        (
            gate.confidence is not None and kind in {GateType.LIMIT, GateType.COUNT},
            "confidence",
            f"a {kind} has none to set; leave it out",
        ),
        (
            gate.min_bad is not None and kind in {GateType.COUNT, GateType.SHIFT},
            "minBad",
            f"a {kind} needs no number of bad outcomes; leave it out",
        ),
        (
            gate.burst_factor is not None and kind is GateType.COUNT,
            "burstFactor",
            "a Count has no evidence to divide; leave it out",
        ),
    )
    return next((Refusal(f"{field}.{key}", message) for broken, key, message in rows if broken), None)
