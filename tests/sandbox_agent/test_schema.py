"""The check of tool arguments against a schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.agent.schema import problems, unknown_keywords

NAMES = st.sampled_from(["order_number", "amount", "reason", "note"])
VALUES: dict[str, st.SearchStrategy[object]] = {
    "string": st.text(max_size=5),
    "integer": st.integers(),
    "number": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "null": st.none(),
    "array": st.lists(st.integers(), max_size=2),
    "object": st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
}
KINDS = st.sampled_from(sorted(VALUES))


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, Any]:
    """A tool's schema: typed parameters, some required, nothing else allowed."""
    kinds = draw(st.dictionaries(NAMES, KINDS, min_size=1))
    required = draw(st.lists(st.sampled_from(sorted(kinds)), unique=True))
    properties = {name: {"type": kind} for name, kind in kinds.items()}
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


@st.composite
def schemas_with_arguments(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, object]]:
    """A schema, and arguments that fit it."""
    schema = draw(schemas())
    optional = [name for name in schema["properties"] if name not in schema["required"]]
    given_names = schema["required"] + draw(
        st.lists(st.sampled_from(optional), unique=True) if optional else st.just([])
    )
    return schema, {name: draw(VALUES[schema["properties"][name]["type"]]) for name in given_names}


@given(schemas_with_arguments())
def test_fitting_arguments(case: tuple[dict[str, Any], dict[str, object]]) -> None:
    """Arguments of the declared names and types, with all required ones, have no problems."""
    schema, arguments = case

    assert problems(schema, arguments) == []


@given(schemas_with_arguments(), st.data())
def test_missing_argument(case: tuple[dict[str, Any], dict[str, object]], data: st.DataObject) -> None:
    """Leaving out one required argument gives exactly one problem, which names it."""
    schema, arguments = case
    if not schema["required"]:
        return
    name = data.draw(st.sampled_from(schema["required"]))

    assert problems(schema, {k: v for k, v in arguments.items() if k != name}) == [f"{name} is missing"]


@given(schemas_with_arguments())
def test_unknown_argument(case: tuple[dict[str, Any], dict[str, object]]) -> None:
    """An argument that the schema does not list is named, and allowed again where the schema is open."""
    schema, arguments = case
    extended = {**arguments, "order_id": "A-1"}

    assert problems(schema, extended) == ["order_id is not a parameter"]
    assert problems({**schema, "additionalProperties": True}, extended) == []


@given(KINDS, KINDS, st.data())
def test_types_are_told_apart(declared_kind: str, given_kind: str, data: st.DataObject) -> None:
    """A value has a problem just when its type is another one; whole numbers are integers and numbers."""
    value = data.draw(VALUES[given_kind])
    whole = isinstance(value, float) and value.is_integer()
    fits = (
        declared_kind == given_kind
        or (given_kind == "integer" and declared_kind == "number")
        or (declared_kind == "integer" and whole)
    )

    assert problems({"type": declared_kind}, value) == (
        [] if fits else [f"the arguments must be of type {declared_kind}"]
    )


def test_nested_problem_names_its_path() -> None:
    """A problem inside an object says where it is."""
    schema = {
        "properties": {
            "to": {"type": "object", "required": ["city"], "properties": {"zip": {"enum": ["1", "2"]}}}
        }
    }

    assert problems(schema, {"to": {"zip": "3"}}) == ["to.city is missing", "to.zip must be one of 1, 2"]


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ({"type": "object", "title": "t", "properties": {"a": {"type": "string", "description": "d"}}}, []),
        ({"pattern": "x"}, ["/pattern"]),
        ({"properties": {"a": {"oneOf": []}}}, ["/properties/a/oneOf"]),
        ({"type": ["string", "null"]}, ["/type"]),
        ({"type": "text"}, ["/type"]),
        ({"additionalProperties": {"type": "string"}}, ["/additionalProperties"]),
    ],
)
def test_keywords_that_are_not_checked_are_found(schema: dict[str, Any], paths: list[str]) -> None:
    """Each keyword or form that the check would skip is reported with its path, annotations are not."""
    assert unknown_keywords(schema) == paths
