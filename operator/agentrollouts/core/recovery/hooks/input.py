"""The input of a hook: what happened, as variables for shells and as one JSON text.

It is made from the persisted status, and the snapshot of the bad release, which is kept for its hooks. So
every try has the same.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.api.model.base import written_time
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.recovery.hooks import HookStatus, Moment
from agentrollouts.api.recovery.tools import external_actions, tools_of
from agentrollouts.api.rollback import AffectedWindow
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, ReleaseRecord
from agentrollouts.core.recovery.hooks.job import attempt_key_of, key_of

VERSION: Final = 1
"""Version of the JSON. A field is never removed from it, nor used with another meaning."""


def variables(
    rollout: AgentRollout,
    entry: HookStatus,
    new: ReleaseRecord | None,
    snapshots: Mapping[str, ObjectMeta],
) -> dict[str, str]:
    """The variables, by name without prefix; empty if the release of the attempt is no longer known.

    Args:
        rollout: The rollout, with the persisted status.
        entry: The hook.
        new: The release that is about to get traffic; None after a rollback.
        snapshots: The snapshots of the agent, by name.
    """
    is_before = entry.at is Moment.BEFORE_TRAFFIC
    facts = _before(rollout, new) if is_before else _after(rollout.status, entry.attempt, snapshots)
    subject = facts.get("new" if is_before else "bad")
    if subject is None:
        return {}
    window = facts.get("window") or {}
    about = _about(rollout, entry)
    scalars = {
        "KEY": about["key"],
        "ATTEMPT_KEY": about["attemptKey"],
        "RELEASE": subject["release"],
        "DIGEST": subject["digest"],
        "START": window.get("start"),
        "END": window.get("end"),
        "CANARY_URL": facts.get("canaryUrl"),
        "STABLE_URL": facts.get("stableUrl"),
        "JSON": json.dumps(about | facts, ensure_ascii=False),
    }
    return {name: str(text) for name, text in scalars.items() if text is not None}


def _about(rollout: AgentRollout, entry: HookStatus) -> dict[str, Any]:
    return {
        "version": VERSION,
        "key": key_of(rollout, entry),
        "try": entry.tries,
        "hook": entry.name,
        "at": entry.at.value,
        "agent": rollout.spec.agent,
        "attempt": entry.attempt,
        "attemptKey": attempt_key_of(rollout, entry),
    }


def _before(rollout: AgentRollout, new: ReleaseRecord | None) -> dict[str, Any]:
    records = {"new": new, "stable": rollout.status.stable}
    urls = {"canaryUrl": _url(rollout, new), "stableUrl": _url(rollout, rollout.status.stable)}
    return {name: _release(record) for name, record in records.items() if record} | _without_none(urls)


def bad_release(status: AgentRolloutStatus, number: int) -> ReleaseRecord | None:
    """The release that was rolled back in an attempt; None if it is no longer known."""
    entry = _entry(status, number)
    is_last = status.attempt is not None and status.attempt.number == number and status.last_rollback
    return (status.canary if is_last else None) or (entry.record if entry else None)


def _entry(status: AgentRolloutStatus, number: int) -> HistoryEntry | None:
    return next((each for each in status.history if each.number == number), None)


def _after(status: AgentRolloutStatus, number: int, snapshots: Mapping[str, ObjectMeta]) -> dict[str, Any]:
    """What is known of a rollback: the last one, or an older one by its history entry."""
    attempt, rollback = status.attempt, status.last_rollback
    entry, bad = _entry(status, number), bad_release(status, number)
    window = status.affected_window
    facts: dict[str, Any] = {"good": _release(status.stable)} if status.stable else {}
    if attempt and attempt.number == number and rollback:
        facts |= {"trigger": rollback.trigger.value, "reason": rollback.reason, "message": rollback.message}
    else:
        trigger = entry.trigger.value if entry and entry.trigger else None
        facts |= {"trigger": trigger, "reason": entry and entry.reason, "message": entry and entry.message}
    if bad:
        actions = external_actions(tools_of(snapshots.get(bad.snapshot)))
        facts["bad"] = {**_release(bad), "externalActions": actions}
    if window and window.attempt == number:
        facts["window"] = _window(window)
    elif entry:
        begun, ended = entry.traffic_start_time or entry.start_time, entry.traffic_end_time or entry.end_time
        facts["window"] = {
            "start": written_time(begun),
            "end": written_time(ended),
            "isFinal": True,
            "runs": entry.runs,
        }
    return _without_none(facts)


def _window(window: AffectedWindow) -> dict[str, Any]:
    return _without_none(
        {
            "start": written_time(window.start_time),
            "end": window.end_time and written_time(window.end_time),
            "lastRun": window.last_run_time and written_time(window.last_run_time),
            "isFinal": window.is_final,
            "runs": window.runs,
            "weights": [each.to_json() for each in window.weights],
        }
    )


def _release(record: ReleaseRecord) -> dict[str, Any]:
    return {"release": record.release, "digest": record.digest, "snapshot": record.snapshot}


def _url(rollout: AgentRollout, record: ReleaseRecord | None) -> str | None:
    """The address of a release inside the cluster, not through the gateway; None if it has no Service."""
    if record is None or record.service is None or not record.service.is_service:
        return None
    service = record.service
    return f"http://{service.name}.{rollout.metadata.namespace}.svc:{service.port}"


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
