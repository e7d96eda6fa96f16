"""The end of a course without what differs from one run to the next, so that two ends can be compared.

Times, versions, numbers of metrics and most sentences go; what is served, what is remembered and why stays.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from campaigns.cluster.lanes.recorder import Manifest

_DROPPED: Final = frozenset(
    {
        "course",  # when the status was written, and what was measured then
        "creationTimestamp",
        "decidedToLastRunSeconds",
        "decidedToRoutedSeconds",
        "elapsedSeconds",  # how far a clock had run when it was stopped
        "extensions",
        "id",  # of a detour: follows from an action, or from the time
        "jobUid",
        "lastTransitionTime",
        "managedFields",
        "message",  # names numbers
        "outlook",  # the same
        "query",
        "resourceVersion",
        "routedSeconds",
        "runs",  # of the affected window, as Prometheus counts them
        "since",
        "time",
        "uid",
        "until",
    }
)
_AGENT: Final = "agent"
_UID: Final = "agentrollouts.dev/rolled-back-uid"
_OWN: Final = frozenset({_UID, "agentrollouts.dev/hook-key"})
"""Annotations with the UID of a rollout."""
_WHY: Final = "agentrollouts.dev/rollback-message"
_FACTS: Final = frozenset({"agentrollouts.dev/healthy", "agentrollouts.dev/quarantined"})
"""Annotations of a snapshot, whose text is JSON with the time in it."""
_MARK: Final = "agentrollouts.dev/detour"
_MARK_MESSAGE: Final = "agentrollouts.dev/detour-message"
_HASH: Final = re.compile(r"-[0-9a-f]{8}$")
"""End of the name of a Job, which follows from the UID of its rollout."""
_QUOTED: Final = re.compile(r'^The route says: "(.*)"$', re.DOTALL)
"""The reason of a rollback that another process began."""
_NUMBER: Final = re.compile(r"\d[\d.,]*")
_UNFINISHED: Final = re.compile(
    r"finished # of # (\w+), was assigned # ?% of them \(#\),?| if its other \w+ end well"
    r"| \(# with those that have not ended\)"
)
"""What a sentence says besides if a scrape came before the last runs had ended."""


def normal(objects: Iterable[Manifest], agent: str) -> str:
    """All objects of an agent as text, each part on a line of its own."""
    kept = [_object(manifest) for manifest in objects if manifest["kind"] != "AgentRolloutRecord"]
    text = json.dumps(
        sorted(kept, key=lambda manifest: (manifest["kind"], manifest["name"])), indent=1, sort_keys=True
    )
    return text.replace(agent, _AGENT)


def difference(one: str, other: str) -> str:
    """The first lines in which two ends differ."""
    mine, theirs = one.splitlines(), other.splitlines()
    only = [f"-{line.strip()}" for line in mine if line not in theirs]
    also = [f"+{line.strip()}" for line in theirs if line not in mine]
    return " ".join([*only[:6], *also[:6]]) or "the same lines in another order"


def _object(manifest: Manifest) -> dict[str, Any]:
    metadata = manifest["metadata"]
    kept: dict[str, Any] = {
        "kind": manifest["kind"],
        "name": metadata["name"],
        "owners": sorted(f"{owner['kind']}/{owner['name']}" for owner in metadata.get("ownerReferences", ())),
    }
    if manifest["kind"] != "AgentRollout":
        annotations = metadata.get("annotations", {})
        kept["annotations"] = {k: _annotation(k, text) for k, text in annotations.items() if k not in _OWN}
    else:
        kept["why"] = _unnumbered(manifest.get("status", {}).get("lastRollback", {}).get("message", ""))
    if manifest["kind"] == "Job":
        conditions = manifest.get("status", {}).get("conditions", ())
        kept["name"] = _HASH.sub("", kept["name"])
        kept["ended"] = sorted(each["type"] for each in conditions if each["status"] == "True")
    elif manifest["kind"] in {"AgentRelease", "AgentRollout", "AgentRolloutAction"}:
        kept["status"] = _plain(manifest.get("status", {}))
    else:
        kept["content"] = _plain(_read(manifest.get("data")) or manifest["spec"])
    return kept


def _read(data: Manifest | None) -> Manifest | None:
    """The data of a ConfigMap, with what its split says of a detour as values."""
    split = (data or {}).get("split.json")
    return {**(data or {}), "split.json": json.loads(split)} if split else data


def _annotation(key: str, text: str) -> Any:  # noqa: ANN401  # any JSON
    if key in _FACTS or key == _MARK:
        return _plain(json.loads(text))
    return _unnumbered(text) if key in {_WHY, _MARK_MESSAGE} else text


def _unnumbered(sentence: str) -> str:
    """A sentence without speaker, numbers and unfinished runs, so that those of two runs can be compared."""
    return _UNFINISHED.sub(_finished, _NUMBER.sub("#", _QUOTED.sub(r"\1", sentence)))


def _finished(unfinished: re.Match[str]) -> str:
    return f"served #% of # {unfinished[1]}" if unfinished[1] else ""


def _of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of a record, its evidence: how many entries it has, and how many are written, is a matter of timing."""
    return {"evidence": record.get("evidence")}


def _of_job(name: object) -> object:
    """Of a Job that a status names, its hook, attempt and try."""
    return _HASH.sub("", name) if isinstance(name, str) else name


def _is_course(key: str, value: object) -> bool:
    """Whether these are the weights of an affected window: a rollback may come before one is seen."""
    return key == "weights" and isinstance(value, list)


def _plain(value: Any) -> Any:  # noqa: ANN401  # any JSON
    if isinstance(value, Mapping):
        if "verdict" in value:  # a gate: all else of it is what was measured
            return {"name": value["name"]}
        return {
            key: _of_record(entry) if key == "record" else _of_job(entry) if key == "job" else _plain(entry)
            for key, entry in value.items()
            if key not in _DROPPED and not key.endswith("Time") and not _is_course(key, entry)
        }
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
