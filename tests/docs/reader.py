"""Someone who follows a page of `docs/` in a shell and compares what is printed with what it shows."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from sandbox.stack import Stack
from tests.docs.pages import blocks

SECONDS = 240
"""For one command; the page's own `kubectl wait` gives up before."""
LOOK_SECONDS = 0.5
"""Between two looks at the cluster while a command runs."""


@dataclass(frozen=True)
class Command:
    """A command of a page, and the output that the page shows below it."""

    text: str
    output: list[str] = field(default_factory=list)

    @property
    def pattern(self) -> re.Pattern[str]:
        """The output with any age and any width of columns; in a line with `...`, also any numbers."""
        return re.compile("\n".join(map(_line, self.output)))


def commands(text: str) -> Iterator[Command]:
    """All commands of a page, in order."""
    for block in blocks(text, "console"):
        yield from shown_in(block)


def shown_in(block: str) -> Iterator[Command]:
    """The commands of a block; one that ends with a backslash continues in the next line."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *output = re.sub(r"\\\n\s*", "", part).splitlines()
        yield Command(command, output)


@dataclass
class Reader:
    """A person with the files of a page."""

    folder: Path
    environment: dict[str, str]
    meanwhile: Callable[[], None]
    """What the cluster does while a command runs."""
    background: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @classmethod
    def of(cls, stack: Stack, folder: Path, meanwhile: Callable[[], None]) -> Self:
        """One with a kubeconfig to change, and the Gateway's address."""
        kubeconfig = folder / "kubeconfig"
        shutil.copy(stack.kubeconfig, kubeconfig)
        environment = stack.environment
        path = f"{environment['PATH']}{os.pathsep}{Path(sys.executable).parent}"  # with `agentrollouts`
        settings = {"KUBECONFIG": str(kubeconfig), "GATEWAY": stack.gateway_url, "PATH": path}
        return cls(folder, environment | settings, meanwhile)

    def run(self, command: str) -> str:
        """Run a command and return what it prints; one that ends with `&` keeps running."""
        shell = ["bash", "-c", command.removesuffix("&")]
        if command.endswith("&"):
            self.background.append(
                subprocess.Popen(  # noqa: S603 - the commands of our own page
                    shell, cwd=self.folder, env=self.environment, start_new_session=True
                )
            )
            return ""
        process = subprocess.Popen(  # noqa: S603 - as above
            shell,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                printed, _ = process.communicate(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                self.meanwhile()
            else:
                self.meanwhile()
                return printed.rstrip("\n")
        process.kill()
        raise TimeoutError(f"{command} still runs after {SECONDS} s")

    def play(self, text: str) -> None:
        """Run the commands of a part of the page, and compare what they print with what it shows."""
        transcript = ""
        for command in commands(text):
            printed = self.run(command.text)
            transcript += f"$ {command.text}\n{printed}\n"
            assert command.pattern.fullmatch(printed.replace(" %", "%")), (
                f"{transcript}\nthe page shows: {command.output}"
            )

    def leave(self) -> None:
        """End what keeps running."""
        for process in self.background:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _line(text: str) -> str:
    words = [_word(word, is_excerpt=" ... " in text) for word in text.split()]
    return r"\s+".join(words)


def _word(word: str, *, is_excerpt: bool) -> str:
    if word == "...":
        return ".*"
    if re.fullmatch(r"(\d+[smh])+", word):
        return r"(\d+[smh])+"
    parts = re.split(r"\d[\d,.]*", word) if is_excerpt else [word]
    return r"[\d,.]+".join(map(re.escape, parts))
