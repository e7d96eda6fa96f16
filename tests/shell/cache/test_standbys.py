"""Input: the release that a rollout names as a standby. Output: the rollout is looked at when it changes."""

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.relations import RELEASE, ROLLOUT


def an_object(kind: str, name: str, **spec: object) -> Manifest:
    """An object of a namespace."""
    return {
        "kind": kind,
        "metadata": {"namespace": "here", "name": name, "resourceVersion": "1"},
        "spec": spec,
    }


def test_a_standby_touches_the_rollout_that_names_it() -> None:
    """Whether it can serve is known before it has to; a release that no one names touches only itself."""
    cache = Cache()
    standby = [{"releaseRef": {"name": "spare"}, "gates": ["tool"]}, {"gates": []}, {"releaseRef": None}]
    cache.put(an_object(ROLLOUT, "desk", agent="support", releaseRef={"name": "first"}, standby=standby))
    cache.put(an_object(ROLLOUT, "other", agent="billing", releaseRef={"name": "second"}))

    spare, stranger = (an_object(RELEASE, name, agent="support") for name in ("spare", "stranger"))

    assert Ref(ROLLOUT, "here", "desk") in set(cache.touched_by(spare))
    assert {ref.name for ref in cache.touched_by(stranger)} == {"stranger"}
