"""The rollouts that are in a group, by namespace and group. Part of the cache.

A rollout without `spec.group` costs one look at that field. Of a member, only what its siblings decide on is
remembered, and siblings are woken only when that changes.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from pydantic import ValidationError

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.recovery.group.member import Member, member_of

READ: Final = ("attempt", "canary", "conditions", "group", "history", "lastRollback", "stable")
"""Fields of a status that say what a member is; the others are not parsed."""

_Place = tuple[str, str]
"""Namespace and group."""


class _Known(NamedTuple):
    place: _Place
    facts: Manifest
    """The fields that `member` was made of, so that nothing is parsed while they stay the same."""
    member: Member | None


class Woken(NamedTuple):
    """What has to be looked at because a member changed."""

    keys: tuple[Ref, ...]
    is_urgent: bool
    """Whether the member rolled back for harm."""


NOTHING: Final = Woken((), is_urgent=False)


class Groups:
    """The members of each group."""

    def __init__(self) -> None:
        self._known: dict[Ref, _Known] = {}
        self._places: dict[_Place, set[Ref]] = {}

    def put(self, key: Ref, rollout: Manifest) -> Woken:
        """Take in the newest version of a rollout; the answer is who has to look at it."""
        group, before = group_of(rollout), self._known.get(key)
        if group is None and before is None:
            return NOTHING
        if group is None:
            return self.remove(key)
        place, status = (key.namespace, group), rollout.get("status") or {}
        facts = {name: status[name] for name in READ if name in status}
        if before and (before.place, before.facts) == (place, facts):
            return NOTHING
        left = self.remove(key) if before and before.place != place else NOTHING
        member = _member(key.name, group, facts)
        self._known[key] = _Known(place, facts, member)
        self._places.setdefault(place, set()).add(key)
        if before and before.place == place and before.member == member:
            return NOTHING
        old = set(before.member.harms) if before and before.member and not left.keys else set()
        is_urgent = member is not None and not old.issuperset(member.harms)
        return Woken((*left.keys, *self._others(place, key)), is_urgent)

    def remove(self, key: Ref) -> Woken:
        """A rollout is gone, or has left its group."""
        known = self._known.pop(key, None)
        if known is None:
            return NOTHING
        members = self._places[known.place]
        members.discard(key)
        if not members:
            del self._places[known.place]
        return Woken(tuple(self._others(known.place, key)), is_urgent=False)

    def siblings(self, key: Ref, group: str | None) -> tuple[Member, ...]:
        """The other members of a rollout's group, by name."""
        if group is None:
            return ()
        others = sorted(self._others((key.namespace, group), key))
        members = (self._known[other].member for other in others)
        return tuple(member for member in members if member is not None)

    def _others(self, place: _Place, key: Ref) -> Iterable[Ref]:
        return (other for other in self._places.get(place, ()) if other != key)


def group_of(rollout: Manifest) -> str | None:
    """The group that a rollout names; None if it names none."""
    spec = rollout.get("spec")
    group = spec.get("group") if isinstance(spec, dict) else None
    return group if isinstance(group, str) and group else None


def _member(name: str, group: str, facts: Manifest) -> Member | None:
    """What cannot be read is not a member; its own controller reports it."""
    try:
        return member_of(name, group, AgentRolloutStatus.model_validate(facts))
    except ValidationError:
        return None
