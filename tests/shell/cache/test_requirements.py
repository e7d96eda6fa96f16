"""Rollouts and releases that require agents, in any order. Output: whom a change of what one serves wakes."""

from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.recovery.group.requirements import Other, Served, other_of
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.index.requirements import dependents, required_by
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.others import OtherRollouts
from agentrollouts.shell.relations import RELEASE, ROLLOUT
from agentrollouts.shell.workqueue import WorkQueue
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from testkit.requirements import BILLING_AGENT, a_requirement, requiring

AGENTS: Final = ("support", "billing", "faq")


def a_stored(
    name: str, version: int, *requires: str, agent: str = "", canary: str = "", weight: int = 0
) -> Manifest:
    """A rollout whose stable release requires these agents; `canary` is the version of one."""
    ranges = [{"agent": each, "versions": ">=1.0.0"} for each in requires]
    stable = {"release": f"{name}-1.0.0", "version": "1.0.0", **({"requires": ranges} if ranges else {})}
    status: dict[str, Any] = {"stable": stable, "attempt": {"state": "Canary", "weight": weight}}
    if canary:
        status["canary"] = {"release": f"{name}-{canary}", "version": canary}
    return {
        "kind": ROLLOUT,
        "metadata": {"name": name, "namespace": "here", "resourceVersion": str(version)},
        "spec": {"agent": agent or name, "releaseRef": {"name": f"{name}-2.0.0"}},
        "status": status,
    }


def a_release(name: str, version: int, *requires: str) -> Manifest:
    """A release that requires these agents."""
    ranges = [{"agent": each, "versions": ">=1.0.0"} for each in requires]
    return {
        "kind": RELEASE,
        "metadata": {"name": name, "namespace": "here", "resourceVersion": str(version)},
        "spec": {"agent": name.partition("-")[0], "requires": ranges, "components": {}},
    }


def woken(cache: Cache, manifest: Manifest) -> list[str]:
    """The other rollouts that are looked at when this one changes."""
    return [ref.name for ref in dependents(manifest, cache)]


def filled(*manifests: Manifest) -> Cache:
    """A cache with these objects."""
    cache = Cache()
    for manifest in manifests:
        cache.put(manifest)
    return cache


def test_who_requires_an_agent_is_woken_when_it_serves_something_else() -> None:
    """A new share, a promotion and a deletion concern them; an approval or a number does not."""
    before = a_stored("billing", 1)
    cache = filled(before, a_stored("support", 2, "billing"), a_stored("faq", 3))

    assert woken(cache, a_stored("billing", 4)) == []
    assert woken(cache, a_stored("billing", 4, canary="2.0.0")) == ["support"]
    assert woken(cache, a_stored("billing", 4, canary="2.0.0", weight=5)) == ["support"]
    assert [ref.name for ref in dependents(before, cache, is_gone=True)] == ["support"]
    assert woken(filled(a_stored("support", 2, "billing")), before) == ["support"]


def test_a_pending_release_is_woken_by_the_agent_that_it_waits_for() -> None:
    """The rollout that names a release has no record of it yet."""
    cache = filled(a_stored("support", 1), a_release("support-2.0.0", 2, "billing"), a_stored("billing", 3))

    assert woken(cache, a_stored("billing", 4, canary="2.0.0", weight=5)) == ["support"]


def test_an_agent_is_woken_when_no_release_excludes_it_any_longer() -> None:
    """Whoever ships a wider range, or none, lets the agent that it required go forward."""
    cache = filled(a_stored("support", 1, "billing"), a_stored("billing", 2), a_stored("faq", 3))

    assert woken(cache, a_stored("support", 4)) == ["billing"]
    assert woken(cache, a_stored("support", 4, "faq")) == ["billing", "faq"]


def test_a_rollout_without_requirements_is_not_even_unpacked() -> None:
    """Where nothing requires anything, a change costs look-ups in the index alone."""

    class Counting(Cache):
        unpacked = 0

        def get(self, key: Ref) -> Manifest | None:
            self.unpacked += 1
            return super().get(key)

    cache = Counting()
    for name in AGENTS:
        cache.put(a_stored(name, 1))
    assert dependents(a_stored("billing", 2, canary="2.0.0", weight=5), cache) == ()
    support = AgentRollout.model_validate(a_rollout().serving(OLD).build().to_json())
    assert OtherRollouts(cache).around(support, None) == ()
    assert cache.unpacked == 0


NAMES = st.sampled_from(AGENTS)
ROLLOUTS = st.builds(
    lambda name, requires, canary, weight: (name, tuple(sorted(requires)), canary, weight),
    NAMES,
    st.sets(NAMES, max_size=2),
    st.sampled_from(["", "2.0.0"]),
    st.sampled_from([0, 5]),
)


@given(past=st.lists(ROLLOUTS, max_size=6), news=ROLLOUTS)
def test_exactly_those_that_a_change_concerns_are_woken(past: list[Any], news: Any) -> None:  # noqa: ANN401 drawn
    """Compared with a look at every rollout, after any past."""
    cache, there = Cache(), dict[str, Manifest]()
    for version, (name, requires, canary, weight) in enumerate(past, start=1):
        there[name] = a_stored(name, version, *requires, canary=canary, weight=weight)
        cache.put(there[name])
    name, requires, canary, weight = news
    after = a_stored(name, 99, *requires, canary=canary, weight=weight)
    before = there.get(name)
    concerned = required_by(after) | (required_by(before) if before else frozenset())
    expected = {
        other for other, manifest in there.items() if name in required_by(manifest) or other in concerned
    } - {name}
    if before is not None and other_of(before) == other_of(after):
        expected = set()

    assert set(woken(cache, after)) == expected


def test_the_queue_gets_them() -> None:
    """From the watch to the queue, also for a rollout that is gone."""
    queue, cache = WorkQueue[Ref](lambda: 0.0), Cache()
    intake = Intake(cache, queue)
    for manifest in (a_stored("billing", 1), a_stored("support", 2, "billing")):
        intake.put(manifest)
    marked = list[str]()
    queue.mark = lambda key, **_: marked.append(key.name)  # type: ignore[method-assign]
    intake.put(a_stored("billing", 3, canary="2.0.0", weight=5))
    assert sorted(marked) == ["billing", "support"]
    marked.clear()
    intake.drop(a_stored("billing", 4))
    assert sorted(set(marked)) == ["billing", "support"]


def test_an_observation_has_the_rollouts_that_requirements_are_about() -> None:
    """Those of the agents that it requires or would require, and those that require its agent."""
    requires = (a_requirement(),)
    support = a_rollout().asking_for(NEW).serving(OLD)
    billing = a_stored(BILLING_AGENT, 1) | {}
    billing["metadata"]["namespace"] = NAMESPACE
    faq = a_stored("faq", 2, AGENT)
    faq["metadata"]["namespace"] = NAMESPACE
    others = OtherRollouts(filled(billing, faq, a_stored(BILLING_AGENT, 3)))

    assert [each.rollout for each in others.around(support.build(), None)] == ["faq"]
    for rollout, release in (
        (support, requiring(NEW)),
        (support.having(stable=a_record(OLD, requires=requires)), None),
        (support.trying(NEW).having(canary=a_record(NEW, requires=requires)), None),
    ):
        assert others.around(rollout.build(), release) == (
            Other(BILLING_AGENT, BILLING_AGENT, (Served(f"{BILLING_AGENT}-1.0.0", "1.0.0", True),)),  # noqa: FBT003
            other_of(faq),
        )
