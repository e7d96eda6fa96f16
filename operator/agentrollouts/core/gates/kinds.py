"""What each type of gate can do: compare, keep a limit, be evaluated at a stage."""

from typing import Final

from agentrollouts.api.gates import During, GateType

COMPARED: Final = frozenset({GateType.RATIO, GateType.MEAN, GateType.HISTOGRAM})
"""Types that compare the canary with stable by the share test."""


LIMITED: Final = frozenset({GateType.RATIO, GateType.HISTOGRAM, GateType.LIMIT})
"""Types that have a share of bad runs, and so may have a limit for it."""


def stages(kind: GateType, *, has_limit: bool) -> frozenset[During]:
    """The stages in which a gate is meaningful: at 100% without a comparison, after a rollback by one."""
    is_absolute = has_limit or kind is GateType.COUNT
    full, verify = {During.FULL} if is_absolute else set(), {During.VERIFY} if kind in COMPARED else set()
    return frozenset({During.CANARY, *full, *verify})
