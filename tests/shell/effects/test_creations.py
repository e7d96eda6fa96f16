"""A Job of a hook exists once under its name, and a failure to create it is repeated at a bounded pace."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from agentrollouts.adapters.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    ForbiddenError,
    InvalidError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import ANNOTATION_HOOK_KEY
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Creation, Problem
from agentrollouts.shell.effects.creations import PAUSE_LAST, Creations
from tests.shell.virtual import pass_time, run

KEY = Ref("AgentRollout", "support", "agent")
JOB = Ref("Job", "support", "reverse-1")


def a_job(key: str | None = "support/agent/4f2a9/13/reverse", **status: Any) -> Manifest:  # noqa: ANN401
    """The Job of a hook."""
    metadata: dict[str, Any] = {"name": JOB.name, "namespace": JOB.namespace}
    if key is not None:
        metadata["annotations"] = {ANNOTATION_HOOK_KEY: key}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata} | (
        {"status": status} if status else {}
    )


@dataclass
class Server:
    """An API server with some Jobs."""

    jobs: dict[Ref, Manifest] = field(default_factory=dict)
    error: ClusterError | None = None
    posts: int = 0

    async def get(self, ref: Ref) -> Manifest | None:
        """The Job."""
        return self.jobs.get(ref)

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Store it, unless there is one or an error is due."""
        assert not dry_run
        self.posts += 1
        if self.error is not None:
            raise self.error
        ref = Ref.of(manifest)
        if ref in self.jobs:
            raise AlreadyExistsError(f"{ref} already exists")
        self.jobs[ref] = {**manifest, "metadata": {**manifest["metadata"], "uid": "u1"}}
        return self.jobs[ref]


def creations_of(server: Server) -> tuple[Creations, list[tuple[Ref, Manifest]]]:
    """The creations, and what they report."""
    created: list[tuple[Ref, Manifest]] = []
    return Creations(server, lambda key, manifest: created.append((key, manifest))), created


def test_a_job_is_created_and_reported_with_its_uid() -> None:
    """The answer of the API server is what the next decision sees."""

    async def work() -> None:
        server = Server()
        creations, created = creations_of(server)

        assert await creations.create(KEY, [Creation(a_job())]) is None

        assert created == [(KEY, server.jobs[JOB])]
        assert (created[0][1]["metadata"]["uid"], creations.problem(KEY)) == ("u1", None)

    run(work())


def test_a_job_that_an_earlier_process_created_is_adopted() -> None:
    """A second creation is refused by name, and the Job with our key is the one."""

    async def work() -> None:
        server = Server({JOB: a_job(succeeded=1)})
        creations, created = creations_of(server)

        assert await creations.create(KEY, [Creation(a_job())]) is None

        assert created == [(KEY, a_job(succeeded=1))]
        assert creations.problem(KEY) is None

    run(work())


@pytest.mark.parametrize("existing", [a_job(None), a_job("support/agent/4f2a9/12/reverse")])
def test_a_job_of_something_else_is_not_adopted(existing: Manifest) -> None:
    """Without our key, or with another one, it is a problem that names the Job."""

    async def work() -> None:
        creations, created = creations_of(Server({JOB: existing}))

        await creations.create(KEY, [Creation(a_job())])

        assert created == []
        assert creations.problem(KEY) == Problem(
            Reason.NAME_TAKEN, "Job support/reverse-1 exists and is not the Job of this hook; delete it"
        )

    run(work())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ForbiddenError("no right"), Reason.FORBIDDEN),
        (InvalidError("no such field"), Reason.WRITE_REFUSED),
        (UnavailableError("away"), Reason.WRITE_FAILED),
    ],
)
def test_a_failure_is_known_and_repeated_with_growing_pauses(error: ClusterError, reason: Reason) -> None:
    """However often it is decided, an API server that refuses gets few requests; success ends that."""

    async def work() -> None:
        server = Server(error=error)
        creations, created = creations_of(server)
        jobs = [Creation(a_job())]
        waits = []
        for _ in range(6):
            wait = await creations.create(KEY, jobs)
            assert wait is not None
            waits.append(wait)
            posts = server.posts
            assert await creations.create(KEY, jobs) == pytest.approx(wait)
            assert server.posts == posts
            await pass_time(wait)
        assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, PAUSE_LAST]
        assert creations.problem(KEY) == Problem(reason, str(error))

        server.error = None
        await pass_time(PAUSE_LAST)

        assert await creations.create(KEY, jobs) is None
        assert (creations.problem(KEY), len(created)) == (None, 1)

    run(work())


def test_a_failure_ends_with_its_reason() -> None:
    """Once no Job is to be created, or the rollout is gone, the problem is forgotten."""

    async def work() -> None:
        server = Server(error=ForbiddenError("no right"))
        creations, _ = creations_of(server)
        for end in (lambda: creations.create(KEY, []), None):
            await creations.create(KEY, [Creation(a_job())])
            assert creations.problem(KEY) is not None
            if end is None:
                creations.forget(KEY)
            else:
                assert await end() is None
            assert creations.problem(KEY) is None

    run(work())
