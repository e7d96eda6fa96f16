"""What one step of a hook depends on, and how a hook ends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agentrollouts.api.recovery.hooks import Hook, HookState, HookStatus
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.core.recovery.hooks.response import Responses

Objects = Mapping[str, Manifest | Problem | None]
"""Objects as they were read, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one step of a hook depends on."""

    rollout: AgentRollout
    hook: Hook | None
    """The hook in the plan; None if the plan no longer has it."""
    is_current: bool
    """Whether something still depends on it: an attempt that waits, or a repair."""
    cron_jobs: Objects
    jobs: Objects
    refused: Problem | None
    """Why the last creation of a Job failed."""
    now: datetime
    endpoints: frozenset[str] | None = None
    """Endpoints that webhooks of the namespace may use; None if all."""
    responses: Responses = field(default_factory=dict)


def ended(entry: HookStatus, view: View, state: HookState, message: str = "") -> HookStatus:
    """The entry of a hook that has ended now."""
    webhook = entry.webhook and entry.webhook.copy_with(next_time=None)
    return entry.replace(state=state, end_time=view.now, message=message, webhook=webhook)
