from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.api.record.record import AgentRolloutRecord
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from tests.contract.server import ApiServer

EXAMPLES = Path(__file__).parents[2] / "crds" / "examples"
VALID = sorted((EXAMPLES / "valid").glob("*.yaml"))
INVALID = sorted((EXAMPLES / "invalid").glob("*.yaml"))
MARK = "# expect: "
Model = type[AgentRelease | AgentRollout | AgentRolloutAction | AgentFreeze | AgentRolloutRecord]
KINDS: Final[tuple[Model, ...]] = (
    AgentRelease,
    AgentRollout,
    AgentRolloutAction,
    AgentFreeze,
    AgentRolloutRecord,
)
MODELS: Final[Mapping[str, Model]] = {model.resource.kind: model for model in KINDS}


def load(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_example_is_accepted(path: Path, api_server: ApiServer) -> None:
    """The API server takes every valid example, and knows each of its fields."""
    answer = api_server.create(load(path))

    assert (answer.code, answer.message) == (201, "")


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_the_api_server_fills_in_the_defaults_of_the_models(path: Path, api_server: ApiServer) -> None:
    """An object that the API server completed reads the same as the one that the user wrote."""
    written = load(path)
    model = MODELS[written["kind"]]

    completed = api_server.create(written).body

    assert model.model_validate(written).spec == model.model_validate(completed).spec


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_is_refused_by_name_of_the_field(path: Path, api_server: ApiServer) -> None:
    """The API server refuses every invalid example, and its message names the field to correct."""
    expected = path.read_text().partition("\n")[0]
    assert expected.startswith(MARK)

    answer = api_server.create(load(path))

    assert (answer.code, expected.removeprefix(MARK) in answer.message) == (422, True), answer.message
