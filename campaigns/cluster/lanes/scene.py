"""One rollout as people see it, and what they do to it through the API server."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from campaigns.cluster.lanes import jobs
from campaigns.cluster.lanes.recorder import Manifest, Observer, attempt_of, rollout_of_job, status_of
from sandbox.agents.endpoints import PORT, by_path
from sandbox.people.apiserver import ApiServer
from testkit.agents import Agents

GROUP: Final = "agentrollouts.dev"
VERSIONS: Final = ("1.0.0", "2.0.0", "3.0.0", "4.0.0")
FIRST, SECOND, THIRD, FOURTH = VERSIONS
ANA: Final = "ana@example.com"
LEE: Final = "lee@example.com"
FALLBACK: Final = "queue"
"""The Service that answers while an agent is switched off; no process listens there either."""
SIBLING: Final = "two"
"""What the name of the second rollout of a scene adds to that of the first."""
_OF_NO_ATTEMPT: Final = frozenset({"SwitchOff", "SwitchOn"})


@dataclass(frozen=True, slots=True)
class Scene:
    """One rollout: what is seen of it, and what people do to it."""

    server: ApiServer
    observer: Observer
    namespace: str
    agent: str
    plan: Mapping[str, Any]
    agents: Agents

    @property
    def rollout(self) -> Manifest:
        """The object now; empty if there is none."""
        return self.observer.get("AgentRollout", self.namespace, self.agent) or {}

    @property
    def status(self) -> Manifest:
        """Its status."""
        return status_of(self.rollout)

    @property
    def attempt(self) -> Manifest:
        """The attempt of its status."""
        return attempt_of(self.rollout)

    @property
    def is_trying_what_is_asked(self) -> bool:
        """Whether the canary is the release that `releaseRef` names; right after an edit it is not yet."""
        canary = self.status.get("canary", {}).get("release")
        return bool(canary == self.rollout.get("spec", {}).get("releaseRef", {}).get("name"))

    @property
    def sibling(self) -> Self:
        """The other rollout of a group of two, with the same plan."""
        return replace(self, agent=f"{self.agent}-{SIBLING}")

    @property
    def is_off(self) -> bool:
        """Whether everything goes to the fallback, and the status says so."""
        route = self.observer.get("HTTPRoute", self.namespace, self.agent)
        return route is not None and shares(route) == {FALLBACK: 100} and "detour" in self.status

    def job(self, hook: str) -> Manifest | None:
        """The Job of a hook that has not ended; None if there is none."""
        found = self.observer.all("Job", self.namespace)
        mine = [job for job in found if rollout_of_job(job) == self.agent and not jobs.is_over(job)]
        return next((job for job in mine if job["metadata"]["name"].startswith(f"{hook}-")), None)

    async def complete(self, hook: str) -> None:
        """The pod of a hook has succeeded."""
        if job := self.job(hook):  # it is over already where this is tried again
            await self.server.merge(f"{jobs.path_of(job)}/status", jobs.completed(job))

    def serves(self, version: str, share: int) -> bool:
        """Whether the route gives a release this share."""
        route = self.observer.get("HTTPRoute", self.namespace, self.agent)
        return route is not None and shares(route).get(service_of(version)) == share

    def is_ready(self, version: str) -> bool:
        """Whether a release has all traffic and nothing is under way."""
        conditions = {condition["type"]: condition for condition in self.status.get("conditions", ())}
        return conditions.get("Ready", {}).get("status") == "True" and self.serves(version, 100)

    def is_over(self, state: str, version: str) -> bool:
        """Whether the last attempt ended so, and who serves then."""
        return self.attempt.get("state") == state and self.serves(version, 100)

    async def ship(self, version: str) -> None:
        """One commit: the release, and the rollout that asks for it."""
        await self.make(version)
        await self.ask(version)

    async def make(self, version: str) -> None:
        """A release that no rollout names yet."""
        await self._apply("agentreleases", a_release(self.agent, version))

    async def ask(self, version: str) -> None:
        """Set `releaseRef`."""
        route = {"parentRefs": [{"name": "no-gateway"}], "hostnames": [f"{self.agent}.example.com"]}
        spec = {
            "agent": self.agent,
            "releaseRef": {"name": f"{self.agent}-{version}"},
            "traffic": {"httpRoute": route | {"statusless": True}},
            **self.plan,
            **self._standbys(),
        }
        await self._apply("agentrollouts", _manifest("AgentRollout", self.agent, spec))

    async def act(self, kind: str, by: str = LEE, **fields: str | int) -> None:
        """Request something of the attempt; the same request twice is one action."""
        spec = {
            "rollout": self.agent,
            "type": kind,
            "requestedBy": by,
            "reason": "It is a campaign",
            **fields,
        }
        if kind not in _OF_NO_ATTEMPT:
            spec["attempt"] = self.attempt["number"]
        words = (self.agent, kind, spec.get("attempt"), by.partition("@")[0], spec.get("phase", ""))
        action = _manifest("AgentRolloutAction", "-".join(map(str, filter(None, words))).lower(), spec)
        path = self.path("agentrolloutactions", "").removesuffix("/")
        await self.server.create_as(by, path, action)

    async def approve(self, by: str = LEE) -> None:
        """Agree to the phase that has passed."""
        await self.act("Approve", by, phase=self.attempt["phaseName"])

    async def retry(self) -> None:
        """Try again what is in quarantine."""
        entry = self.status["quarantined"][0]
        await self.act("Retry", attempt=entry["attempt"], release=entry["release"])

    async def roll_back(self) -> None:
        """Roll back the canary if there is one, else stable."""
        record = self.status.get("canary") or self.status["stable"]
        await self.act("RollBack", release=record["release"])

    def is_answered(self, kind: str, result: str) -> bool:
        """Whether the newest action of that type is answered so."""
        entries = (entry for entry in self.status.get("actions", ()) if entry["type"] == kind)
        return next((entry["result"] == result for entry in entries), False)

    async def mend(self, version: str) -> None:
        """Whatever made the runs of a release fail is repaired."""
        self.agents.fail(self.namespace, f"{self.agent}-{version}", 0.0)

    async def delete(self) -> None:
        """Delete the rollout."""
        await self.server.delete(self.path("agentrollouts", self.agent))

    async def clear(self) -> None:
        """Delete all that people wrote, and Jobs, which outlive a rollout; the rest follows by its owners."""
        if self.sibling.rollout:
            await self.sibling.clear()
        await self.delete()
        for job in self.observer.all("Job", self.namespace):
            if rollout_of_job(job) == self.agent:
                await self.server.delete(jobs.path_of(job))
        for action in self.observer.all("AgentRolloutAction", self.namespace):
            if action["spec"]["rollout"] == self.agent:
                await self.server.delete(self.path("agentrolloutactions", action["metadata"]["name"]))
        for version in VERSIONS:
            await self.server.delete(self.path("agentreleases", f"{self.agent}-{version}"))

    def path(self, plural: str, name: str) -> str:
        """Where an object of ours is."""
        return f"/apis/{GROUP}/v1alpha1/namespaces/{self.namespace}/{plural}/{name}"

    def _standbys(self) -> dict[str, Any]:
        """The standbys of the plan, which names them by version."""
        planned = self.plan.get("standby", ())
        named = ({"name": f"{self.agent}-{each['releaseRef']['name']}"} for each in planned)
        made = [each | {"releaseRef": ref} for each, ref in zip(planned, named, strict=True)]
        return {"standby": made} if made else {}

    async def _apply(self, plural: str, manifest: Manifest) -> None:
        manifest["metadata"]["namespace"] = self.namespace
        await self.server.apply(self.path(plural, manifest["metadata"]["name"]), manifest)


def shares(route: Manifest) -> dict[str, int]:
    """Services of a route and their weights."""
    return {backend["name"]: backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]}


def service_of(version: str) -> str:
    """The service of a release; one for all agents, as no process listens there."""
    return f"release-{version.replace('.', '-')}"


def a_release(agent: str, version: str) -> Manifest:
    """A release; its digest differs by version alone."""
    components = {
        "prompt": {"version": "1.0.0", "inline": {"system": f"You are {version}."}},
        "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
    }
    serving = {"service": {"name": service_of(version), "port": PORT}}
    spec = {"agent": agent, "version": version, "components": components, "serving": serving}
    return _manifest("AgentRelease", f"{agent}-{version}", spec)


def services(namespace: str) -> dict[str, Manifest]:
    """The services of all versions, by path."""
    return by_path(namespace, map(service_of, VERSIONS))


def _manifest(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
