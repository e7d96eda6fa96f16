"""The difference of two bundles."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.insight.difference.compared import compare

LINES = st.lists(st.sampled_from(["a", "b", "c", "- d"]), max_size=6).map("\n".join)


def bundle(system: str, **components: object) -> str:
    """A `bundle.json`."""
    prompt: dict[str, Any] = {"version": "1.0.0", "content": {"system": system}}
    return json.dumps({"prompt": prompt, "model": {"version": "2.0.0", "name": "m"}, **components})


@given(LINES, LINES)
def test_the_lines_of_a_text_lead_from_one_to_the_other(before: str, after: str) -> None:
    """As many lines are new, less those that are gone, as the text has grown; equal texts have none."""
    found = compare(bundle(before), bundle(after))
    lines = [line for each in found.changed for field in each.fields for line in field.lines]
    new = [line.text for line in lines if line.sign == "+"]
    gone = [line.text for line in lines if line.sign == "-"]

    assert bool(lines) == (before != after)
    assert len(new) - len(gone) == len(after.splitlines()) - len(before.splitlines())
    assert sorted([*before.splitlines(), *new]) == sorted([*after.splitlines(), *gone])


def test_fields_are_named_by_their_path() -> None:
    """A component that is new, one that changed deep inside, and those that did not change."""
    tools = {"version": "1.0.0", "content": {"refund": {"fields": ["order"]}}}
    changed = {"version": "2.0.0", "content": {"refund": {"fields": ["order", "reason"]}}}
    found = compare(bundle("x", tools=tools), bundle("x", tools=changed, memory={"version": "1.0.0"}))

    names = [(each.name, each.change, each.before, each.after) for each in found.changed]
    assert names == [("tools", "Major", "1.0.0", "2.0.0"), ("memory", "Added", None, "1.0.0")]
    assert [field.path for field in found.changed[0].fields] == ["refund.fields"]
    assert found.unchanged == ("prompt", "model")
