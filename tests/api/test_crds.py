import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pydantic import ConfigDict, Field

from agentrollouts.api.crd.manifest import crds, render
from agentrollouts.api.crd.structural import structural
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.model.decimals import Between, DecimalStr
from agentrollouts.api.model.marks import cel, rules
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from testkit.properties import usually

ROOTS = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for crd in crds()
}


class Inner(ApiModel):
    """A part."""

    model_config = ConfigDict(json_schema_extra=rules(cel("self.size > 0", "must have a size", "size")))

    size: Annotated[int, Field(ge=0, le=9)] = 3
    """How large.

    In pieces.
    """


class Outer(ApiModel):
    """A whole."""

    part: Annotated[Inner, Field(json_schema_extra=rules(cel("self.size < 9", "must be small")))] = Inner()
    """The part
    of the whole."""
    parts: Annotated[tuple[Inner, ...], Field(max_length=2)] = (Inner(size=1),)
    """All parts."""
    limit: Annotated[DecimalStr, Between(1, 2)] | None = None
    """How much."""
    flag_set: bool
    """Whether."""


def test_a_model_becomes_one_tree() -> None:
    """References are gone, nulls are absence, rules of the type and of the field add up, defaults stay."""
    inner = {
        "type": "object",
        "properties": {
            "size": {
                "description": "How large.\n\nIn pieces.",
                "type": "integer",
                "default": 3,
                "minimum": 0,
                "maximum": 9,
                "format": "int32",
            }
        },
    }
    has_size = {"rule": "self.size > 0", "message": "must have a size", "fieldPath": ".size"}
    is_small = {"rule": "self.size < 9", "message": "must be small"}

    assert structural(Outer) == {
        "description": "A whole.",
        "type": "object",
        "required": ["flagSet"],
        "properties": {
            "part": inner
            | {
                "description": "The part of the whole.",
                "default": {},
                "x-kubernetes-validations": [has_size, is_small],
            },
            "parts": {
                "description": "All parts.",
                "type": "array",
                "default": [{"size": 1}],
                "maxItems": 2,
                "x-kubernetes-list-type": "atomic",
                "items": inner | {"description": "A part.", "x-kubernetes-validations": [has_size]},
            },
            "limit": {
                "description": "How much.",
                "type": "string",
                "maxLength": 32,
                "pattern": r"^[0-9]+(\.[0-9]+)?$",
                "x-kubernetes-validations": [
                    {
                        "rule": "double(self) >= 1.0 && double(self) <= 2.0",
                        "message": "must be a decimal between 1 and 2",
                    }
                ],
            },
            "flagSet": {"description": "Whether.", "type": "boolean"},
        },
    }


def test_what_kubernetes_cannot_say_is_an_error() -> None:
    """A type that would be lost on the way to the API server stops the generation."""

    class Loose(ApiModel):
        """Two types at once."""

        value: int | str

    with pytest.raises(TypeError, match="anyOf"):
        structural(Loose)


def test_the_text_is_stable() -> None:
    """The same models give the same text, so that a diff is a change of the contract."""
    assert render() == render()
    assert [*render()] == [
        "agentrollouts.dev_agentreleases.yaml",
        "agentrollouts.dev_agentrollouts.yaml",
        "agentrollouts.dev_agentrolloutactions.yaml",
        "agentrollouts.dev_agentfreezes.yaml",
        "agentrollouts.dev_agentrolloutrecords.yaml",
    ]


def values(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Everything that a schema admits."""
    match node.get("type"):
        case "object":
            return _objects(node)
        case "array":
            keys = node.get("x-kubernetes-list-map-keys")
            distinct = (lambda item: item[keys[0]]) if keys else None
            unique = distinct or (str if node["x-kubernetes-list-type"] == "set" else None)
            least = node.get("minItems", 0)
            return st.lists(values(node["items"]), min_size=least, max_size=max(least, 2), unique_by=unique)
        case "integer":
            return st.integers(node["minimum"], node.get("maximum", 2**63 - 1))
        case "boolean":
            return st.booleans()
        case "string":
            return _strings(node)
        case _:
            return st.sampled_from([None, 1, 2.5, "text", [1], {"key": "value"}])


def _objects(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" not in node and "additionalProperties" not in node:  # nothing is known of it
        return st.sampled_from([{}, {"key": "value"}])
    if "additionalProperties" in node:
        return st.dictionaries(st.sampled_from("abc"), values(node["additionalProperties"]), max_size=2)
    fields = {name: values(child) for name, child in node["properties"].items()}
    needed = {name: field for name, field in fields.items() if name in node.get("required", ())}
    return st.fixed_dictionaries(needed, optional={k: v for k, v in fields.items() if k not in needed})


def _strings(node: dict[str, Any]) -> st.SearchStrategy[str]:
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if node.get("format") == "date-time":
        return st.sampled_from(
            ["2026-11-21T10:53:00Z", "2026-11-21T10:53:00.123456Z", "2026-11-21T12:53:00+02:00"]
        )
    if node.get("format") == "date":
        return st.dates().map(str)
    if bounds := re.findall(r"double\(self\) .= ([0-9.]+)", str(node.get("x-kubernetes-validations"))):
        return st.sampled_from(bounds)
    least, most = node.get("minLength", 0), node["maxLength"]
    if "pattern" in node:
        texts = st.from_regex(node["pattern"].replace(r"\s", r"\x00-\x20\x7f-\U0010ffff"), fullmatch=True)
        return texts.filter(lambda text: least <= len(text) <= most)
    return st.text(min_size=least, max_size=min(most, 40))


OBJECTS = {
    kind: st.fixed_dictionaries(
        {"metadata": st.just({"name": "a"})}
        | {part: values(root[part]) for part in ("spec", "status") if part in root}
    )
    for kind, root in ROOTS.items()
}
SLOW = usually(25, suppress=[*HealthCheck])


@SLOW
@given(OBJECTS["AgentRelease"])
def test_every_release_that_the_schema_admits_can_be_read(manifest: dict[str, Any]) -> None:
    """What the API server lets in, the operator understands, and what it writes means the same."""
    release = AgentRelease.model_validate(manifest)

    assert AgentRelease.model_validate(release.to_json()) == release


@SLOW
@given(OBJECTS["AgentRollout"])
def test_every_rollout_that_the_schema_admits_can_be_read(manifest: dict[str, Any]) -> None:
    """What the API server lets in, the operator understands, and what it writes means the same."""
    rollout = AgentRollout.model_validate(manifest)

    assert AgentRollout.model_validate(rollout.to_json()) == rollout


def _atomic_lists(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    """The lists that are replaced as a whole, with the schema of their items."""
    if isinstance(node, dict):
        if node.get("x-kubernetes-list-type") == "atomic":
            yield path, node["items"]
        for key, child in node.items():
            yield from _atomic_lists(child, f"{path}.{key}")


@pytest.mark.parametrize("kind", sorted(ROOTS))
def test_a_list_with_defaults_inside_is_merged_by_name(kind: str) -> None:
    """Under an atomic list, tools that compare find the filled-in defaults as a difference forever."""
    lists = dict(_atomic_lists(ROOTS[kind]["spec"]))

    assert [path for path, items in lists.items() if "'default'" in repr(items)] == []
