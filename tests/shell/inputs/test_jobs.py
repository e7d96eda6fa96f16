"""CronJobs and Jobs of hooks are read while a decision lists them, and at no other time."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from agentrollouts.adapters.cluster.errors import ClusterError, ForbiddenError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Problem
from agentrollouts.core.recovery.hooks.reads import NO_READS, HookReads
from agentrollouts.shell.inputs.jobs import AT_A_TIME, SPACING_SECONDS, JobReads
from tests.shell.virtual import now, pass_time, run

KEY = Ref("AgentRollout", "support", "agent")
JOB = Ref("Job", "support", "reverse-1")
HOOK = Ref("CronJob", "support", "reverse")
BOTH = HookReads(cron_jobs=frozenset({"reverse"}), jobs=frozenset({"reverse-1"}))
ONLY_JOB = HookReads(jobs=frozenset({"reverse-1"}))


def an_object(ref: Ref, version: int = 1, **status: object) -> Manifest:
    """An object with a status."""
    metadata = {"name": ref.name, "namespace": ref.namespace, "resourceVersion": str(version)}
    return {"kind": ref.kind, "metadata": metadata, "status": status}


def as_remembered(manifest: Manifest) -> Manifest:
    """Without the version."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return {**manifest, "metadata": metadata}


@dataclass
class Server:
    """An API server that answers after some time, or with an error."""

    objects: dict[Ref, Manifest | ClusterError] = field(default_factory=dict)
    seconds: float = 0.01
    read: list[tuple[float, Ref]] = field(default_factory=list)
    at_once: Counter[str] = field(default_factory=Counter)

    async def get(self, ref: Ref) -> Manifest | None:
        """The object as it was when the request came."""
        self.read.append((now(), ref))
        found = self.objects.get(ref)
        self.at_once["now"] += 1
        self.at_once["most"] = max(self.at_once.values())
        await asyncio.sleep(self.seconds)
        self.at_once["now"] -= 1
        if isinstance(found, ClusterError):
            raise found
        return found

    def times(self, ref: Ref) -> list[float]:
        """When an object was read."""
        return [time for time, each in self.read if each == ref]


def test_what_is_listed_is_read_at_once_and_marks_its_rollout() -> None:
    """An object, one that is missing, and one that may not be read are three different values."""
    denied = "cannot get resource"

    async def work() -> None:
        server = Server({HOOK: an_object(HOOK), Ref("CronJob", "support", "b"): ForbiddenError(denied)})
        marked: list[Ref] = []
        reads = JobReads(server, marked.append)
        reads.follow(KEY, HookReads(cron_jobs=frozenset({"reverse", "b"}), jobs=frozenset({"reverse-1"})))
        assert (reads.cron_jobs(KEY), reads.jobs(KEY), marked) == ({}, {}, [])

        await pass_time(1.0)

        assert reads.cron_jobs(KEY) == {
            "reverse": as_remembered(an_object(HOOK)),
            "b": Problem(Reason.FORBIDDEN, denied),
        }
        assert reads.jobs(KEY) == {"reverse-1": None}
        assert marked == [KEY]
        reads.close()

    run(work())


def test_a_job_is_read_every_two_seconds_and_a_hook_every_ten() -> None:
    """Only what is new marks the rollout: the end of the Job, and not another version of it."""

    async def work() -> None:
        server = Server({HOOK: an_object(HOOK), JOB: an_object(JOB, active=1)})
        marked: list[float] = []
        reads = JobReads(server, lambda _: marked.append(now()))
        reads.follow(KEY, BOTH)
        await pass_time(21.0)
        assert len(server.times(JOB)) in {10, 11}
        assert len(server.times(HOOK)) == 3
        assert len(marked) == 1

        server.objects[JOB] = an_object(JOB, version=2, active=1)
        await pass_time(3.0)
        assert len(marked) == 1
        server.objects[JOB] = an_object(JOB, version=3, succeeded=1)
        await pass_time(3.0)

        assert len(marked) == 2
        assert reads.jobs(KEY) == {"reverse-1": as_remembered(an_object(JOB, succeeded=1))}
        reads.close()

    run(work())


def test_nothing_is_read_that_is_no_longer_listed() -> None:
    """At rest there is no request, and nothing is remembered."""

    async def work() -> None:
        server = Server({HOOK: an_object(HOOK), JOB: an_object(JOB)})
        reads = JobReads(server, lambda _: None)
        reads.follow(KEY, BOTH)
        await pass_time(1.0)
        reads.follow(KEY, ONLY_JOB)
        await pass_time(20.0)
        assert (reads.cron_jobs(KEY), [*reads.jobs(KEY)]) == ({}, ["reverse-1"])
        assert len(server.times(HOOK)) == 1

        reads.follow(KEY, NO_READS)
        before = len(server.read)
        await pass_time(3600.0)

        assert (reads.jobs(KEY), len(server.read) - before) == ({}, 0)
        assert len(asyncio.all_tasks()) == 1

    run(work())


def test_what_is_listed_later_is_read_at_once() -> None:
    """The Job of the next hook does not wait for the interval of the one before."""

    async def work() -> None:
        server = Server({HOOK: an_object(HOOK), JOB: an_object(JOB)})
        reads = JobReads(server, lambda _: None)
        reads.follow(KEY, HookReads(cron_jobs=frozenset({"reverse"})))
        await pass_time(1.0)

        reads.follow(KEY, BOTH)
        await pass_time(0.2)

        assert [*reads.jobs(KEY)] == ["reverse-1"]
        assert len(server.times(HOOK)) == 1
        reads.close()

    run(work())


def test_a_read_that_began_before_a_creation_does_not_hide_the_job() -> None:
    """Else the Job would seem to have vanished, and the hook would run a second time."""

    async def work() -> None:
        server, marked = Server(seconds=1.0), list[Ref]()
        reads = JobReads(server, marked.append)
        reads.follow(KEY, ONLY_JOB)
        await pass_time(0.5)
        job = an_object(JOB, version=7)
        reads.put(KEY, job)
        assert reads.jobs(KEY) == {"reverse-1": as_remembered(job)}

        await pass_time(1.0)

        assert reads.jobs(KEY) == {"reverse-1": as_remembered(job)}
        assert marked == [KEY]
        reads.close()

    run(work())


def test_an_object_of_no_interest_is_not_kept() -> None:
    """A Job that is created after the rollout stopped to follow it leaves nothing behind."""

    async def work() -> None:
        marked: list[Ref] = []
        reads = JobReads(Server(), marked.append)
        reads.put(KEY, an_object(JOB))
        assert (reads.jobs(KEY), marked) == ({}, [])

    run(work())


def test_an_error_is_known_and_followed_by_another_read() -> None:
    """While the API server does not answer, a hook waits; its answer is taken in within two seconds."""

    async def work() -> None:
        server = Server({JOB: UnavailableError("it is away")})
        reads = JobReads(server, lambda _: None)
        reads.follow(KEY, ONLY_JOB)
        await pass_time(5.0)
        [problem] = reads.jobs(KEY).values()
        assert isinstance(problem, Problem)
        assert problem.message == "it is away"

        server.objects[JOB] = an_object(JOB)
        await pass_time(2.5)

        assert reads.jobs(KEY) == {"reverse-1": as_remembered(an_object(JOB))}
        reads.close()

    run(work())


def test_many_running_hooks_share_a_bounded_number_of_requests() -> None:
    """A thousand rollouts with a running Job read no more at a time, and no more a second, than the bound."""

    async def work() -> None:
        server = Server()
        reads = JobReads(server, lambda _: None)
        for number in range(1000):
            reads.follow(Ref("AgentRollout", "support", f"agent-{number}"), ONLY_JOB)
        await pass_time(60.0)

        assert server.at_once["most"] == AT_A_TIME
        assert len(server.read) <= 60 * AT_A_TIME / SPACING_SECONDS + AT_A_TIME
        assert len({time for time, _ in server.read}) > 1
        reads.close()

    run(work())
