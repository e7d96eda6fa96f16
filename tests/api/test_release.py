from datetime import date
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from agentrollouts.api.components import COMPONENTS, Component, Components, ModelComponent
from agentrollouts.api.release import AgentRelease, AgentReleaseStatus, ComponentDiff, RiskTier

EXAMPLES = Path(__file__).parents[2] / "crds" / "examples" / "valid"
MINIMAL = yaml.safe_load((EXAMPLES / "release-minimal.yaml").read_text())
FULL = yaml.safe_load((EXAMPLES / "release-full.yaml").read_text())


def test_a_minimal_release_has_sensible_defaults() -> None:
    """A prompt and a model are enough; nothing is made up for what is absent."""
    release = AgentRelease.model_validate(MINIMAL)

    assert release.spec.components == Components(
        prompt=Component(
            version="1.0.0", inline={"system": "Sort each ticket into billing, delivery or other."}
        ),
        model=ModelComponent(version="1.0.0", provider="openai", name="gpt-x-2026-08-01"),
    )
    assert (release.spec.risk_tier, release.spec.serving, release.status) == (
        RiskTier.STANDARD,
        None,
        AgentReleaseStatus(),
    )


def test_a_full_release_survives_the_round_trip() -> None:
    """Every field that a user can write is kept, with its name and its value."""
    spec = AgentRelease.model_validate(FULL).spec.to_json()

    tools = FULL["spec"]["components"]["tools"]
    first, second = tools["items"]
    completed = FULL["spec"]["components"] | {
        "tools": tools | {"items": [first | {"externalAction": False}, second]}
    }
    assert spec == FULL["spec"] | {"components": completed}


def test_a_release_date_is_a_day() -> None:
    """The day stays a day; no time zone can move it."""
    model = AgentRelease.model_validate(FULL).spec.components.model

    assert model.release_date == date(2026, 8, 1)


def test_the_components_are_the_ten_of_the_bundle() -> None:
    """The list of names and the fields of the model are the same, in the same order."""
    assert tuple(Components.model_fields) == COMPONENTS


def test_content_is_kept_as_it_is() -> None:
    """Free content is not looked into: numbers, nulls and odd keys come out as they went in."""
    inline = {"a": None, "": [1, 2.5, {"Ünïcode": True}], "from": 0}

    component = Component(version="1.0.0", inline=inline)

    assert component.model_dump(mode="json", by_alias=True)["inline"] == inline


def test_a_difference_names_both_versions() -> None:
    """`from` and `to` stand in the status as a person reads them."""
    diff = ComponentDiff.model_validate(
        {"component": "prompt", "from": "1.0.0", "to": "2.0.0", "change": "Major"}
    )

    assert diff.from_ == "1.0.0"
    assert diff.to_json() == {"component": "prompt", "from": "1.0.0", "to": "2.0.0", "change": "Major"}


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "01.0.0", "1.0.0\n", "1 .0.0"])
def test_what_is_no_semantic_version_is_refused(version: str) -> None:
    """A version that the API server would refuse is refused here as well."""
    with pytest.raises(ValidationError):
        Component(version=version, inline={})
