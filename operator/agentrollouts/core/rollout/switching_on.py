"""The order to end a detour: carried out as soon as what gets the traffic again can answer.

With `release`, the chain of checks carries it out, as another release begins.
"""

from dataclasses import replace

from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.action.take import Requests, answered
from agentrollouts.core.containment.detour import ended
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.traffic.weights import desired_split


def switched_on(obs: Observation, requests: Requests) -> Requests:
    """Without the detour, if someone ends it; or with what that waits for."""
    order, status = requests.switch_on, requests.status
    if order is None or status.detour is None or order.spec.release:
        return requests
    left = ended(status, order.spec.requested_by, obs.now)
    routed = _served(left) if obs.rollout.spec.traffic.by_route else ()
    services = {record.service_name: record.release for record in routed if record.service_name}
    if unread := services.keys() - obs.endpoints.keys():
        return replace(requests, unread=frozenset(unread))
    deserted = [name for name in services if obs.endpoints[name] is False]
    if deserted:
        names = ", ".join(f"Service {name} of {services[name]}" for name in deserted)
        return replace(requests, waits=f"{names} has no ready endpoint; it is looked at every 10 s")
    done = replace(requests, status=left, switch_on=None)
    return answered(done, order, Reason.DONE, _message(left), obs.now)


def _served(status: AgentRolloutStatus) -> tuple[ReleaseRecord, ...]:
    split = desired_split(status)
    return split.sharing if split else ()


def _message(status: AgentRolloutStatus) -> str:
    names = " and ".join(record.release for record in _served(status))
    return f"the traffic goes to {names} again" if names else "no release has served yet"
