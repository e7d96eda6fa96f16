"""From a button to an action: it says what the reader saw, so a click on an old page is answered `Stale`.

The button has no reason; the reader types it. Who requests it is who the API server says that the reader is.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.people.person import REASON_AT_LEAST, REASON_AT_MOST, TOO_SHORT
from agentrollouts.core.action.request import OpenRequestError, Request, manifest_of
from agentrollouts.dashboard.api import OURS, SELF_REVIEWS, Api, ApiError, Manifest
from agentrollouts.dashboard.watched import Name
from agentrollouts.insight.view.shape import Action

SEEN: Final = ("type", "attempt", "phase", "release", "detour", "hook")
"""Fields of an action that say what the reader saw."""
UNPROVED: Final = "unknown"
"""Name of a reader who may not ask who they are; the API server refuses it where it verifies names."""


class WrongFormError(Exception):
    """The form cannot be used; the text says what to do."""


def ticket(action: Action, rollout: Manifest, name: Name) -> str | None:
    """What the button sends; None if the action creates nothing, or the rollout does not show enough."""
    if action.type is None:
        return None
    request = Request(ActionType(action.type), name.name, name.namespace, "", **asdict(action.names))
    try:
        spec = manifest_of(request, rollout, UNPROVED)["spec"]
    except OpenRequestError:
        return None
    return json.dumps({field: spec[field] for field in SEEN if field in spec})


def request_of(form: Mapping[str, object], name: Name) -> Request:
    """What a form requests. Raises `WrongFormError`."""
    reason = str(form.get("reason", "")).strip()
    if len(reason) < REASON_AT_LEAST:
        raise WrongFormError(f"Why: {TOO_SHORT}")
    if len(reason) > REASON_AT_MOST:
        raise WrongFormError(f"Why: must be at most {REASON_AT_MOST} characters")
    try:
        seen = json.loads(str(form.get("action", "")))
        request = Request(ActionType(seen["type"]), name.name, name.namespace, reason)
        return replace(request, **{field: seen[field] for field in SEEN[1:] if field in seen})
    except (ValueError, KeyError, TypeError):
        raise WrongFormError("The form is not one of this page; load the page again") from None


async def create(api: Api, request: Request, rollout: Manifest) -> str:
    """Create the action in the name of the reader, and give its name.

    Raises:
        ApiError: the API server refused it.
        WrongFormError: the form says too little.
    """
    try:
        manifest = manifest_of(request, rollout, await reader(api))
    except OpenRequestError as error:
        raise WrongFormError(f"{error}; load the page again") from error
    created = await api.create(f"{OURS}/namespaces/{request.namespace}/agentrolloutactions", manifest)
    return str(created["metadata"]["name"])


async def reader(api: Api) -> str:
    """Who the reader is, as the API server names them. Raises `ApiError` if it does not answer."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = await api.create(SELF_REVIEWS, review)
        return str(answer["status"]["userInfo"]["username"])
    except ApiError as error:
        if error.code == 403:  # noqa: PLR2004 Forbidden; a rollback does not depend on the name
            return UNPROVED
        raise
