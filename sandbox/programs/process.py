"""One program of the sandbox: started with a log file and a health check, ended with SIGKILL.

SIGKILL, because nothing here is worth saving and an API server whose etcd is gone ignores SIGTERM for ten
minutes. Faults of a program are played through `stop`, `start`, `pause` and `resume`.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox.errors import ProcessError

_POLL_SECONDS = 0.02
_LAST_LINES = 20


class Process:
    """A program that may be started, stopped, paused and started again.

    Args:
        name: what people call it; also the name of its log file.
        command: program and arguments.
        log: its output is appended to this file.
        healthy: asks the program whether it serves; an OSError counts as no. Without it, running is enough.
        environment: variables beside those of this process.
        restarts_after: an exit code after which it is started again, as the kubelet does.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        healthy: Callable[[], bool] | None = None,
        environment: Mapping[str, str] | None = None,
        restarts_after: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._healthy = healthy
        self._environment = os.environ | dict(environment or {})
        self._restarts_after = restarts_after
        self._is_wanted = False
        """Whether someone started it and has not stopped it since."""
        self._changes = threading.RLock()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None while it does not run."""
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended; a paused program runs."""
        return self.pid is not None

    def launch(self) -> None:
        """Start it without waiting until it serves; nothing happens if it runs.

        Raises:
            ProcessError: the program cannot be executed.
        """
        with self._changes:
            if self.running:
                return
            self._child = self._execute()
            self._is_wanted = True
            if self._restarts_after is not None:
                threading.Thread(target=self._follow, args=(self._child,), daemon=True).start()

    def wait_healthy(self, seconds: float = 120) -> None:
        """Wait until it serves.

        Args:
            seconds: how long at most.

        Raises:
            ProcessError: it ended, or did not serve in time; the text holds the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not self._is_healthy():
            if not self.running:
                raise ProcessError(self._story(f"ended with exit code {self._exit_code()}"))
            if time.monotonic() > deadline:
                raise ProcessError(self._story(f"did not become healthy within {seconds:g} s"))
            time.sleep(_POLL_SECONDS)

    def start(self, seconds: float = 120) -> None:
        """Start it and wait until it serves.

        Args:
            seconds: how long to wait at most.

        Raises:
            ProcessError: it ended, or did not serve in time; the text holds the end of its log.
        """
        self.launch()
        self.wait_healthy(seconds)

    def stop(self, how: signal.Signals = signal.SIGKILL, seconds: float = 30) -> int | None:
        """Send a signal and wait for the end; nothing happens if it does not run.

        Args:
            how: the signal.
            seconds: after this long without an end it gets SIGKILL.

        Returns:
            The exit code, negative for a signal; None if it never ran.
        """
        with self._changes:
            self._is_wanted = False
        if self._child is not None and self.running:
            self._child.send_signal(how)
            try:
                self._child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        return self._exit_code()

    def pause(self) -> None:
        """Freeze it, and wait until it is: its ports stay open, nobody answers.

        Raises:
            ProcessError: it does not run.
        """
        child = self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on after `pause`.

        Raises:
            ProcessError: it does not run.
        """
        self._signal(signal.SIGCONT)

    def tail(self, lines: int = _LAST_LINES) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _execute(self) -> "subprocess.Popen[bytes]":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            try:
                return subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    process_group=0,  # Ctrl-C is for our own process, which then closes the stack in order
                )
            except OSError as error:
                raise ProcessError(f"{self.name} cannot be executed: {error}") from error

    def _follow(self, child: "subprocess.Popen[bytes]") -> None:
        """Wait for the end of one run of it, and begin the next if the exit code says so."""
        code = child.wait()
        with self._changes:
            if code == self._restarts_after and self._is_wanted and self._child is child:
                self.launch()

    def _signal(self, number: signal.Signals) -> "subprocess.Popen[bytes]":
        if self._child is None or not self.running:
            raise ProcessError(f"{self.name} does not run")
        self._child.send_signal(number)
        return self._child

    def _is_healthy(self) -> bool:
        if not self.running:
            return False
        try:
            return self._healthy is None or self._healthy()
        except OSError:
            return False

    def _exit_code(self) -> int | None:
        return self._child.poll() if self._child else None

    def _story(self, what: str) -> str:
        return f"{self.name} {what}; the end of its log {self.log}:\n{self.tail()}"
