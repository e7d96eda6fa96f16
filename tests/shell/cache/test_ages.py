"""Input: objects that come and go. Output: how many are older than one, and all by age."""

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.shell.ages import Ages

KINDS = st.sampled_from(["AgentRollout", "AgentRelease"])
OBJECTS = st.dictionaries(
    st.builds(Ref, KINDS, st.sampled_from("ab"), st.text(max_size=2)),
    st.sampled_from(["2026-11-20T10:00:00Z", "2026-11-20T10:00:01Z", ""]),
    max_size=12,
)


@given(OBJECTS, st.data())
def test_ages_are_those_of_the_objects_that_are_there(objects: dict[Ref, str], data: st.DataObject) -> None:
    """In any order of adding, and after some are removed, as a sort of the namespace has them."""
    ages = Ages()
    for key in data.draw(st.permutations(list(objects))):
        ages.add(key, objects[key])
    for key in data.draw(st.sets(st.sampled_from(sorted(objects)))) if objects else ():
        ages.remove(key, objects.pop(key))

    for kind, namespace in {(key.kind, key.namespace) for key in objects} | {("AgentRollout", "a")}:
        line = sorted(
            (key for key in objects if (key.kind, key.namespace) == (kind, namespace)),
            key=lambda key: (objects[key], key.name),
        )
        assert list(ages.of(kind, namespace)) == line
        assert [ages.rank(key, objects[key]) for key in line] == list(range(len(line)))
