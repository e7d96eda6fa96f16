"""`sandbox.stack` as a whole: its start and end, two at once, and what is left after a kill.

A stack needs a sandbox of its own (its ports are fixed), so each test starts one.
"""

import contextlib
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.parts import parts
from sandbox.stack import STATE
from tests.inside import INSIDE_SECONDS, run_inside

ROOT = Path(__file__).resolve().parents[2]
PLAIN = "Stack(with_gateway=False, with_gateway_api=False, quiet=True)"


def python(script: str, *arguments: str) -> list[str]:
    """A command line that runs a script in a new sandbox."""
    return [
        *(sys.executable, "-m", "sandbox", "run", "--", sys.executable),
        "-c",
        f"import os, sys; from sandbox.stack import Stack\n{script}",
        *arguments,
    ]


def processes_of(ancestor: int) -> dict[int, list[str]]:
    """The command lines of all descendants of a process, by PID."""
    command_lines = {ancestor: ["", ""]}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        with contextlib.suppress(OSError):  # of another program, and ended meanwhile
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in command_lines:
                command_lines[int(folder.name)] = [*(folder / "cmdline").read_text().split("\0"), ""]
    return command_lines


def run(command: list[str], **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603  # our own
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=False
    )


Spawn = Callable[[list[str]], "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a command that is talked to through pipes; killed if the test did not end it."""
    spawned: list[subprocess.Popen[str]] = []

    def start(command: list[str]) -> "subprocess.Popen[str]":
        made = subprocess.Popen(  # noqa: S603  # our own
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        spawned.append(made)
        return made

    yield start
    for process in spawned:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def ends(pidfd: int, seconds: float = 60) -> bool:
    """Whether a process has ended or does so within that time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return poll.poll(seconds * 1000) != []


@pytest.mark.timeout(INSIDE_SECONDS)
def test_inside() -> None:
    """Everything that `inside_stack.py` states about a running stack holds."""
    done = run_inside(Path(__file__).with_name("inside_stack.py"))

    assert done.returncode == 0, done.stdout + done.stderr


def test_two_at_once(spawn: Spawn) -> None:
    """Two sandboxes run side by side, each with an API server that does not know the other's objects."""
    script = (
        f"with {PLAIN} as stack:\n"
        "    stack.kubectl('create', 'namespace', sys.argv[1])\n"
        "    print(flush=True); sys.stdin.readline()\n"
        "    for name in sys.argv[1:]:\n"
        "        found = stack.kubectl('get', 'namespace', name, '--output=name', '--ignore-not-found')\n"
        "        print(found.strip())\n"
    )
    both = [spawn(python(script, *names)) for names in (("mine", "yours"), ("yours", "mine"))]
    assert [line_of(running) for running in both] == ["\n", "\n"]

    answers = [running.communicate("go on\n", timeout=120)[0] for running in both]

    assert answers == ["namespace/mine\n\n", "namespace/yours\n\n"]


def test_killed(spawn: Spawn) -> None:
    """After `kill -9` of the command line's process, nothing of the stack is left running."""
    script = f"stack = {PLAIN}; stack.start(); print(stack.logs, flush=True); sys.stdin.readline()"
    outer = spawn(python(script))
    logs = Path(line_of(outer).strip())
    inside = processes_of(outer.pid)
    assert {"etcd", "kube-apiserver", "kube-controller-manager"} <= {line[1] for line in inside.values()}
    watched = {os.pidfd_open(pid): line for pid, line in inside.items()}

    outer.kill()
    outer.communicate()

    assert [line for pidfd, line in watched.items() if not ends(pidfd)] == []
    for pidfd in watched:
        os.close(pidfd)
    shutil.rmtree(logs)


def test_logs() -> None:
    """Logs are removed after a good end, and kept and named after an error."""
    good = run(python(f"with {PLAIN} as stack: print(stack.logs)"))
    assert not Path(good.stdout.strip()).exists()

    loud = PLAIN.replace("quiet=True", "quiet=False")
    bad = run(python(f"with {loud} as stack: print(stack.logs); sys.exit(1)"))
    logs = Path(bad.stdout.strip())
    assert (bad.returncode, logs.parent) == (1, STATE)
    assert bad.stderr.splitlines()[-1] == f"sandbox: logs are in {logs}"
    assert {"etcd.log", "apiserver.log"} <= {file.name for file in logs.iterdir()}
    shutil.rmtree(logs)


def test_failed_start() -> None:
    """A program that does not start is reported with its log, and what ran already is ended."""
    script = (
        "import socket; taken = socket.create_server(('10.77.0.1', 6443))\n"
        "from sandbox.errors import ProcessError\n"
        f"stack = {PLAIN}\n"
        "try: stack.start()\n"
        "except ProcessError as error: print(error)\n"
        "print([process.running for process in stack.processes.values()], stack.kubeconfig.exists())\n"
        "stack.close()"
    )

    lines = run(python(script)).stdout.splitlines()

    assert lines[0].startswith("apiserver ended with exit code 1; the end of its log")
    assert "address already in use" in lines[-2]
    assert lines[-1] == "[False, False, False, False] False"


def test_envtest(tmp_path: Path) -> None:
    """With KUBEBUILDER_ASSETS the API server runs without a controller manager."""
    own = parts.control_plane()
    for name, command in (("etcd", own.etcd), ("kube-apiserver", own.apiserver)):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
        (tmp_path / name).chmod(0o755)
    script = (
        f"with {PLAIN} as stack:\n"
        "    print(*sorted(stack.processes))\n"
        "    print(stack.kubectl('get', 'namespace/default', '--output=name').strip())"
    )

    done = run(python(script), KUBEBUILDER_ASSETS=str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "apiserver etcd prometheus\nnamespace/default\n"), (
        done.stderr
    )
