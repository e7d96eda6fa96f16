"""What is known of a digest, as lines for people and as JSON. Pure; used by `who_served`."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.release import ComponentDiff
from agentrollouts.cli.online.served import Served, Traffic, Try


def lines_of(found: Iterable[Served]) -> Iterator[str]:
    """A block of lines for each rollout."""
    for each in found:
        version = f", version {each.version}" if each.version else ""
        yield f"{each.namespace}/{each.rollout}: {each.release}{version}"
        yield f"  digest   {each.digest}"
        yield f"  now      {f'{each.weight}% of the traffic' if each.weight else 'no traffic'}"
        if each.diff:
            yield f"  changed  {_changes(each.diff)}, compared with its parent"
        for attempt in each.tries:
            yield from _attempt(attempt, is_serving=each.weight > 0)
        for span in each.stable:
            yield f"  stable   {_span(span, is_serving=each.weight > 0)}"


def _attempt(each: Try, *, is_serving: bool) -> Iterator[str]:
    reason = f" ({each.reason})" if each.reason and each.reason != each.outcome else ""
    message = f": {each.message}" if each.message else ""
    yield f"  attempt {each.number}  {each.outcome}{reason}{message}"
    if each.traffic:
        yield f"    traffic  {_span(each.traffic, is_serving=is_serving)}"
    if each.before:
        yield f"    before   {each.before.release}, {each.before.digest}"
    if each.diff is not None:
        changed = _changes(each.diff) or "nothing"
        yield f"    changed  {changed}, compared with what served before"


def _span(span: Traffic, *, is_serving: bool) -> str:
    end = f"to {_utc(span.end)}" if span.end else "until now" if is_serving else "to an unknown time"
    weights = ", ".join(f"{weight}% from {time:%H:%M:%S}" for time, weight in span.weights)
    parts = [f"{_utc(span.start)} {end}", weights, "" if span.runs is None else f"{span.runs:,} runs counted"]
    return "; ".join(part for part in parts if part)


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _changes(diff: Sequence[ComponentDiff]) -> str:
    return ", ".join(_change(each) for each in diff)


def _change(each: ComponentDiff) -> str:
    versions = " to ".join(version for version in (each.from_, each.to) if version)
    return f"{each.component} {versions} ({each.change})".replace("  ", " ")


def json_of(digest: str, found: Iterable[Served], releases: Iterable[Manifest]) -> dict[str, Any]:
    """All that is known; `releases` has those that no rollout has served."""
    return {
        "digest": digest,
        "served": [_served(each) for each in found],
        "releases": [{"namespace": ref.namespace, "name": ref.name} for ref in map(Ref.of, releases)],
    }


def _served(each: Served) -> dict[str, Any]:
    return _without_nothing(
        {
            "namespace": each.namespace,
            "rollout": each.rollout,
            "release": each.release,
            "version": each.version or None,
            "digest": each.digest,
            "weight": each.weight,
            "attempts": [_try(attempt) for attempt in each.tries],
            "stable": [_traffic(span) for span in each.stable],
            "diff": [part.to_json() for part in each.diff] or None,
        }
    )


def _try(each: Try) -> dict[str, Any]:
    before = each.before and _without_nothing(
        each.before._asdict() | {"version": each.before.version or None}
    )
    return _without_nothing(
        {
            "number": each.number,
            "outcome": each.outcome,
            "reason": each.reason or None,
            "message": each.message or None,
            "before": before,
            "diff": None if each.diff is None else [part.to_json() for part in each.diff],
            "traffic": _traffic(each.traffic) if each.traffic else None,
        }
    )


def _traffic(span: Traffic) -> dict[str, Any]:
    return _without_nothing(
        {
            "startTime": _stamp(span.start),
            "endTime": _stamp(span.end) if span.end else None,
            "weights": [{"time": _stamp(time), "weight": weight} for time, weight in span.weights] or None,
            "runs": span.runs,
        }
    )


def _stamp(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
