"""A rollout that is followed: what a fake kubectl prints and how it ends, and what is made of it."""

import json
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from agentrollouts.plugin import following
from agentrollouts.plugin.following import Look, follow
from agentrollouts.plugin.kubectl import WAITING, Kubectl, KubectlError, program, say_waiting
from tests.inside import eventually
from tests.plugin.fake import fake

FIRST = {"metadata": {"name": "x"}, "spec": {"text": "}\n{"}}
SECOND = {"metadata": {"name": "x"}, "spec": {"text": "other"}}
TICK = 0.05


def event(kind: str, rollout: object, *, indent: int | None = None) -> str:
    """A line of the shell script that prints an event, as kubectl does or spread over lines."""
    text = json.dumps({"type": kind, "object": rollout}, indent=indent)
    return f"cat <<'END'\n{text}\nEND\n"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """Runs the script that a test writes; watches follow each other at once."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(following, "BACK_OFF", (TICK, TICK))
    program.cache_clear()
    return Kubectl()


def looks(kubectl: Kubectl, number: int) -> list[Look]:
    """The first looks."""
    with closing(follow(kubectl, "x", tick=TICK)) as found:
        return list(islice(found, number))


@pytest.mark.parametrize("indent", [None, 4])
def test_each_change_is_a_look(kubectl: Kubectl, tmp_path: Path, indent: int | None) -> None:
    """Objects follow each other, whatever their texts contain; the same one again is not a change."""
    both = event("ADDED", FIRST, indent=indent) + event("MODIFIED", SECOND, indent=indent)
    fake(tmp_path, both + event("MODIFIED", SECOND, indent=indent) + "exec sleep 60")

    assert [(each.rollout, each.is_new) for each in looks(kubectl, 4)] == [
        (FIRST, True),
        (SECOND, True),
        (SECOND, False),
        (SECOND, False),
    ]


def test_a_lost_api_server_is_counted_until_it_answers(kubectl: Kubectl, tmp_path: Path) -> None:
    """The last rollout stays, with the time since the answer and the reason; a change ends that."""
    count = f"echo x >> {tmp_path}/count; case $(wc -l < {tmp_path}/count) in"
    lost = "echo 'The connection to the server was refused' >&2; exit 1"
    cases = f"1)\n{event('ADDED', FIRST)};;\n2|3) {lost};;\n*)\n{event('ADDED', SECOND)}exec sleep 60;;"
    fake(tmp_path, f"{count}\n{cases}\nesac")

    with closing(follow(kubectl, "x", tick=TICK)) as found:
        seen = [next(found)]
        while seen[-1].rollout == FIRST:
            seen.append(next(found))

    silent = [each.silent_seconds or 0 for each in seen[1:-1]]
    assert silent == sorted(silent)
    assert {each.problem for each in seen[1:-1]} == {"", "The connection to the server was refused"}
    assert (seen[-1].rollout, seen[-1].silent_seconds, seen[-1].problem) == (SECOND, None, "")


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("echo 'error: not logged in' >&2; exit 1", "error: not logged in"),
        ("exit 3", "kubectl ended with exit code 3 and printed no reason"),
        (event("ADDED", FIRST) + event("DELETED", FIRST) + "exec sleep 60", "agentrollout x was deleted"),
    ],
)
def test_what_cannot_be_followed_is_an_error(
    kubectl: Kubectl, tmp_path: Path, script: str, sentence: str
) -> None:
    """One that cannot be read at first, or is deleted."""
    fake(tmp_path, script)
    with pytest.raises(KubectlError, match=sentence):
        looks(kubectl, 2)


@pytest.mark.parametrize("what", ['agentrollouts.agentrollouts.dev \\"x\\"', 'namespaces \\"shop\\"'])
def test_one_that_is_deleted_while_there_is_no_watch_is_gone(
    kubectl: Kubectl, tmp_path: Path, what: str
) -> None:
    """No answer is not the same as the answer that there is none, or not even its namespace."""
    gone = f'echo "Error from server (NotFound): {what} not found" >&2; exit 1'
    count = f"echo x >> {tmp_path}/count; case $(wc -l < {tmp_path}/count) in"
    fake(tmp_path, f"{count}\n1)\n{event('ADDED', FIRST)}exit 1;;\n*) {gone};;\nesac")

    with pytest.raises(KubectlError, match="agentrollout x was deleted"):
        looks(kubectl, 100)


def test_the_first_answer_is_not_awaited_forever(
    kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An API server that takes the connection and says nothing is told apart from a slow one by a limit."""
    monkeypatch.setattr(following, "PATIENCE_SECONDS", 0)
    fake(tmp_path, "exec sleep 600")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    say_waiting.cache_clear()

    with (
        closing(follow(kubectl, "x", seconds=2 * TICK, tick=TICK)) as found,
        pytest.raises(following.NoAnswerError, match=f"no answer from the API server within {2 * TICK:g} s"),
    ):
        next(found)
    assert capsys.readouterr().err == f"{WAITING}\n"


def test_what_is_no_object_ends_a_watch(kubectl: Kubectl, tmp_path: Path) -> None:
    """A program in the place of kubectl that greets is named, and does not keep us waiting."""
    fake(tmp_path, f"echo Welcome\n{event('ADDED', FIRST, indent=4)}exec sleep 600")
    with pytest.raises(KubectlError, match="kubectl printed something that is not an object"):
        looks(kubectl, 1)


def test_what_kubectl_started_ends_with_it(kubectl: Kubectl, tmp_path: Path) -> None:
    """A plugin that logs in for kubectl, or anything else that holds its pipes, does not keep us waiting."""
    fake(tmp_path, f"{event('ADDED', FIRST)}sleep 600 &\necho $! > {tmp_path}/child\nwait")

    assert [each.rollout for each in looks(kubectl, 2)] == [FIRST, FIRST]
    child = Path("/proc") / (tmp_path / "child").read_text().strip() / "status"
    eventually(lambda: not child.exists() or "State:\tZ" in child.read_text())
