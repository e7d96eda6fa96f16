"""The courses that a rollout can take, as what people do: each step waits until something is seen, then acts.

The plans last for seconds and are the same plans that last for hours elsewhere. People see only what the API
server shows, so a step is taken at the same place of the course whatever happens to the operator meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from campaigns.cluster.lanes.recorder import Manifest, Observer, attempt_of, status_of
from sandbox.agents.endpoints import PORT, by_path
from sandbox.people.apiserver import ApiServer

GROUP: Final = "agentrollouts.dev"
VERSIONS: Final = ("1.0.0", "2.0.0", "3.0.0", "4.0.0")
FIRST, SECOND, THIRD, FOURTH = VERSIONS
_LONG: Final = 3600


@dataclass(frozen=True, slots=True)
class Scene:
    """One rollout: what is seen of it, and what people do to it."""

    server: ApiServer
    observer: Observer
    namespace: str
    agent: str
    plan: Mapping[str, Any]

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
        """A release that nobody asks for yet."""
        await self._apply("agentreleases", a_release(self.agent, version))

    async def ask(self, version: str) -> None:
        """Set `releaseRef`."""
        route = {"parentRefs": [{"name": "nobody"}], "hostnames": [f"{self.agent}.example.com"]}
        spec = {
            "agent": self.agent,
            "releaseRef": {"name": f"{self.agent}-{version}"},
            "traffic": {"httpRoute": route | {"statusless": True}},
            **self.plan,
        }
        await self._apply("agentrollouts", _manifest("AgentRollout", self.agent, spec))

    async def approve(self) -> None:
        """Agree to the phase that has passed."""
        approval = f"{self.attempt['number']}/{self.attempt['phaseName']}"
        change = {"metadata": {"annotations": {f"{GROUP}/approve": approval}}}
        await self.server.merge(self.path("agentrollouts", self.agent), change)

    async def delete(self) -> None:
        """Delete the rollout."""
        await self.server.delete(self.path("agentrollouts", self.agent))

    async def clear(self) -> None:
        """Delete all that people wrote; the rest follows by its owners."""
        await self.delete()
        for version in VERSIONS:
            await self.server.delete(self.path("agentreleases", f"{self.agent}-{version}"))

    def path(self, plural: str, name: str) -> str:
        """Where an object of ours is."""
        return f"/apis/{GROUP}/v1alpha1/namespaces/{self.namespace}/{plural}/{name}"

    async def _apply(self, plural: str, manifest: Manifest) -> None:
        manifest["metadata"]["namespace"] = self.namespace
        await self.server.apply(self.path(plural, manifest["metadata"]["name"]), manifest)


@dataclass(frozen=True, slots=True)
class Step:
    """What a person does once something is seen."""

    when: Callable[[Scene], bool]
    act: Callable[[Scene], Any]


def at_once(_: Scene) -> bool:
    """The first step of a course."""
    return True


def half(scene: Scene) -> bool:
    """The second release is seen to have half of the traffic."""
    return scene.attempt.get("state") in {"Canary", "AwaitingApproval"} and scene.serves(SECOND, 50)


def asks_approval(phase: str) -> Callable[[Scene], bool]:
    """The attempt of the release that is asked for waits for a person after this phase."""

    def waits(scene: Scene) -> bool:
        state, name = scene.attempt.get("state"), scene.attempt.get("phaseName")
        return (state, name) == ("AwaitingApproval", phase) and scene.is_trying_what_is_asked

    return waits


def phase(name: str, weight: int, seconds: int = 1, **more: object) -> Manifest:
    """A phase of a plan."""
    return {"name": name, "weight": weight, "durationSeconds": seconds, **more}


def asked(name: str, weight: int, seconds: int = 1) -> Manifest:
    """A phase after which a person is asked."""
    return phase(name, weight, seconds, approval="Required")


UNJUDGED: Final[Manifest] = {
    "gates": [],
    "bake": {"durationSeconds": 0},
    "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},
}
"""A plan that people alone judge; it needs no Prometheus."""
JUDGED: Final[Manifest] = UNJUDGED | {
    "gates": [{"name": "errors", "template": "error-rate", "minSamples": 10}],
    "analysis": {"intervalSeconds": 1, "warmupSeconds": 0, "staleAfterSeconds": 15},
}
FOUR: Final = (
    phase("start", 10),
    asked("half", 50),
    phase("ramp", 52, 2, rampSeconds=2),
    phase("most", 90),
)
WAITING: Final = (asked("half", 50, _LONG),)
UNDECIDED: Final[Manifest] = JUDGED | {
    "gates": [{"name": "errors", "template": "error-rate", "minSamples": 1_000_000}],
}
"""A plan whose gate never has enough runs to answer."""
ONE: Final = (asked("half", 50),)


@dataclass(frozen=True, slots=True)
class Course:
    """From a serving first release, or from nothing, to an end."""

    name: str
    plan: Mapping[str, Any]
    steps: Sequence[Step]
    ends: Callable[[Scene], bool]
    before: Sequence[str] = (FIRST,)
    """The releases that were made healthy before it begins, one after the other."""
    failing: Mapping[str, float] = field(default_factory=dict)
    """Share of a release's runs that fails, by version."""


def _ships(version: str) -> Step:
    return Step(at_once, lambda scene: scene.ship(version))


APPROVES: Final = Step(asks_approval("half"), lambda scene: scene.approve())

COURSES: Final = (
    Course("first", UNJUDGED | {"phases": ONE}, [_ships(FIRST)], lambda s: s.is_ready(FIRST), before=()),
    Course("promote", UNJUDGED | {"phases": FOUR}, [_ships(SECOND), APPROVES], lambda s: s.is_ready(SECOND)),
    Course(
        "judged", JUDGED | {"phases": (phase("half", 50, 2),)}, [_ships(SECOND)], lambda s: s.is_ready(SECOND)
    ),
    Course(
        "breach",
        JUDGED | {"phases": WAITING},
        [_ships(SECOND)],
        lambda s: s.is_over("RolledBack", FIRST),
        failing={SECOND: 0.9},
    ),
    Course(
        "held",
        UNDECIDED | {"phases": (phase("half", 50),)},
        [_ships(SECOND)],
        lambda s: s.attempt.get("state") == "Held" and s.serves(SECOND, 50),
    ),
    Course(
        "revert",
        UNJUDGED | {"phases": WAITING},
        [_ships(SECOND), Step(half, lambda scene: scene.ask(FIRST))],
        lambda s: s.is_ready(FIRST) and s.attempt.get("state") == "RolledBack",
    ),
    Course(
        "supersede",
        UNJUDGED | {"phases": ONE},
        [_ships(SECOND), Step(half, lambda scene: scene.ship(THIRD)), APPROVES],
        lambda s: s.is_ready(THIRD),
    ),
    Course(
        "delete",
        UNJUDGED | {"phases": WAITING},
        [_ships(SECOND), Step(half, lambda scene: scene.delete())],
        lambda s: not s.rollout and s.observer.get("HTTPRoute", s.namespace, s.agent) is None,
    ),
    Course(
        "switch",
        UNJUDGED | {"phases": ONE},
        [Step(at_once, lambda scene: scene.ask(FIRST))],
        lambda s: s.is_ready(FIRST),
        before=(FIRST, SECOND),
    ),
)


def shares(route: Manifest) -> dict[str, int]:
    """Services of a route and their weights."""
    return {backend["name"]: backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]}


def service_of(version: str) -> str:
    """The service of a release; one for all agents, as nobody listens there."""
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
