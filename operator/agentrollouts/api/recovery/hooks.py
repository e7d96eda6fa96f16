"""Hooks of an AgentRollout: Jobs and webhooks that the operator starts before traffic and after a rollback.

A hook is part of the plan and not of a release: a repair must be right on the day of the incident.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from agentrollouts.api.components import ToolName
from agentrollouts.api.model.base import DNS_SUBDOMAIN, ApiModel, DnsLabel, Message, ObjectName, Time
from agentrollouts.api.model.marks import LIST_SET, cel, rules
from agentrollouts.api.people.action import PersonalAct

MAX_HOOKS: Final = 8
"""Hooks of one plan."""
MAX_HOOK_STATES: Final = 24
"""Hooks that a status lists: those of three attempts."""
MAX_REQUESTS: Final = 5
"""Requests of one series of a webhook."""
MOST_TRIES: Final = 1000
"""Tries after which a hook is not run again: a person, or a tool, repeats what does not help."""


class Moment(StrEnum):
    """When a hook runs."""

    BEFORE_TRAFFIC = "BeforeTraffic"
    AFTER_ROLLBACK = "AfterRollback"


class OnHookFailure(StrEnum):
    """What a failed hook does to what would come next."""

    HOLD = "Hold"
    CONTINUE = "Continue"


class HookJob(ApiModel):
    """The Job of a hook."""

    cron_job: Annotated[str, Field(max_length=52, pattern=DNS_SUBDOMAIN)]
    """Name of a CronJob in the same namespace, whose `jobTemplate` the operator copies. It must have the
    label `agentrollouts.dev/hook: "true"` and `suspend: true`."""


class HookWebhook(ApiModel):
    """The webhook of a hook."""

    endpoint: DnsLabel
    """Name of an endpoint in the operator's settings (`hooks.endpoints`), which have its address. They must
    permit this namespace."""


class Hook(ApiModel):
    """A Job or a webhook at a named moment. No result of it delays or stops a rollback."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.job) != has(self.webhook)", "exactly one of `job` and `webhook` must be set", "job"
            ),
            cel(
                "!has(self.forTools) || self.at == 'AfterRollback'",
                "`forTools` needs `at: AfterRollback`; before traffic no release is bad",
                "forTools",
            ),
        )
    )

    name: DnsLabel
    """Name of the hook, unique in the plan."""
    at: Moment
    """When it runs. BeforeTraffic: once nothing else is in the way of an attempt, which waits for it.
    AfterRollback: once the route is back and the last runs of the bad release were seen."""
    job: HookJob | None = None
    """Job that it runs. Exactly one of `job` and `webhook` must be set."""
    webhook: HookWebhook | None = None
    """Endpoint that it calls, with the input of the hook as a signed JSON body. A request that fails for now
    is repeated: at most five requests, with growing pauses. The endpoint can get a request twice."""
    for_tools: (
        Annotated[tuple[ToolName, ...], Field(min_length=1, max_length=32, json_schema_extra=LIST_SET)] | None
    ) = None
    """Tools of which the bad release must have at least one; otherwise the hook is NotNeeded. It runs if the
    tools of that release are unknown. At most 32. If absent, it runs whatever tools the release has."""
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """Time that the Job has, in seconds. A Job that takes longer has failed. No request of a webhook begins
    after it, and each has at most 30 s of it. Defaults to 600."""
    on_failure: OnHookFailure = OnHookFailure.HOLD
    """What happens if all its tries fail. Hold: the attempt, or after a rollback the next attempt, waits
    until someone creates an action of type RedoHook or WaiveHook. Continue: nothing waits. A switch to a
    release that was healthy before never waits. Defaults to Hold."""


def cron_jobs_of(hooks: Iterable[Hook]) -> tuple[str, ...]:
    """The names of the CronJobs that hooks copy, each once, in their order."""
    return tuple(dict.fromkeys(hook.job.cron_job for hook in hooks if hook.job))


class HookState(StrEnum):
    """Where a hook stands."""

    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    WAIVED = "Waived"
    NOT_NEEDED = "NotNeeded"


ENDS: Final = frozenset({HookState.SUCCEEDED, HookState.FAILED, HookState.WAIVED, HookState.NOT_NEEDED})
"""States that a hook leaves only by an action."""


class WebhookStatus(ApiModel):
    """The requests of a webhook."""

    endpoint: DnsLabel
    """Name of the endpoint that got the newest request."""
    requests: Annotated[int, Field(ge=1, le=MAX_REQUESTS)] = 1
    """Number of requests of this series, at most five. An action of type RedoHook begins another series."""
    next_time: Time | None = None
    """Time of the next request. Absent unless the hook waits for it."""


class HookStatus(ApiModel):
    """A hook of one attempt."""

    attempt: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the attempt. An action of type RedoHook or WaiveHook must name it."""
    name: DnsLabel
    """Name of the hook."""
    at: Moment
    """When it runs: BeforeTraffic or AfterRollback."""
    state: HookState = HookState.WAITING
    """State: Waiting, Running, Succeeded, Failed, Waived, or NotNeeded because the attempt ended, the plan no
    longer has the hook, or the bad release has none of its tools."""
    tries: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Number of the newest Job or request: each series has two Jobs or five requests at most, and that of a
    Job begins with an odd number."""
    job: ObjectName | None = None
    """Name of the newest Job. Absent before the first one."""
    job_uid: Annotated[str, Field(max_length=64)] | None = None
    """UID of that Job. Absent until the operator has seen it."""
    webhook: WebhookStatus | None = None
    """Requests of its webhook. Absent before the first one, and for a Job."""
    start_time: Time | None = None
    """Time at which that Job, or the first request of the series, was started. Absent before the first one.
    """
    end_time: Time | None = None
    """Time at which the operator saw the end of the hook. Absent until then."""
    message: Message = ""
    """What it waits for, why it failed, or which tools the bad release does not have."""
    waived: PersonalAct | None = None
    """Who waived it. Absent if no one did."""
