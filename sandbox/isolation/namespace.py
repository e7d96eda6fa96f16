"""Run a command inside a network, PID and mount namespace of its own.

This is the outermost layer of a sandbox and what makes the rest simple. In its own network the stack uses
fixed ports, two sandboxes never clash, no packet leaves, and agents get addresses that are not loopback
addresses (the API server refuses those in EndpointSlices). In its own PID namespace no process outlives the
sandbox: when the first process there ends, the kernel kills all others, also after a crash or `kill -9`.

Three processes take part: the *outer* one (ours, which waits), *init* (process 1 of the namespace, which
collects orphans) and the *command*. Root needs nothing else; others get a user namespace as well.
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.errors import NamespaceError
from sandbox.isolation import kernel

ADDRESSES = ("10.77.0.1", "10.77.0.11", "10.77.0.12", "10.77.0.13", "10.77.0.14", "10.77.0.15", "10.77.0.16")
"""What `lo` carries beside 127.0.0.1: the API server's advertised address, then one for each agent."""

SCRATCH = "/dev/shm"  # noqa: S108  # inside the namespace this is a tmpfs that nobody else sees
"""A folder in memory that is private to the sandbox and vanishes with it."""

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_WATCHED = (*_FORWARDED, signal.SIGCHLD)
_SENT_BY_KERNEL = 0x80  # SI_KERNEL: a key on the terminal, which reaches the whole foreground group
_NOT_FOUND = 127
_SETUP_FAILED = 125


def inside() -> bool:
    """Whether this process is inside a sandbox: whether it may use an address that only the inside has."""
    with socket.socket() as probe:
        try:
            probe.bind((ADDRESSES[0], 0))
        except OSError:
            return False
    return True


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command in new namespaces and wait for its end.

    Ctrl-C reaches the command once, from the terminal; a signal sent to this process is passed on.

    Args:
        command: program and arguments.
        environment: all variables of the command.

    Returns:
        The command's exit code, or 128 + the number of the signal that ended it.

    Raises:
        NamespaceError: the kernel refuses namespaces here.
    """
    _enter()
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    init = os.fork()
    if init == 0:
        _become_init(command, environment)
    return _supervise(init)


def _enter() -> None:
    """Unshare; where that takes more rights than we have, become root of a new user namespace as well."""
    user, group = os.getuid(), os.getgid()
    flags = kernel.CLONE_NEWNET | kernel.CLONE_NEWPID | kernel.CLONE_NEWNS
    try:
        with contextlib.suppress(PermissionError):
            kernel.unshare(flags)
            return
        kernel.unshare(flags | kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        raise NamespaceError(
            f"this system forbids the namespaces that a sandbox lives in ({error}): run as root; or allow "
            "them to everybody by setting those of the sysctls kernel.unprivileged_userns_clone=1 and "
            "kernel.apparmor_restrict_unprivileged_userns=0 that exist here; or start the container, if "
            "this is one, with --privileged"
        ) from error


def _become_init(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Prepare the namespace, start the command, and end with its exit code."""
    code = _SETUP_FAILED
    try:
        kernel.die_with_parent()
        _prepare()
        child = os.fork()
        if child == 0:
            _execute(command, environment)
        code = _supervise(child)
    except OSError as error:
        print(f"sandbox: the namespace could not be set up: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)  # not a return: the code of our caller belongs to the outer process


def _prepare() -> None:
    kernel.make_mounts_private()
    # Refused inside containers that hide parts of /proc. Then `ps` shows the processes of outside, no more.
    with contextlib.suppress(OSError):
        kernel.mount("proc", "/proc")
    kernel.mount("tmpfs", SCRATCH)
    kernel.raise_loopback(list(ADDRESSES))


def _execute(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a program would inherit that
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606  # no shell is the point
    except OSError as error:
        print(f"sandbox: cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
    finally:
        os._exit(_NOT_FOUND)


def _supervise(child: int) -> int:
    """Pass signals on to a child and collect every ended process until that child ends."""
    while True:
        received = signal.sigwaitinfo(_WATCHED)
        if received.si_signo == signal.SIGCHLD:
            status = _reap(child)
            if status is not None:
                return status
        elif received.si_code != _SENT_BY_KERNEL:
            os.kill(child, received.si_signo)


def _reap(child: int) -> int | None:
    """Collect all processes that have ended; the exit code of `child` if it is among them."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if pid == 0:
            return None
