"""kubectl, which has the address of the cluster and the credentials. Only this module runs it.

The flags that name a cluster or a user pass through untouched, so each way in which kubectl logs in works.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from agentrollouts.api.model.nested import read_json
from agentrollouts.plugin.watch import NO_OBJECT, Watch, kill

Manifest = dict[str, Any]
"""A Kubernetes object in its JSON form."""

_LOG: Final = re.compile(r"[IWEF]\d{4} |Warning: ")
"""How a line begins that kubectl or a library of it logs."""
_STDIN: Final = 'error when creating "STDIN": '
"""How kubectl names what only we wrote; what the API server says of it follows."""
_PAGE: Final = re.compile(r"[\s\"'(:]*<(!doctype\s+)?html\b.*", re.IGNORECASE | re.DOTALL)
_NOT_JSON: Final = "invalid character '<' looking for beginning of value"
FOREIGN: Final = (
    "the response is a page of HTML: a proxy or a login page responds in the place of the API server"
)
_CREDENTIALS: Final = "getting credentials: exec"
LOG_IN: Final = "if it expects an input, log in once with `kubectl auth whoami`: none reaches it here"
_SECRETS: Final = ("--token=", "--password=")
PATIENCE_SECONDS: Final = 5.0
"""How long someone looks at an empty screen before they read why."""
WAITING: Final = (
    f"no answer for {PATIENCE_SECONDS:g} s, still waiting; Ctrl-C ends this. If kubectl logs you in, run "
    "`kubectl auth whoami` once: its questions are not shown here"
)


class KubectlError(Exception):
    """kubectl refused or failed; the text is its sentence.

    Args:
        sentence: What kubectl says of it.
        rest: The command, and everything that it printed about it.
    """

    def __init__(self, sentence: str, rest: str = "") -> None:
        super().__init__(sentence)
        self.rest = rest


@dataclass(frozen=True, slots=True)
class Started:
    """A kubectl that runs while we do something else."""

    process: "subprocess.Popen[str]"
    stdin: str | None

    def text(self, seconds: float | None = None) -> str:
        """What it printed, once it ends.

        Raises:
            KubectlError: it failed, or has not ended within so many seconds.
        """
        output, errors = self._printed(seconds)
        if self.process.returncode:
            raise failure(self.process, errors)
        return output

    def json(self, seconds: float | None = None) -> Manifest:
        """The object that it printed, or the list with its `items`. Raises as `text` does."""
        return parsed(self.text(seconds))

    def list(self, seconds: float | None = None) -> list[Manifest]:
        """The objects that it printed, as far as it could read them; none if it read none.

        Raises:
            KubectlError: it has not ended within so many seconds.
        """
        output, _ = self._printed(seconds)
        found = parsed(output) if output.strip() else {"items": []}
        return list(found["items"]) if "items" in found else [found]

    def _printed(self, seconds: float | None = None) -> tuple[str, str]:
        """Its output and its errors; an interrupted wait leaves nothing behind."""
        try:
            return self._communicate(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise KubectlError(f"kubectl did not answer within {seconds:g} s") from None
        except BaseException:
            self.end()
            raise

    def _communicate(self, seconds: float | None) -> tuple[str, str]:
        """The same; someone who waits for longer than usual reads why."""
        if seconds is not None and seconds <= PATIENCE_SECONDS:
            return self.process.communicate(self.stdin, timeout=seconds)
        try:
            return self.process.communicate(self.stdin, timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            say_waiting()
            left = None if seconds is None else seconds - PATIENCE_SECONDS
            return self.process.communicate(timeout=left)

    def end(self) -> None:
        """End it, whatever it does."""
        kill(self.process)
        self.process.communicate()


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with the same flags each time."""

    flags: tuple[str, ...] = ()
    """Flags of the caller, such as `--context=prod`."""

    def start(self, *arguments: str, stdin: str | None = None) -> Started:
        """Run it, without waiting for its end. Raises `KubectlError` if there is none."""
        try:
            process = subprocess.Popen(  # noqa: S603 the arguments are ours, and the flags are the caller's
                [program(), *arguments, *self.flags],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                process_group=0,
            )
        except OSError as error:
            raise KubectlError(f"{program()} cannot be started: {error.strerror}") from error
        return Started(process, stdin)

    def text(self, *arguments: str, stdin: str | None = None) -> str:
        """What it prints. Raises `KubectlError`."""
        return self.start(*arguments, stdin=stdin).text()

    def json(self, *arguments: str, stdin: str | None = None) -> Manifest:
        """The object that it prints, or the list with its `items`. Raises `KubectlError`."""
        return self.start(*arguments, "--output=json", stdin=stdin).json()

    @contextmanager
    def watch(self, *what: str) -> Iterator[Watch]:
        """Events of one object, beginning with it as it is now. Nothing runs any longer afterward."""
        started = self.start("get", *what, "--watch", "--output-watch-events", "--output=json")
        with Watch(started.process) as watch:
            yield watch


@cache
def program() -> str:
    """The path of kubectl.

    Raises:
        KubectlError: there is none.
    """
    found = shutil.which("kubectl")
    if found is None:
        raise KubectlError("kubectl is not on the PATH; install it, since this command runs it")
    return found


@cache
def say_waiting() -> None:
    """Say to a person, once, that nothing has been answered yet: kubectl itself would wait without a word."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{WAITING}\n")


def parsed(text: str) -> Manifest:
    """The object that a kubectl printed. Raises `KubectlError` if it is none."""
    try:
        found: Manifest = read_json(text)
    except ValueError:
        raise KubectlError(NO_OBJECT, f"it printed:\n{text}") from None
    return found


def failure(process: "subprocess.Popen[str]", errors: str) -> KubectlError:
    """Why a kubectl failed, in its own words."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    said = [line for line in lines if not _LOG.match(line)] or lines[-1:]
    sentence = (
        " ".join(dict.fromkeys(said)).replace(_STDIN, "")
        or f"kubectl ended with exit code {process.returncode} and printed no reason"
    )
    sentence = _with_hint(sentence)
    command = " ".join(_without_secret(str(each)) for each in process.args[1:])  # type: ignore[index]
    return KubectlError(sentence, f"kubectl {command}\n{errors}".rstrip())


def _with_hint(sentence: str) -> str:
    """The sentence without a page of HTML in it, and what that means; or how to log in."""
    if _CREDENTIALS in sentence:
        return f"{sentence}; {LOG_IN}"
    cut = _PAGE.sub("", sentence)
    return f"{cut}: {FOREIGN}" if cut != sentence or _NOT_JSON in sentence else sentence


def _without_secret(argument: str) -> str:
    return next((f"{each}..." for each in _SECRETS if argument.startswith(each)), argument)
