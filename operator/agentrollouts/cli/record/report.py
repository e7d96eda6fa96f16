"""`agentrollouts report`: the report of an attempt, or figures over many, from files or from the cluster."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.reading import read_yaml
from agentrollouts.core.record.stored import KIND
from agentrollouts.insight.figures import figures
from agentrollouts.insight.records import AttemptRecord, attempts
from agentrollouts.insight.render.document import Document
from agentrollouts.insight.render.markdown import to_markdown
from agentrollouts.insight.render.page import to_html
from agentrollouts.insight.report import Case, report

Json = dict[str, Any]

NO_RECORD: Final = 1
WRONG_USE: Final = 2


@dataclass(frozen=True, slots=True)
class Found:
    """The objects that a report is made from."""

    records: Sequence[Json]
    rollouts: Sequence[Json] = ()
    releases: Sequence[Json] = ()

    @classmethod
    def among(cls, objects: Iterable[Json]) -> "Found":
        """Those among other objects."""
        listed = tuple(objects)
        kinds = (KIND, "AgentRollout", "AgentRelease")
        return cls(*(tuple(each for each in listed if each.get("kind") == kind) for kind in kinds))


def run_report(options: argparse.Namespace) -> int:
    """Print the report that the options describe; 1 if there is no record of it."""
    if options.attempt and not options.rollout:
        return _fail("--attempt: needs the NAME of a rollout", WRONG_USE)
    try:
        document = document_of(_found(options), options)
    except WrongUseError as error:
        return _fail(str(error), WRONG_USE)
    except ClusterError as error:
        return _fail(str(error), NO_RECORD)
    if document is None:
        attempt = f" of attempt {options.attempt}" if options.attempt else ""
        return _fail(f"{options.rollout}: there is no AgentRolloutRecord{attempt}", NO_RECORD)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    print(to_html(document) if options.output == "html" else to_markdown(document), end="")
    return 0


def document_of(found: Found, options: argparse.Namespace) -> Document | None:
    """The report of one attempt, or the figures; None without a record of that attempt."""
    known = attempts(found.records, found.rollouts)
    known = tuple(each for each in known if options.namespace in {None, "", each.namespace})
    if not options.rollout:
        return figures(known, f"Rollouts in {options.namespace}" if options.namespace else "Rollouts")
    record = _chosen(known, options)
    if record is None:
        return None
    newest = max(each.number for each in known if each.uid == record.uid)
    status = _status(found.rollouts, record) if record.number == newest else None
    return report(Case(record, status, tuple(_releases(found.releases, record))))


def _chosen(known: Iterable[AttemptRecord], options: argparse.Namespace) -> AttemptRecord | None:
    """The attempt with that number, or the newest; of a rollout that was created again, of the newer one."""
    fitting = [
        each
        for each in known
        if each.rollout == options.rollout and options.attempt in {None, each.number} and each.entries
    ]
    places = {each.namespace for each in fitting}
    if len(places) > 1:
        raise WrongUseError(
            f"--namespace: must be set, since {' and '.join(sorted(places))} have that rollout"
        )
    newest = max(fitting, key=lambda each: each.entries[0].time, default=None)
    same = (each for each in fitting if newest and each.uid == newest.uid)
    return max(same, key=lambda each: each.number, default=None)  # a clock can have been set back


def _found(options: argparse.Namespace) -> Found:
    if options.files:
        return Found.among(each for name in options.files for each in _objects(name))
    from agentrollouts.cli.online.report import read_records  # noqa: PLC0415 files need no cluster

    return Found.among(read_records(options))


def _objects(name: str) -> Iterator[Json]:
    """The objects of a file, as they are: a report of a damaged record must be possible too."""
    for document in read_yaml(name):
        items = document.get("items") if isinstance(document, dict) else None
        for each in items if isinstance(items, list) else [document]:
            if not isinstance(each, dict):
                raise WrongUseError(f"{name}: must contain Kubernetes objects")
            yield each


def _status(rollouts: Iterable[Json], record: AttemptRecord) -> AgentRolloutStatus | None:
    """The status of the rollout of that record, if this version can read it."""
    for rollout in rollouts:
        if record.status_of and _part(rollout, "metadata").get("uid") == record.status_of:
            try:
                status = AgentRolloutStatus.model_validate(rollout.get("status") or {})
            except ValidationError:
                return None
            return status if status.attempt and status.attempt.number == record.number else None
    return None


def _releases(releases: Iterable[Json], record: AttemptRecord) -> Iterator[AgentRelease]:
    for release in releases:
        if _part(release, "metadata").get("namespace") in {None, record.namespace}:
            try:
                yield AgentRelease.model_validate(release)
            except ValidationError:
                continue


def _part(manifest: Json, name: str) -> Mapping[str, Any]:
    part = manifest.get(name)
    return part if isinstance(part, Mapping) else {}


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return code
