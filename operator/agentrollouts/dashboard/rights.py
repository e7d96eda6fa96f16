"""What the reader may request of a rollout, as the API server says."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Final

from agentrollouts.api.people.action import ActionType
from agentrollouts.dashboard.api import ACCESS_REVIEWS, Api
from agentrollouts.dashboard.watched import Name

GROUP: Final = "agentrollouts.dev"
KNOWN_SECONDS: Final = 30.0
"""After that time they are requested again. It checks every action anyway."""

Rights = Mapping[ActionType, bool]


class AccessReviews:
    """The rights of the reader, remembered for a short time."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[Name, str, str], tuple[float, bool]] = {}

    async def of(self, rollout: Name, types: Iterable[ActionType]) -> Rights:
        """Whether the reader may create an action of each type. Raises `ApiError`."""
        asked = sorted(set(types))
        may_create, *may = await asyncio.gather(
            self._may(Name(rollout.namespace, ""), "create", "agentrolloutactions"),
            *(self._may(rollout, each.lower(), "agentrollouts") for each in asked),
        )
        return {each: may_create and is_allowed for each, is_allowed in zip(asked, may, strict=True)}

    async def _may(self, name: Name, verb: str, resource: str) -> bool:
        key, now = (name, verb, resource), time.monotonic()
        then, is_allowed = self._known.get(key, (-KNOWN_SECONDS, False))
        if now - then < KNOWN_SECONDS:
            return is_allowed
        attributes = {
            "namespace": name.namespace,
            "name": name.name,
            "verb": verb,
            "group": GROUP,
            "resource": resource,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = await self._api.create(ACCESS_REVIEWS, review)
        is_allowed = bool((answer.get("status") or {}).get("allowed"))
        self._known = {each: known for each, known in self._known.items() if now - known[0] < KNOWN_SECONDS}
        self._known[key] = (now, is_allowed)
        return is_allowed
