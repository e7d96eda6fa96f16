"""Lines about the answers of the releases: whether each names its release and its digest."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.insight.check.lines import Answer, Line, Mark, Probe, Seen

RELEASE_HEADER: Final = "agent-release"
DIGEST_HEADER: Final = "agent-release-digest"
_PAGE: Final = "see docs/agent.md"
_LONGEST: Final = 90
"""Characters of a header that are shown: more than a name or a digest has."""
_UNREACHED: Final = frozenset(
    {
        HTTPStatus.NOT_FOUND,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""What the API server answers itself if it does not reach a release. Without a name, it may have done so."""


def serving(rollout: AgentRollout) -> tuple[ReleaseRecord, ...]:
    """The releases that serve, each once."""
    records = (rollout.status.canary, rollout.status.stable)
    return tuple({each.release: each for each in records if each}.values())


def address(record: ReleaseRecord) -> str | None:
    """Service and port of a release, as the API server names them; None if it has no Service."""
    return f"{record.service_name}:{record.service.port}" if record.service_name and record.service else None


def answers(seen: Seen, rollout: AgentRollout) -> Iterator[Line]:
    """One line for each release that serves, if they got the request."""
    records = serving(rollout)
    if seen.probe is None:
        if any(map(address, records)):
            sentence = "not checked whether answers name their release (add --probe /healthz)"
            yield Line(Mark.UNKNOWN, sentence)
        return
    if not records:
        yield Line(Mark.UNKNOWN, "no release serves yet, so no answer can be checked")
    for each in records:
        yield _answered(seen.probe, each)


def _answered(probe: Probe, record: ReleaseRecord) -> Line:
    where = address(record)
    if where is None:
        return Line(Mark.UNKNOWN, f"{record.release} has no Service, so its answers cannot be checked")
    if record.release in probe.forbidden:
        sentence = f"you may not send requests to Service {record.service_name}, so its answers are unknown"
        remedy = f"an administrator can give you the right to `get` `services/proxy` of {where}; {_PAGE}"
        return Line(Mark.WARNING, sentence, remedy)
    answer = probe.answers.get(record.release, "it got no request")
    if isinstance(answer, Answer) and answer.status in _UNREACHED and not (answer.releases or answer.digests):
        answer = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    if isinstance(answer, str):
        sentence = f"{record.release} did not answer GET {probe.path}: {answer}"
        remedy = (
            f"probe a path of the agent; look at its pods, and whether the API server reaches them; {_PAGE}"
        )
        return Line(Mark.WARNING, sentence, remedy)
    return _named(probe.path, record, answer)


def _named(path: str, record: ReleaseRecord, answer: Answer) -> Line:
    expected = {RELEASE_HEADER: record.release, DIGEST_HEADER: str(record.digest)}
    found = {RELEASE_HEADER: answer.releases, DIGEST_HEADER: answer.digests}
    missing = [header for header in expected if not found[header]]
    other = {header: values for header, values in found.items() if set(values) - {expected[header]}}
    if other:
        header, values = next(iter(other.items()))
        sentence = f"{record.release} answers GET {path} with {header}: {_quoted(values)}"
        wrong = "correct AGENT_RELEASE, the mounted snapshot, or the selector of the Service"
        return Line(Mark.PROBLEM, sentence, f"{wrong}; {_PAGE}")
    if missing:
        sentence = (
            f"{record.release} answers GET {path} with {answer.status}, without {' and '.join(missing)}"
        )
        return Line(Mark.PROBLEM, sentence, f"name the release in the headers of every answer; {_PAGE}")
    return Line(Mark.GOOD, f"{record.release} names its release and its digest in its answers")


def _quoted(values: tuple[str, ...]) -> str:
    """What a header says, as one short text."""
    text = ", ".join(values)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
