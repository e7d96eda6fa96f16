"""What is read about hooks comes back in the next observation, and their Jobs rest on a known status."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import ANNOTATION_HOOK_KEY
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Creation, Problem
from agentrollouts.core.recovery.hooks.reads import HookReads
from agentrollouts.core.recovery.hooks.response import Call, CallKey, Response
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.settings.hooks import Endpoint, HookSettings
from agentrollouts.shell.controllers.rollout_hooks import RolloutHooks
from agentrollouts.shell.effects.calls import Calls
from testkit.builders.names import AGENT, NAMESPACE, START
from testkit.builders.rollouts import a_rollout
from tests.shell.virtual import pass_time, run

KEY = Ref("AgentRollout", NAMESPACE, AGENT)
ROLLOUT: Manifest = {"kind": "AgentRollout", "metadata": {"name": AGENT, "namespace": NAMESPACE}}
METADATA = {"name": "reverse-1", "namespace": NAMESPACE, "annotations": {ANNOTATION_HOOK_KEY: "a/b"}}
JOB: Manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": METADATA}
READS = HookReads(jobs=frozenset({"reverse-1"}))
CREATING = Decision(hook_reads=READS, creations=(Creation(JOB),))


@dataclass
class Server:
    """An API server without objects, which can refuse to create some."""

    error: ClusterError | None = None
    created: list[str] = field(default_factory=list)
    objects: dict[Ref, Manifest] = field(default_factory=dict)

    async def get(self, ref: Ref) -> Manifest | None:
        """Nothing is there."""
        return self.objects.get(ref)

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create it."""
        assert not dry_run
        if self.error is not None:
            raise self.error
        self.created.append(manifest["metadata"]["name"])
        return manifest


@dataclass
class Channel:
    """Endpoints that accept everything after a second."""

    sent: list[Call] = field(default_factory=list)

    async def send(self, endpoint: Endpoint, call: Call) -> Response:
        """Respond 204."""
        assert endpoint.name == call.endpoint
        self.sent.append(call)
        await pass_time(1.0)
        return Response(204)

    def close(self) -> None:
        """Nothing is kept."""


@dataclass
class Confirmations:
    """Whether the persisted status is current."""

    error: ClusterError | None = None
    made: int = 0

    async def __call__(self, manifest: Manifest) -> None:
        """Read the rollout."""
        assert manifest is ROLLOUT
        self.made += 1
        if self.error is not None:
            raise self.error


def an_observation() -> Observation:
    """A rollout at rest."""
    return Observation(now=START, rollout=a_rollout().build())


def test_what_was_read_and_created_is_in_the_next_observation() -> None:
    """First the Job does not exist, then it is there; without hooks, the observation is the same object."""

    async def work() -> None:
        marked: list[Ref] = []
        hooks, obs = RolloutHooks.over(Server(), marked.append, HookSettings()), an_observation()
        assert hooks.seen(KEY, obs) is obs
        hooks.follow(KEY, CREATING)
        await pass_time(1.0)
        assert (hooks.seen(KEY, obs).jobs, marked) == ({"reverse-1": None}, [KEY])

        assert await hooks.create(KEY, ROLLOUT, CREATING, Confirmations()) is None

        assert (hooks.seen(KEY, obs).jobs, marked) == ({"reverse-1": JOB}, [KEY, KEY])
        hooks.follow(KEY, Decision())
        assert hooks.seen(KEY, obs) is obs

    run(work())


@pytest.mark.parametrize(("status", "confirmations"), [(None, 1), (AgentRolloutStatus(), 0)])
def test_the_persisted_status_is_confirmed_unless_it_was_just_written(
    status: AgentRolloutStatus | None, confirmations: int
) -> None:
    """A watch that is late must not start the Job of a hook that is over."""

    async def work() -> None:
        server, confirm = Server(), Confirmations()
        hooks = RolloutHooks.over(server, lambda _: None, HookSettings())

        await hooks.create(KEY, ROLLOUT, Decision(creations=CREATING.creations, status=status), confirm)
        await hooks.create(KEY, ROLLOUT, Decision(), confirm)

        assert (server.created, confirm.made) == (["reverse-1"], confirmations)

    run(work())


def test_no_job_is_created_by_a_status_that_has_changed() -> None:
    """The conflict ends the pass; while the API server does not answer, the creation waits."""

    async def work() -> None:
        server = Server()
        hooks = RolloutHooks.over(server, lambda _: None, HookSettings())
        with pytest.raises(ConflictError):
            await hooks.create(KEY, ROLLOUT, CREATING, Confirmations(ConflictError("it has changed")))

        wait = await hooks.create(KEY, ROLLOUT, CREATING, Confirmations(UnavailableError("away")))

        assert (server.created, wait) == ([], 0.5)

    run(work())


def test_a_refusal_is_the_problem_of_hooks_and_of_nothing_else() -> None:
    """It is no error of the pass, and the next observation has it beside an untouched traffic problem."""

    async def work() -> None:
        hooks = RolloutHooks.over(Server(ForbiddenError("no right")), lambda _: None, HookSettings())

        assert await hooks.create(KEY, ROLLOUT, CREATING, Confirmations()) == 0.5

        seen = hooks.seen(KEY, an_observation())
        assert seen.hook_problem == Problem(Reason.FORBIDDEN, "no right")
        assert (seen.traffic_problem, seen.workload_problem) == (None, None)
        hooks.forget(KEY)
        assert hooks.seen(KEY, an_observation()).hook_problem is None

    run(work())


def test_a_request_is_begun_once_on_a_known_status() -> None:
    """Its response, and the endpoints of the settings, are in the next observation; nothing waits for it."""

    async def work() -> None:
        marked: list[Ref] = []
        endpoint = Endpoint(name="crm", url="http://crm/", secret_file=Path(__file__))
        channel = Channel()
        calls = Calls(HookSettings(endpoints=(endpoint,)), marked.append, channel)
        hooks, confirm = RolloutHooks(Server(), marked.append, calls), Confirmations()
        hook = {"name": "notify", "at": "BeforeTraffic", "webhook": {"endpoint": "crm"}}
        obs = Observation(now=START, rollout=a_rollout(hooks=[hook]).build())
        call = Call(CallKey("a/b/c/1/notify", 1), "crm", "{}", 30)
        calling = Decision(calls=(call,))

        for _ in range(3):
            assert await hooks.create(KEY, ROLLOUT, calling, confirm) is None
        assert hooks.seen(KEY, obs).responses == {}
        assert hooks.seen(KEY, obs).webhook_endpoints == frozenset({"crm"})
        await pass_time(2.0)

        assert hooks.seen(KEY, obs).responses == {call.key: Response(204)}
        assert (channel.sent, confirm.made, marked) == ([call], 1, [KEY])
        another = Decision(calls=(Call(CallKey("a/b/c/1/notify", 2), "crm", "{}", 30),))
        with pytest.raises(ConflictError):
            await hooks.create(KEY, ROLLOUT, another, Confirmations(ConflictError("it has changed")))
        assert channel.sent == [call]

    run(work())
