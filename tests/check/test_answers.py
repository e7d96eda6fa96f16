"""Whether the answers of the releases name them: right, missing, another name, or no answer at all."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.insight.check.answers import address
from agentrollouts.insight.check.check import check, problems
from agentrollouts.insight.check.lines import Answer, Line, Mark, Probe, Seen
from agentrollouts.insight.view.reading import read
from agentrollouts_agent.identity import DIGEST_HEADER, RELEASE_HEADER
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.properties import usually
from tests.check.test_check import right

STATUS: Final = (right().rollout or {})["status"]
DIGESTS: Final = {STATUS[each]["release"]: STATUS[each]["digest"] for each in ("canary", "stable")}
PROBE: Final = Probe("/healthz", {each: Answer(200, (each,), (digest,)) for each, digest in DIGESTS.items()})
SERVICE: Final = STATUS["canary"]["service"]
TEXTS: Final = st.text(max_size=200)
VALUES: Final = st.lists(TEXTS | st.sampled_from([NEW, OLD, *DIGESTS.values()]), max_size=3).map(tuple)


def lines(seen: Seen) -> tuple[Line, ...]:
    """Those about answers, canary first."""
    agent = check(seen)[-1].lines
    without = check(replace(seen, probe=None))[-1].lines
    return agent[len(without) - 1 :]


def answered(answer: Answer | str) -> Line:
    """What is said about the canary, while stable answers as it should."""
    seen = replace(right(), probe=replace(PROBE, answers={**PROBE.answers, NEW: answer}))
    canary, stable = lines(seen)
    assert stable == Line(Mark.GOOD, f"{OLD} names its release and its digest in its answers")
    return canary


def test_both_name_themselves() -> None:
    """Then there is one good line for each of them."""
    assert lines(replace(right(), probe=PROBE)) == tuple(
        Line(Mark.GOOD, f"{each} names its release and its digest in its answers") for each in (NEW, OLD)
    )


@usually(150)
@given(st.integers(100, 599), VALUES, VALUES)
def test_only_the_own_name_is_good(status: int, releases: tuple[str, ...], digests: tuple[str, ...]) -> None:
    """Whatever the status is; anything else is a problem, unless the API server may have answered itself."""
    line = answered(Answer(status, releases, digests))
    is_own = {*releases} == {NEW} and {*digests} == {DIGESTS[NEW]}
    is_unreached = status in {404, 502, 503, 504} and not (releases or digests)
    expected = Mark.GOOD if is_own else Mark.WARNING if is_unreached else Mark.PROBLEM
    assert line.mark is expected
    assert len(line.sentence) < 250
    assert is_own or "docs/agent.md" in line.remedy


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer(200), f"{NEW} answers GET /healthz with 200, without {RELEASE_HEADER} and {DIGEST_HEADER}"),
        (Answer(404, (NEW,)), f"{NEW} answers GET /healthz with 404, without {DIGEST_HEADER}"),
        (Answer(200, (OLD,)), f"{NEW} answers GET /healthz with {RELEASE_HEADER}: {OLD}"),
        (
            Answer(200, (NEW, OLD), (DIGESTS[NEW],)),
            f"{NEW} answers GET /healthz with {RELEASE_HEADER}: {NEW}, {OLD}",
        ),
        (
            Answer(200, (NEW,), ("x" * 91,)),
            f"{NEW} answers GET /healthz with {DIGEST_HEADER}: {'x' * 90}...",
        ),
        (Answer(404), f"{NEW} did not answer GET /healthz: 404 Not Found"),
        (Answer(503), f"{NEW} did not answer GET /healthz: 503 Service Unavailable"),
        ("no answer within 5 s", f"{NEW} did not answer GET /healthz: no answer within 5 s"),
    ],
)
def test_the_sentence_names_what_was_found(answer: Answer | str, sentence: str) -> None:
    """What the release said, shortened, and where."""
    assert answered(answer).sentence == sentence


def test_a_missing_right_is_no_problem() -> None:
    """The line names the right, with the port by which a Role can name the Service."""
    seen = replace(right(), probe=Probe("/healthz", {}, frozenset(DIGESTS)))
    assert problems(check(seen)) == 0
    assert lines(seen)[0] == Line(
        Mark.WARNING,
        f"you may not send requests to Service {SERVICE['name']}, so its answers are unknown",
        "an administrator can give you the right to `get` `services/proxy` of "
        f"{SERVICE['name']}:{SERVICE['port']}; see docs/agent.md",
    )


def test_what_was_not_asked_is_said() -> None:
    """Without a probe; and with one if no release serves, or if none of them has a Service."""
    own_split = a_rollout(traffic={}).serving(OLD).build().to_json()
    del own_split["status"]["stable"]["service"]
    cases = {
        "not checked whether answers name their release (add --probe /healthz)": replace(right(), probe=None),
        "no release serves yet, so no answer can be checked": replace(
            right(), rollout=a_rollout().build().to_json(), probe=PROBE
        ),
        f"{OLD} has no Service, so its answers cannot be checked": replace(
            right(), rollout=own_split, probe=PROBE
        ),
    }
    assert {
        sentence: check(seen)[-1].lines[-1] == Line(Mark.UNKNOWN, sentence)
        for sentence, seen in cases.items()
    } == dict.fromkeys(cases, True)
    assert (
        len(
            check(replace(cases[f"{OLD} has no Service, so its answers cannot be checked"], probe=None))[
                -1
            ].lines
        )
        == 1
    )


@pytest.mark.parametrize("probe", [PROBE, None])
def test_a_release_behind_a_pool_gets_no_request(probe: Probe | None) -> None:
    """The API server can reach a Service only; the other release is checked as ever."""
    pool = {"name": "pool", "kind": "InferencePool", "group": "inference.networking.k8s.io"}
    rollout = {
        **(right().rollout or {}),
        "status": {**STATUS, "canary": {**STATUS["canary"], "service": pool}},
    }
    seen = replace(right(), rollout=rollout, probe=probe)
    sentence = f"{NEW} has no Service, so its answers cannot be checked"

    canary = read(rollout, seen.now).rollout.status.canary
    assert canary is not None
    assert address(canary) is None
    assert (Line(Mark.UNKNOWN, sentence) in check(seen)[-1].lines) == (probe is not None)
