"""What a `kubectl get --watch` prints, event by event, while it runs.

Two threads read its pipes, so that a reader can wait for an event and for a clock at the same time.
"""

import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

from agentrollouts.api.model.nested import read_json

NO_OBJECT: Final = "kubectl printed something that is not an object; look at it with --debug"
_END: Final = "}\n"
"""The last line of each object: kubectl indents the others, and JSON has no line break within a text."""


class WatchEndedError(Exception):
    """The watch has ended; the text is what kubectl printed on standard error, or nothing."""


class Watch:
    """The events of one process.

    Args:
        process: A kubectl with `--watch --output-watch-events --output=json`, and pipes.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._errors = self._problem = ""
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._read, self._listen)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process, and wait until nothing of it is left."""
        kill(self.process)
        for thread in self._threads:
            thread.join()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def event(self, seconds: float | None = None) -> dict[str, Any] | None:
        """The next event, with `type` and `object`; None if there is none within so many seconds.

        Raises:
            WatchEndedError: there is no further one.
        """
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if event is None:
            self._events.put(None)
            self._threads[1].join()
            self.process.wait()
            raise WatchEndedError(self._problem or self._errors)
        return event

    def _read(self) -> None:
        try:
            for event in _objects(iter(self.process.stdout or ())):
                self._events.put(event)
        except ValueError:
            self._problem = NO_OBJECT
            kill(self.process)
        self._events.put(None)

    def _listen(self) -> None:
        self._errors = self.process.stderr.read() if self.process.stderr else ""


def kill(process: "subprocess.Popen[str]") -> None:
    """End a process with everything that it started, such as a plugin that logs in for it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _objects(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The objects of a stream in which they follow each other; a last one that is cut off is left out."""
    text: list[str] = []
    for line in lines:
        text.append(line)
        if line == _END or (len(text) == 1 and line.endswith(_END)):
            yield read_json("".join(text))
            text = []
