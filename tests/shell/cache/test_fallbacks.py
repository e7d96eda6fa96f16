"""Rollouts of which one answers for another. Output: whom a change of what one serves wakes."""

from typing import Any, Final

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.containment.fallback import Lead
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.index.fallbacks import followers
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.others import OtherRollouts
from agentrollouts.shell.relations import ROLLOUT
from agentrollouts.shell.workqueue import WorkQueue
from testkit.builders.names import NAMESPACE, NEW, OLD, service_of
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout

FAQ: Final = Ref(ROLLOUT, NAMESPACE, "faq")
SUPPORT: Final = Ref(ROLLOUT, NAMESPACE, "support")


def a_stored(name: str, version: int, *, stable: str | None = None, fallback: Any = None) -> Manifest:  # noqa: ANN401 hostile too
    """A rollout as the API server has it."""
    spec: dict[str, Any] = {"agent": name, "releaseRef": {"name": OLD}}
    return {
        "kind": ROLLOUT,
        "metadata": {"name": name, "namespace": NAMESPACE, "resourceVersion": str(version)},
        "spec": spec | ({"fallback": fallback} if fallback is not None else {}),
        "status": {"stable": a_record(stable).to_json()} if stable else {},
    }


TO_FAQ: Final = {"rollout": {"name": "faq"}}


def filled(*manifests: Manifest) -> Cache:
    """A cache with these objects."""
    cache = Cache()
    for manifest in manifests:
        cache.put(manifest)
    return cache


def test_who_falls_back_to_an_agent_is_woken_when_that_serves_something_else() -> None:
    """A promotion, a detour and a deletion concern it; an approval, a number or another agent does not."""
    before = a_stored("faq", 1, stable=OLD)
    cache = filled(before, a_stored("support", 2, fallback=TO_FAQ), a_stored("other", 3, stable=OLD))

    assert followers(a_stored("faq", 4, stable=OLD), cache) == ()
    assert followers(a_stored("other", 4, stable=NEW), cache) == ()
    assert followers(a_stored("faq", 4, stable=NEW), cache) == (SUPPORT,)
    assert followers(a_stored("faq", 4), cache) == (SUPPORT,)
    assert followers(before, cache, is_gone=True) == (SUPPORT,)
    away = before | {"metadata": before["metadata"] | {"namespace": "elsewhere"}}
    assert followers(away, cache) == (), "nothing crosses a namespace"


def test_a_change_marks_the_rollout_that_falls_back() -> None:
    """Through the one door through which watch events come, and in any order of the two objects."""
    cache = Cache()
    queue = WorkQueue[Ref](lambda: 0.0)
    intake = Intake(cache, queue)
    marked = list[Ref]()
    queue.mark = lambda key, **_: marked.append(key)  # type: ignore[method-assign]
    intake.put(a_stored("support", 1, fallback=TO_FAQ))
    for manifest in (a_stored("faq", 2), a_stored("faq", 3, stable=OLD), a_stored("faq", 4, stable=NEW)):
        marked.clear()
        intake.put(manifest)
        assert SUPPORT in marked, manifest
    marked.clear()
    intake.put(a_stored("faq", 5, stable=NEW) | {"spec": {"agent": "faq", "paused": True}})
    assert set(marked) == {FAQ}
    marked.clear()
    intake.drop(a_stored("faq", 6))
    assert SUPPORT in marked


def test_what_is_seen_is_what_the_other_agent_serves() -> None:
    """Nothing is read for it; of an object whose outline alone is known, it is not known."""
    builder = a_rollout(fallback=TO_FAQ)
    rollout: AgentRollout = builder.build()
    others = OtherRollouts(filled(a_stored("faq", 1, stable=OLD)))
    assert others.fallback_of(rollout) == Lead(OLD, a_record(OLD).service)
    assert service_of(OLD) in str(others.fallback_of(rollout))
    assert OtherRollouts(Cache()).fallback_of(rollout) == Lead(problem="AgentRollout faq does not exist")
    assert others.fallback_of(a_rollout().build()) is None


def test_hostile_specs_have_no_entry() -> None:
    """They were stored before the schema refused them."""
    hostile: list[Any] = [5, [], {"rollout": 5}, {"rollout": {"name": 5}}, {"rollout": {"name": {}}}]
    for fallback in hostile:
        assert followers(a_stored("faq", 2), filled(a_stored("support", 1, fallback=fallback))) == ()
