"""kubectl, which has the address of the cluster and the credentials. Only this module runs it.

The flags that name a cluster or a user pass through untouched, so each way in which kubectl logs in works.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from agentrollouts.api.model.nested import read_json
from agentrollouts.plugin.watch import Watch, kill

Manifest = dict[str, Any]
"""A Kubernetes object in its JSON form."""

_LOG: Final = re.compile(r"[IWEF]\d{4} |Warning: ")
"""How a line begins that kubectl or a library of it logs."""


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
        found: Manifest = read_json(self.text(seconds))
        return found

    def list(self) -> list[Manifest]:
        """The objects that it printed, as far as it could read them; none if it read none."""
        output, _ = self._printed()
        found = read_json(output) if output.strip() else {"items": []}
        return list(found["items"]) if "items" in found else [found]

    def _printed(self, seconds: float | None = None) -> tuple[str, str]:
        """Its output and its errors; an interrupted wait leaves nothing behind."""
        try:
            return self.process.communicate(self.stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            self.end()
            raise KubectlError(f"kubectl did not answer within {seconds:g} s") from None
        except BaseException:
            self.end()
            raise

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


def failure(process: "subprocess.Popen[str]", errors: str) -> KubectlError:
    """Why a kubectl failed, in its own words."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    said = [line for line in lines if not _LOG.match(line)] or lines[-1:]
    sentence = " ".join(said) or f"kubectl ended with exit code {process.returncode} and printed no reason"
    command = " ".join(_without_token(str(each)) for each in process.args[1:])  # type: ignore[index]
    return KubectlError(sentence, f"kubectl {command}\n{errors}".rstrip())


def _without_token(argument: str) -> str:
    return "--token=..." if argument.startswith("--token=") else argument
