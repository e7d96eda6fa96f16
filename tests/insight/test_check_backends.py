"""Releases behind another backend than a Service, as `kubectl agentrollout check` lists them."""

from typing import Final

from agentrollouts.api.release import ServiceRef, Serving
from agentrollouts.insight.check.lines import Found, Line, Mark, Seen
from agentrollouts.insight.check.release import releases, services
from testkit.builders.names import NEW, OLD, START, service_of
from testkit.builders.releases import a_ready_release, a_record
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_ROUTE

POOL: Final = ServiceRef(name="pool", kind="InferencePool", group="inference.networking.k8s.io")


def test_no_service_is_looked_for_behind_a_pool() -> None:
    """Only the Service of stable is read; of the canary's pool, the line says that it is not."""
    rollout = (
        a_rollout(traffic=BY_ROUTE)
        .serving(OLD)
        .trying(NEW)
        .having(canary=a_record(NEW, service=POOL))
        .build()
    )
    release = a_ready_release(NEW)
    desired = release.replace(spec=release.spec.replace(serving=Serving(service=POOL))).to_json()
    seen = Seen(START, rollout.to_json(), kinds={"AgentRelease": Found({NEW: desired})})

    assert list(services(seen, rollout)) == [service_of(OLD)]
    assert list(releases(seen, rollout))[-1] == Line(
        Mark.UNKNOWN, f"InferencePool pool of {NEW} is not a Service, so its endpoints are not read"
    )


def test_a_service_that_is_written_out_is_one() -> None:
    """`kind: Service` in the release is the default, and is read."""
    rollout = a_rollout(traffic=BY_ROUTE).build()
    serving = {"service": {"name": "written", "port": 8080, "kind": "Service"}}
    desired = {"metadata": {"name": NEW}, "spec": {"serving": serving}}
    seen = Seen(START, rollout.to_json(), kinds={"AgentRelease": Found({NEW: desired})})

    assert list(services(seen, rollout)) == ["written"]
