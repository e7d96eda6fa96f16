"""`sandbox.isolation.namespace`: what a command finds inside, and that nothing outlives it.

"Nothing outlives it" is observed through a pipe: every process of the sandbox inherits the writing end, so
the reading end sees the end of the file exactly when the last of them is gone.
"""

import errno
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.__main__ import main
from sandbox.isolation import kernel, namespace

ROOT = Path(__file__).resolve().parents[2]
ENTER = (
    "import os, sys; from sandbox.isolation import namespace\n"
    "sys.exit(namespace.run(sys.argv[1:], os.environ))"
)
ORPHAN = (
    "import os, sys, time; os.fork() or (os.setsid(), os.write(int(sys.argv[1]), b'.'), time.sleep(600))\n"
)
"""A child in a session of its own that says it is there and would stay for ten minutes."""


def enter(*command: str) -> list[str]:
    """A command line that runs a command in new namespaces."""
    return [sys.executable, "-c", ENTER, *command]


def python(*lines: str) -> list[str]:
    """A command line that runs a few lines of Python in new namespaces."""
    return enter(sys.executable, "-c", "\n".join(lines))


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own


Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a command that inherits some file descriptors; killed if the test did not end it."""
    spawned: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], *inherited: int) -> "subprocess.Popen[bytes]":
        spawned.append(subprocess.Popen(command, cwd=ROOT, pass_fds=inherited))  # noqa: S603  # our own
        return spawned[-1]

    yield start
    for process in spawned:
        process.kill()
        process.wait()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe; the test may close the writing one itself."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


@pytest.mark.parametrize(
    ("command", "code"),
    [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 128 + 9), (["no-such-program"], 127)],
    ids=["its own", "by a signal", "not found"],
)
def test_exit_code(command: list[str], code: int) -> None:
    """The command's exit code comes through, in the way of a shell."""
    assert run(enter(*command)).returncode == code


def test_addresses() -> None:
    """Inside, agents' addresses can be bound, /dev/shm is one's own, and the world is unreachable."""
    script = python(
        "import errno, os, socket",
        "from sandbox.isolation import namespace",
        "assert namespace.inside()",
        "for address in namespace.ADDRESSES: socket.create_server((address, 80))",
        "assert os.listdir(namespace.SCRATCH) == []",
        f"assert os.stat(namespace.SCRATCH).st_dev != {Path(namespace.SCRATCH).stat().st_dev}",
        "assert socket.socket().connect_ex(('192.0.2.1', 80)) == errno.ENETUNREACH",
    )

    assert run(script).returncode == 0


def test_nested() -> None:
    """A sandbox may be started inside a sandbox, and has ports of its own."""
    inner = "import os, sys; sys.exit(os.getpid() == 2 and 3)"
    listen = "import socket, subprocess, sys; s = socket.create_server(('10.77.0.1', 6443))"
    script = python(
        listen, f"sys.exit(subprocess.run({enter(sys.executable, '-c', f'{listen}; {inner}')!r}).returncode)"
    )

    assert run(script).returncode == 3


def test_plain_user() -> None:
    """A user without any rights gets a sandbox through a user namespace."""
    become_plain = (
        "import os, sys; from pathlib import Path; from sandbox.isolation import kernel\n"
        "user, group = os.getuid(), os.getgid()\n"
        "kernel.unshare(kernel.CLONE_NEWUSER)\n"
        "Path('/proc/self/setgroups').write_text('deny')\n"
        "Path('/proc/self/uid_map').write_text(f'1000 {user} 1')\n"
        "Path('/proc/self/gid_map').write_text(f'1000 {group} 1')\n"
        "os.execv(sys.argv[1], sys.argv[1:])"  # which takes all rights from whoever is not user 0
    )
    command = enter("sh", "-c", "id -u")

    done = run([sys.executable, "-c", become_plain, *command])

    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_forbidden(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the kernel forbids namespaces, one sentence says what would allow them."""

    def refuse(_: int) -> None:
        raise PermissionError(errno.EPERM, "unshare: Operation not permitted")

    monkeypatch.setattr(kernel, "unshare", refuse)

    assert main(["run", "--", "true"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [
        line for line in lines if line.startswith("sandbox: this system forbids") and "run as root" in line
    ]
    assert "Traceback" not in "".join(lines)


def test_ends_with_command(pipe: tuple[int, int], spawn: Spawn) -> None:
    """When the command ends, processes that it left behind are killed."""
    reading, writing = pipe
    script = python(ORPHAN + f"os.read({reading}, 1)")  # waits until the orphan is there

    ended = spawn([*script, str(writing)], *pipe)
    os.close(writing)

    assert ended.wait() == 0
    assert os.read(reading, 1) == b""


def test_ends_when_killed(pipe: tuple[int, int], spawn: Spawn) -> None:
    """When the outer process is killed with SIGKILL, every process inside is, too."""
    reading, writing = pipe
    script = python(ORPHAN + "time.sleep(600)")

    outer = spawn([*script, str(writing)], writing)
    os.close(writing)
    assert os.read(reading, 1) == b"."
    outer.kill()

    assert outer.wait() == -signal.SIGKILL
    assert os.read(reading, 1) == b""


def test_terminate(pipe: tuple[int, int], spawn: Spawn) -> None:
    """SIGTERM sent to the outer process reaches the command, which ends in its own way."""
    reading, writing = pipe
    script = python(
        "import os, signal, sys",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
        f"os.write({writing}, b'.')",
        "signal.sigwait([signal.SIGTERM])",
        "sys.exit(42)",
    )

    outer = spawn(script, writing)
    assert os.read(reading, 1) == b"."
    os.close(writing)
    outer.terminate()

    assert outer.wait() == 42


def test_interrupt_once() -> None:
    """Ctrl-C on the terminal reaches the command once, not a second time by way of the outer process."""
    script = python(
        "import os, signal, sys",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])",
        "print('ready', flush=True)",
        "signal.sigwait([signal.SIGINT])",
        "sys.exit(44 if signal.sigtimedwait([signal.SIGINT], 0.5) else 43)",
    )
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execv(script[0], script)  # noqa: S606  # our own interpreter

    output = b""
    while b"ready" not in output:
        output += os.read(terminal, 100)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(child, 0)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 43


def test_pipeline() -> None:
    """A closed pipe ends a program inside as outside: that Python ignores SIGPIPE is not inherited."""
    script = enter("sh", "-c", "yes | head -n 1; true")

    done = run(script)

    assert (done.returncode, done.stdout, done.stderr) == (0, "y\n", "")


def test_refused_call() -> None:
    """A kernel call that fails is an OSError that names the call and the reason."""
    with pytest.raises(OSError, match=r"mount /no/such/folder: No such file or directory") as refused:
        kernel.mount("tmpfs", "/no/such/folder")

    assert refused.value.errno == errno.ENOENT
