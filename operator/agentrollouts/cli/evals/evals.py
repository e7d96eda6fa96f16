"""`agentrollouts evals`: the results of an eval tool for two releases, as a line for the judge."""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from agentrollouts.api.gates import Gate
from agentrollouts.cli.evals.format import Cases, Format, Scoring
from agentrollouts.cli.evals.formats import read_cases
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.core.analysis.forecast import USUAL, Stretch, Usual, sight
from agentrollouts.core.analysis.outlook import change
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve
from agentrollouts.core.gates.selector import DEFAULT_LABELS

WRONG_USE: Final = 2
TEMPLATE: Final = "accuracy"
"""The gate of evals in production: failed evals among all."""
BURST: Final = "1"
"""Cases are run one by one, so failures do not come in clusters as those of live traffic do."""


def run_evals(options: argparse.Namespace) -> int:
    """Print the line; 2 where a file cannot be read."""
    scoring = Scoring(options.scorer, options.pass_at)
    try:
        stable, canary = (
            read_cases(Format(options.format), name, scoring) for name in (options.stable, options.canary)
        )
    except WrongUseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    gate = {"name": "evals", "template": TEMPLATE, "burstFactor": BURST, "minSamples": options.min_cases}
    print(json.dumps({"gate": gate, "phases": [{"canary": _json(canary), "stable": _json(stable)}]}))
    for line in notes(gate, stable, canary):
        sys.stderr.write(f"{line}\n")
    return 0


def _json(cases: Cases) -> dict[str, int]:
    return {"bad": cases.failed, "total": cases.total}


def notes(gate: dict[str, Any], stable: Cases, canary: Cases) -> Iterator[str]:
    """What the results are, and how little so few cases can show."""
    resolved = resolve(Gate.model_validate(gate), "gate", DEFAULT_LABELS)
    if not isinstance(resolved, ResolvedGate):
        raise TypeError(str(resolved))  # a bug: the gate is ours
    for name, cases in (("stable", stable), ("canary", canary)):
        errors = f", {cases.errors:,} of them with an error" if cases.errors else ""
        yield f"{name}: {cases.failed:,} of {cases.total:,} cases failed{errors}"
    rate, both = stable.failed / stable.total, stable.total + canary.total
    usual = USUAL[TEMPLATE]
    assumed = Usual(min(rate, _MOST), usual.worse) if stable.failed else usual
    seen = sight(resolved, assumed, [Stretch(canary.total / both, both)], 0, 1)
    basis = "" if stable.failed else ", if stable's usual rate is that of the first number"
    if seen.smallest is None:
        yield f"{canary.total:,} cases cannot show any regression; run more of them"
    else:
        yield (
            f"{canary.total:,} cases show a regression of the share that passes from "
            f"{change(seen, seen.smallest)} in about half of the runs, and a smaller one rarely{basis}"
        )
    if canary.total < resolved.min_samples:
        yield f"To pass, {resolved.min_samples:,} cases are needed (--min-cases)"


_MOST: Final = 0.999
"""A rate of failures above which nothing can be worse."""
