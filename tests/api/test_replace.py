"""`ApiModel.replace` and `copy_with`, the only ways to change a model: what they and mypy refuse."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from mypy import api
from pydantic import ValidationError

from agentrollouts.api.attempt import Attempt, Hold, State
from agentrollouts.api.status import AgentRolloutStatus

ROOT: Final = Path(__file__).parents[2]
BASE: Final = "operator/agentrollouts/api/model/base.py"
START: Final = datetime(2026, 11, 21, 8, tzinfo=UTC)
ATTEMPT: Final = Attempt(number=1, state=State.CANARY, digest=f"sha256:{'0' * 64}", start_time=START)

SNIPPET: Final = """
from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.status import AgentRolloutStatus

def change(status: AgentRolloutStatus, attempt: Attempt) -> AgentRolloutStatus:
    status.copy_with({change})
    return status.replace({change})
"""


def test_a_copy_has_the_new_values_and_the_original_the_old_ones() -> None:
    """A changed copy equals a model that was made with the new values."""
    changed = ATTEMPT.replace(state=State.BAKING, weight=100, clock_start_time=START)

    assert changed == Attempt(
        number=1,
        state=State.BAKING,
        digest=ATTEMPT.digest,
        weight=100,
        start_time=START,
        clock_start_time=START,
    )
    assert (ATTEMPT.state, ATTEMPT.weight, ATTEMPT.clock_start_time) == (State.CANARY, 0, None)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"atempt": None}, TypeError),
        ({"attempt": {"number": 0}}, ValidationError),
        ({"requested_weight": 101}, ValidationError),
        ({"weights": 12345}, ValidationError),
    ],
)
def test_a_wrong_name_or_value_raises(change: dict[str, Any], error: type[Exception]) -> None:
    """No misspelled field and no value out of bounds gets into a status."""
    with pytest.raises(error):
        AgentRolloutStatus().replace(**change)


def test_a_wrong_name_raises_without_validation_too() -> None:
    """A misspelled field is never a silent attribute; a bound of a value is left to the API server."""
    misspelled: dict[str, Any] = {"atempt": None}
    with pytest.raises(TypeError, match="AgentRolloutStatus has no field atempt"):
        AgentRolloutStatus().copy_with(**misspelled)

    assert AgentRolloutStatus().copy_with(requested_weight=101).requested_weight == 101


def test_a_new_value_is_cleaned_as_in_a_new_model() -> None:
    """A sentence that is too long is cut, whichever way it gets into a model."""
    hold = Hold(reason="Paused", message="", since=START, resumes=State.CANARY)

    assert hold.replace(message="x" * 2000) == Hold(
        reason="Paused", message="x" * 2000, since=START, resumes=State.CANARY
    )


def test_mypy_checks_the_names_and_types_of_changes(tmp_path: Path) -> None:
    """A misspelled field and a value of another type are errors where they are written; what fits is none."""
    unknown = 'Unexpected keyword argument "atempt" for "{}" of "ApiModel"; did you mean "attempt"?'
    mistyped = (
        'Argument "requested_weight" to "{}" of "ApiModel" has incompatible type "Attempt"; '
        'expected "int | None"'
    )
    expected = {
        "attempt=attempt.replace(weight=5)": [],
        "atempt=None": [unknown.format("copy_with"), unknown.format("replace")],
        "requested_weight=attempt": [mistyped.format("copy_with"), mistyped.format("replace")],
    }
    files = {change: tmp_path / f"case_{number}.py" for number, change in enumerate(expected)}
    for change, file in files.items():
        file.write_text(SNIPPET.format(change=change))
    report, mistakes, _ = api.run(["--config-file", str(ROOT / "pyproject.toml"), *map(str, files.values())])

    errors = {
        change: [
            line.partition(" error: ")[2].rpartition("  [")[0]
            for line in report.splitlines()
            if f"{file.name}:" in line and " error: " in line
        ]
        for change, file in files.items()
    }
    assert (errors, mistakes) == (expected, "")


@pytest.mark.parametrize("folder", ["operator", "sandbox", "testkit", "bench", "campaigns", "tests"])
def test_no_model_is_changed_in_another_way(folder: str) -> None:
    """`model_copy` and `model_construct` check neither names nor types, so only `ApiModel` calls one."""
    calls = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"model_copy", "model_construct"}
    ]
    assert [call for call in calls if not call.startswith(BASE)] == []
