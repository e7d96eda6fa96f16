"""`sandbox.programs.process`: start, failure to start, faults, end."""

import functools
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.errors import ProcessError
from sandbox.programs.process import Process
from tests.inside import eventually

SERVE = "import pathlib, signal; print('serving', flush=True); pathlib.Path('{flag}').touch(); signal.pause()"


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """A file that a program of the test makes once it serves."""
    return tmp_path / "serving"


@pytest.fixture
def server(tmp_path: Path, flag: Path) -> Iterator[Process]:
    """A program that serves until it is ended."""
    made = python(tmp_path, SERVE.format(flag=flag), flag)
    yield made
    made.stop()


def python(folder: Path, script: str, flag: Path) -> Process:
    """A program that runs a script, healthy once a file is there."""
    healthy = functools.partial(flag.exists)
    return Process("server", [sys.executable, "-c", script], folder / "server.log", healthy=healthy)


def state(process: Process) -> str:
    """The state letter of a running program, as the kernel tells it."""
    return Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_life(server: Process, flag: Path) -> None:
    """A program is started, ended and started again; its log goes on."""
    assert not server.running

    server.start()
    assert server.running
    assert server.stop() == -signal.SIGKILL
    assert (server.running, server.pid) == (False, None)

    flag.unlink()
    server.start()
    assert server.running
    assert server.tail() == "serving\nserving"


def test_start_twice(server: Process) -> None:
    """Starting a program that runs leaves it alone."""
    server.start()
    pid = server.pid

    server.start()

    assert server.pid == pid


def test_pause(server: Process) -> None:
    """A paused program is frozen, counts as running, and goes on afterwards."""
    server.start()

    server.pause()
    assert (server.running, state(server)) == (True, "T")
    server.resume()
    assert state(server) in "RS"


def test_pause_without_program(server: Process) -> None:
    """There is nothing to pause in a program that does not run."""
    with pytest.raises(ProcessError, match="server does not run"):
        server.pause()


def test_ends_at_start(tmp_path: Path, flag: Path) -> None:
    """A program that ends instead of serving is an error with its exit code and the end of its log."""
    broken = python(tmp_path, "import sys; sys.exit('port 1 is taken')", flag)

    with pytest.raises(ProcessError) as failed:
        broken.start()

    log = tmp_path / "server.log"
    assert str(failed.value) == f"server ended with exit code 1; the end of its log {log}:\nport 1 is taken"


def test_restarts(tmp_path: Path, flag: Path) -> None:
    """A program that ends with the one exit code is started again, with another one or stopped it is not."""
    ends = tmp_path / "ends"
    script = (
        f"import pathlib, sys, time; ends = pathlib.Path({str(ends)!r})\n"
        f"pathlib.Path({str(flag)!r}).touch()\n"
        "while not ends.exists(): time.sleep(0.01)\n"
        "code = int(ends.read_text()); ends.unlink(); sys.exit(code)"
    )
    command, draft = [sys.executable, "-c", script], tmp_path / "draft"
    server = Process("server", command, tmp_path / "server.log", healthy=flag.exists, restarts_after=3)

    def end(code: int) -> None:
        flag.unlink()
        draft.write_text(str(code))
        draft.rename(ends)

    server.start()
    first = server.pid
    end(3)
    eventually(flag.exists)
    assert (server.running, server.pid != first) == (True, True)
    assert server.stop() == -signal.SIGKILL
    assert not server.running
    flag.unlink()
    server.start()
    end(4)
    eventually(lambda: not server.running)
    assert (server.stop(), flag.exists()) == (4, False)


def test_never_healthy(tmp_path: Path, flag: Path) -> None:
    """A program that does not serve in time is an error with the end of its log."""
    slow = python(tmp_path, "import signal; signal.pause()", flag)

    try:
        with pytest.raises(
            ProcessError, match=r"^server did not become healthy within 0.1 s; the end of its log"
        ):
            slow.start(seconds=0.1)
    finally:
        assert slow.stop() == -signal.SIGKILL


def test_no_such_program(tmp_path: Path) -> None:
    """A program that cannot be executed is an error that names it."""
    with pytest.raises(ProcessError, match=r"nothing cannot be executed: .*No such file or directory"):
        Process("nothing", [tmp_path / "nothing"], tmp_path / "nothing.log").start()


def test_refuses_to_end(tmp_path: Path, flag: Path) -> None:
    """A program that ignores the signal it is asked to end with is killed after the given time."""
    deaf = python(
        tmp_path, f"import signal; signal.signal(15, signal.SIG_IGN); {SERVE.format(flag=flag)}", flag
    )
    deaf.start()

    assert deaf.stop(signal.SIGTERM, seconds=0.1) == -signal.SIGKILL
