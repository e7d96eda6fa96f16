"""Input: names as long as they may be, and a namespace of Kubernetes. Output: what is served and said."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.manifests import a_release, a_rollout, phase, routed
from tests.e2e.scene import HALF, Scene, condition_of
from tests.e2e.witness import eventually

LONGEST: Final = 63
"""Characters of a release and of a namespace."""
OF_ROLLOUT: Final = 55
"""Other objects are named after a rollout."""
QUICK: Final = [phase("p" * LONGEST, 50, 5)]


def longest(first: str, length: int) -> str:
    """A name of that length."""
    return first + "x" * (length - len(first))


def test_names_as_long_as_they_may_be(open_scene: Callable[..., AbstractContextManager[Scene]]) -> None:
    """A canary is promoted, and the next one rolled back by an action; all of it is in the records."""
    with open_scene(longest("scene-", LONGEST)) as given:
        agent = longest("agent-", OF_ROLLOUT)
        [shop] = given.serving(agent, traffic=routed(given.namespace))
        shop.ships("2.10.10", phases=QUICK)
        assert len(shop.asked) == LONGEST
        shop.comes_to("Healthy")
        shop.ships("3.10.10", phases=HALF)
        shop.is_counting(phase="half")
        assert shop.answer(shop.act("RollBack", release=shop.asked))[0] == "Done"
        shop.is_back()
        shop.comes_to("RolledBack")
        shop.until("all is recorded", lambda: not shop.status["record"].get("unwritten"))
        assert [entry["release"] for entry in shop.status["quarantined"]] == [shop.asked]


def test_nothing_is_written_in_a_namespace_of_kubernetes(given: Scene) -> None:
    """The release says which policy refuses its snapshot, and the rollout waits for it."""
    where = "kube-system"
    release, rollout = a_release(where, "agent"), a_rollout(where, "agent", "agent-1.0.0")
    try:
        given.api.apply(release, rollout)

        def refused() -> str:
            ready = condition_of(given.api.get(Ref.of(release)), "Ready")
            return str(ready.get("message", "")) if ready.get("status") == "False" else ""

        said = eventually("it is said", refused)
        assert "the operator writes nothing in namespaces that begin with kube-" in said
        waiting = eventually("it waits", lambda: condition_of(given.api.get(Ref.of(rollout)), "Ready"))
        assert (waiting["status"], waiting["reason"]) == ("False", "ReleaseNotReady")
    finally:
        given.api.delete(Ref.of(rollout))
        given.api.delete(Ref.of(release))
