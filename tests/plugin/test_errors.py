"""What the plugin says when something is wrong: one sentence, what to do, and the exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentrollouts.plugin import kubectl
from agentrollouts.plugin.watch import NO_OBJECT
from tests.plugin.fake import environment, fake, run
from tests.plugin.rollouts import in_canary


def test_no_kubectl_is_one_sentence(tmp_path: Path) -> None:
    """Who has the plugin alone is told what is missing."""
    done = run(tmp_path, "list", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kubectl is not on the PATH; install it, since this command runs it\n"


def test_an_error_is_the_sentence_of_kubectl_without_its_log(tmp_path: Path) -> None:
    """Lines that a library logs are for `--debug`, and a token is never printed."""
    script = (
        'echo "E1130 10:00:00.0 1 memcache.go:265] couldn\'t get list" >&2; '
        "echo 'error: You must be logged in to the server' >&2; exit 1"
    )
    folder = fake(tmp_path, script)
    done = run(folder, "list")
    debug = run(folder, "list", "--debug", "--token=secret", "--password=secret")

    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "error: You must be logged in to the server\n",
    )
    assert "memcache.go" in debug.stderr
    assert "secret" not in debug.stderr


def test_what_cannot_be_started_or_read_is_one_sentence(tmp_path: Path) -> None:
    """A kubectl that is no program, or that prints something else than an object."""
    other = tmp_path / "other"
    other.mkdir()
    broken = fake(tmp_path, "")
    (broken / "kubectl").write_bytes(b"\x7fELF")
    started = run(broken, "list")
    greeting = run(fake(other, "echo Welcome"), "status", "x", "--debug")

    assert (started.returncode, started.stdout) == (1, "")
    assert started.stderr == f"{broken}/kubectl cannot be started: Exec format error\n"
    assert (greeting.returncode, greeting.stdout) == (1, "")
    assert greeting.stderr.splitlines() == [NO_OBJECT, "it printed:", "Welcome"]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: invalid character '<' looking for beginning of value", None),
        (
            "couldn't get current server API group list: <html><p>Sign in</p>\n</html>",
            "couldn't get current server API group list",
        ),
        (
            'Error from server (InternalError): an error on the server ("<!doctype html>\\nx") ...',
            "Error from server (InternalError): an error on the server",
        ),
    ],
    ids=["200", "403", "502"],
)
def test_a_page_of_a_proxy_is_one_sentence(said: str, sentence: str | None, tmp_path: Path) -> None:
    """What kubectl 1.32 says of a login page is kept without the page, which `--debug` shows."""
    (tmp_path / "said").write_text(f"{said}\n")
    folder = fake(tmp_path, f"cat {tmp_path}/said >&2; exit 1")
    done, debug = run(folder, "list"), run(folder, "list", "--debug")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{sentence or said}: {kubectl.FOREIGN}\n")
    assert said.splitlines()[0] in debug.stderr


def test_a_login_that_asks_is_explained(tmp_path: Path) -> None:
    """The program of the kubeconfig runs several times; what it says is there once."""
    said = (
        "Unable to connect to the server: getting credentials: exec: executable login failed with exit code 1"
    )
    folder = fake(tmp_path, f"for n in 1 2 3; do echo 'Password: ' >&2; done; echo '{said}' >&2; exit 1")
    done = run(folder, "list")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Password: {said}; {kubectl.LOG_IN}\n")


def test_a_watch_ends_once_no_one_reads_it(tmp_path: Path) -> None:
    """As after `head -1`: without a change there is nothing to write, which would show it."""
    rollout, _ = in_canary()
    (tmp_path / "event").write_text(json.dumps({"type": "ADDED", "object": rollout}) + "\n")
    folder = fake(tmp_path, f'case "$*" in *--watch*) cat {tmp_path}/event; exec sleep 600;; esac')
    with subprocess.Popen(
        [sys.executable, "-m", "agentrollouts.kubectl_agentrollout", "status", "support-agent", "-w"],
        env=environment(folder, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "  Canary  " in process.stdout.readline()
        process.stdout.close()
        assert (process.wait(timeout=120), process.stderr.read()) == (1, "")


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """What cannot be written is an error, and not a traceback."""
    folder = fake(tmp_path, "echo '{\"items\": []}'")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agentrollouts.kubectl_agentrollout", "list", "-A"],
            env=environment(folder, {}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "the output cannot be written: No space left on device\n")


def test_a_long_wait_is_explained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kubectl waits for an API server without a word; what it answers in the end is not lost."""
    monkeypatch.setenv("PATH", f"{fake(tmp_path, 'cat; sleep 0.2; echo there')}:/usr/bin:/bin")
    monkeypatch.setattr(kubectl, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    kubectl.program.cache_clear()
    kubectl.say_waiting.cache_clear()

    printed = [kubectl.Kubectl().start("get", stdin="given").text(seconds) for seconds in (None, 60)]

    assert printed == ["giventhere\n"] * 2
    assert capsys.readouterr().err == f"{kubectl.WAITING}\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["status"], "name the rollout, or its agent with --agent"),
        (["status", "a", "--agent", "b"], "name the rollout, or its agent with --agent"),
        (["status", "Not_a_name"], "is not a valid name"),
        (["status", "--", "--all"], "is not a valid name"),
        (["status", "pods/a"], "is not an object of the kind agentrollouts"),
        (["status", "a", "-w", "--wait"], "give --watch or --wait, not both"),
        (["acknowledge", "a", "--for", "soon", "--reason", "it is a test"], "is not a duration"),
        (["rollback", "a"], "Missing option '--reason'"),
        (["rolback", "a"], "No such command 'rolback'. Did you mean 'rollback'?"),
        (["roll-back", "a"], "No such command 'roll-back'. Did you mean 'rollback'?"),
        (["report", "--as=dana"], "unrecognized arguments: --as=dana"),
    ],
)
def test_wrong_usage_is_two(tmp_path: Path, arguments: list[str], problem: str) -> None:
    """Nothing was requested, and the sentence says what to write instead."""
    done = run(fake(tmp_path, "exit 7"), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


@pytest.mark.parametrize(
    "sentence",
    [
        "The connection to the server localhost:8080 was refused",
        "error: You must be logged in to the server (Unauthorized)",
    ],
)
def test_a_check_of_nothing_is_no_success(tmp_path: Path, sentence: str) -> None:
    """Without an API server, or as nobody, the exit code does not mean that all is well."""
    done = run(fake(tmp_path, f"echo '{sentence}' >&2; exit 1"), "check")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{sentence}\n")
