"""The actions that Argo CD creates, under its identity: an account with the role of the responder."""

from typing import Any, Final

import pytest

from sandbox.stack import Stack
from tests.contract.authority.cast import ROB, a_rollout
from tests.contract.chart.policies import CREATED
from tests.contract.people import Someone
from tests.gitops_tools import actions

STATUS: Final[dict[str, Any]] = {
    "attempt": {"number": 3, "state": "Canary"},
    "stable": {"release": "support-agent-4.1.0"},
    "canary": {"release": "support-agent-4.2.0"},
}


@pytest.mark.parametrize("name", ["roll-back", "hold"])
def test_each_action_is_created_in_the_name_of_argo_cd(world: Stack, name: str) -> None:
    """The script names no one; the API server fills in who creates it."""
    argo_cd = Someone(world, ROB)
    manifest = argo_cd.get(a_rollout()) | {"status": STATUS}

    answer = argo_cd.create(actions(manifest)[name])

    assert (answer.code, answer.body["spec"]["requestedBy"]) == (CREATED, ROB)
