"""`docs/getting-started.md`, played as it is written: its files, its commands, its agent, its outputs.

Replaced are the image build, the nodes (`kubelet`), and what a real scrape configuration adds to the series.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.docs.pages import blocks, page
from tests.e2e.kubelet import Kubelet

PAGE = page("getting-started.md")
NAMESPACE = "orders"
LANGUAGES = ("yaml", "python", "sh")
SECONDS = 240
"""For one command; the page's own `kubectl wait` gives up before."""


@dataclass(frozen=True)
class Command:
    """A command of the page, and the output that the page shows below it."""

    text: str
    output: list[str] = field(default_factory=list)

    @property
    def pattern(self) -> re.Pattern[str]:
        """The output with any age and any width of columns; in a line with `...`, also any numbers."""
        return re.compile("\n".join(map(_line, self.output)))


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


def commands(text: str) -> Iterator[Command]:
    """All commands of a page, in order."""
    for block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.splitlines()
            yield Command(command, output)


@dataclass
class Reader:
    """Someone who follows the page in a shell."""

    folder: Path
    environment: dict[str, str]
    background: list["subprocess.Popen[bytes]"] = field(default_factory=list)

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
        done = subprocess.run(  # noqa: S603 - as above
            shell,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout.rstrip("\n")

    def leave(self) -> None:
        """End what keeps running."""
        for process in self.background:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


@pytest.fixture
def reader(stack: Stack, tmp_path: Path) -> Iterator[Reader]:
    """A folder with the files of the page, a kubeconfig to change, and the Gateway's address."""
    for text in (found for language in LANGUAGES for found in blocks(PAGE, language)):
        (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copy(stack.kubeconfig, kubeconfig)
    settings = {"KUBECONFIG": str(kubeconfig), "GATEWAY": stack.gateway_url}
    person = Reader(tmp_path, stack.environment | settings)
    yield person
    person.leave()


@pytest.fixture
def kubelet(stack: Stack, tmp_path: Path) -> Iterator[Kubelet]:
    """Runs the page's agent for each Deployment."""
    command = [sys.executable, str(tmp_path / "agent.py")]
    nodes = Kubelet(stack, NAMESPACE, command, tmp_path)
    yield nodes
    nodes.stop()
    stack.kubectl("delete", "agentrollouts", "--all", f"--namespace={NAMESPACE}")


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the page sends its requests with curl")
def test_the_page_works_as_it_is_written(operator: OperatorProcess, reader: Reader, kubelet: Kubelet) -> None:
    """Each command of the page prints what the page shows, apart from ages and what the page leaves out."""
    assert operator.process.running
    transcript = ""
    for command in commands(PAGE):
        printed = reader.run(command.text)
        transcript += f"$ {command.text}\n{printed}\n"
        assert command.pattern.fullmatch(printed.replace(" %", "%")), (
            f"{transcript}\nthe page shows: {command.output}"
        )
        kubelet.sync()
