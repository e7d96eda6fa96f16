"""The machine of a webhook: requests with pauses between them, until one succeeds or the series is over.

The intent is in the status before a request is made. So a process that finds an intent without a response
makes the request again, with the same id: the endpoint gets each request at least once.
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import MAX_REQUESTS, Hook, HookState, HookStatus, WebhookStatus
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Problem
from agentrollouts.core.recovery.hooks.job import key_of
from agentrollouts.core.recovery.hooks.response import Call, CallKey, Response
from agentrollouts.core.recovery.hooks.view import View, ended

REQUEST_SECONDS: Final = 30
"""Limit of one request."""
PAUSES: Final = (10, 30, 90, 270)
"""Seconds from the end of a request to the next one. Five requests that time out take 550 s."""
FOR_NOW: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Refusals that can be over soon, like the errors of a server."""


def call_key(rollout: AgentRollout, entry: HookStatus) -> CallKey:
    """Which request the newest try of a hook is. No id has a full stop, which separates what is signed."""
    return CallKey(key_of(rollout, entry).replace(".", "_"), entry.tries)


def call_of(rollout: AgentRollout, hook: Hook | None, entry: HookStatus, body: str) -> Call | None:
    """The request of the newest try; None if the hook is not at a request."""
    if entry.state is not HookState.RUNNING or entry.webhook is None:
        return None
    seconds = min(REQUEST_SECONDS, hook.timeout_seconds) if hook else REQUEST_SECONDS
    return Call(call_key(rollout, entry), entry.webhook.endpoint, body, seconds)


def unpermitted(hook: Hook, endpoints: frozenset[str] | None, namespace: str) -> Problem | None:
    """Why the endpoint of a hook cannot be called, and who can correct it."""
    if hook.webhook is None or endpoints is None or hook.webhook.endpoint in endpoints:
        return None
    text = f"Endpoint {hook.webhook.endpoint} of hook {hook.name} is not in the operator's settings"
    return Problem(
        Reason.HOOK_UNFIT,
        f"{text}, or not for namespace {namespace}; name another one, or ask the administrator to add it to "
        "hooks.endpoints",
    )


def requested(entry: HookStatus, view: View, hook: Hook) -> HookStatus:
    """The intent of the next request, once the pause after the one before is over."""
    before = entry.webhook
    if before and before.next_time and view.now < before.next_time:
        return entry
    if hook.webhook is None:
        return ended(entry, view, HookState.NOT_NEEDED)
    if problem := unpermitted(hook, view.endpoints, view.rollout.metadata.namespace):
        return ended(entry, view, HookState.FAILED, problem.message)
    requests = before.requests + 1 if before else 1
    return entry.copy_with(
        state=HookState.RUNNING,
        tries=entry.tries + 1,
        job=None,
        job_uid=None,
        webhook=WebhookStatus(endpoint=hook.webhook.endpoint, requests=requests),
        start_time=entry.start_time if before else view.now,
        end_time=None,
        message="",
    )


def watched(entry: HookStatus, webhook: WebhookStatus, view: View) -> HookStatus:
    """The entry once the request in progress has a response, or nothing depends on it anymore."""
    response = view.responses.get(call_key(view.rollout, entry))
    if response is None:
        return entry if view.is_current else ended(entry, view, HookState.NOT_NEEDED)
    if response.status is not None and HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        return ended(entry, view, HookState.SUCCEEDED)
    return _failed(entry, webhook, view, response)


def _failed(entry: HookStatus, webhook: WebhookStatus, view: View, response: Response) -> HookStatus:
    """A pause before the next request, or the end of the series."""
    message = f"Endpoint {webhook.endpoint} {_said(response)}"
    if view.hook is None or not view.is_current or not _is_for_now(response):
        return ended(entry, view, HookState.FAILED, message)
    if webhook.requests >= MAX_REQUESTS:
        message = f"{message}; it was request {MAX_REQUESTS} of {MAX_REQUESTS}"
        return ended(entry, view, HookState.FAILED, message)
    next_time = view.now + timedelta(seconds=PAUSES[webhook.requests - 1])
    limit = view.hook.timeout_seconds
    if next_time >= (entry.start_time or view.now) + timedelta(seconds=limit):
        message = f"{message}; the next request would be later than {limit} s"
        return ended(entry, view, HookState.FAILED, message)
    return entry.replace(
        state=HookState.WAITING, message=message, webhook=webhook.copy_with(next_time=next_time)
    )


def _is_for_now(response: Response) -> bool:
    status = response.status
    return status is None or status in FOR_NOW or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _said(response: Response) -> str:
    status = response.status
    if status is None:
        return response.text
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"responded {status}, and redirects are not followed"
    return f'responded {status}: "{response.text}"' if response.text else f"responded {status}"
