"""The release manifests of the demo's story."""

import pytest

from sandbox import scenarios


def test_names() -> None:
    """The story has these five releases, each under its own name in its own file."""
    assert scenarios.names() == (
        scenarios.HEALTHY,
        scenarios.BAD_PROMPT,
        scenarios.FIXED,
        scenarios.DEAR,
        scenarios.LENIENT,
    )
    assert [scenarios.load_release(name)["metadata"]["name"] for name in scenarios.names()] == list(
        scenarios.names()
    )


def test_loaded_manifests_are_copies() -> None:
    """Changing a loaded manifest does not change the next one."""
    scenarios.load_release(scenarios.HEALTHY)["spec"].clear()

    assert scenarios.load_release(scenarios.HEALTHY)["spec"]["version"] == "4.1.0"


def test_unknown_release() -> None:
    """Asking for a release that is not there names those that are."""
    with pytest.raises(
        KeyError, match=r"no release support-agent-9 in the scenarios; there are support-agent-4\.1\.0"
    ):
        scenarios.load_release("support-agent-9")


@pytest.mark.parametrize(
    ("name", "parent", "changed"),
    [
        (scenarios.BAD_PROMPT, scenarios.HEALTHY, {"prompt"}),
        (scenarios.FIXED, scenarios.HEALTHY, {"prompt"}),
        (scenarios.DEAR, scenarios.FIXED, {"model"}),
        (scenarios.LENIENT, scenarios.FIXED, {"guardrails"}),
    ],
)
def test_each_release_changes_one_component_of_its_parent(name: str, parent: str, changed: set[str]) -> None:
    """What makes a release bad is one component, and its version says that it changed."""
    spec, before = scenarios.load_release(name)["spec"], scenarios.load_release(parent)["spec"]
    components = spec["components"]

    assert spec["parent"] == {"name": parent}
    assert {c for c in components if components[c] != before["components"][c]} == changed
    assert {
        c for c in components if components[c]["version"] != before["components"][c]["version"]
    } == changed
