"""`docs/getting-started.md`, played as it is written: its files, its commands, its agent, its outputs.

Replaced are the image build, the nodes (`kubelet`), and the Prometheus operator (`podmonitors`).
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.docs.pages import blocks, page
from tests.e2e import podmonitors
from tests.e2e.kubelet import Kubelet
from tests.inside import eventually

PAGE = page("getting-started.md")
NAMESPACE = "orders"
BEFORE, FIRST_HOUR, AFTER = re.split(r"^(?=## 1\. |## 4\. )", PAGE, flags=re.MULTILINE)
"""Up to the empty namespace; from there to a rollback, which `tests/docs` counts; what one can do then."""
LANGUAGES = ("yaml", "python")
SECONDS = 240
"""For one command; the page's own `kubectl wait` gives up before."""
LOOK_SECONDS = 0.5
"""Between two looks at the Deployments while a command runs."""


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
    meanwhile: Callable[[], None]
    """What the cluster does while a command runs."""
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page."""
    for text in (block for language in LANGUAGES for block in blocks(PAGE, language)):
        (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
    return tmp_path


@pytest.fixture
def kubelet(stack: Stack, folder: Path) -> Iterator[Kubelet]:
    """Runs the page's agent for each Deployment."""
    podmonitors.install(stack)
    nodes = Kubelet(stack, NAMESPACE, folder / "agent.py", folder)
    yield nodes
    nodes.stop()
    stack.kubectl("delete", "agentrollouts", "--all", f"--namespace={NAMESPACE}")


@pytest.fixture
def reader(stack: Stack, folder: Path, kubelet: Kubelet) -> Iterator[Reader]:
    """A person with the files of the page, a kubeconfig to change, and the Gateway's address."""
    kubeconfig = folder / "kubeconfig"
    shutil.copy(stack.kubeconfig, kubeconfig)
    settings = {"KUBECONFIG": str(kubeconfig), "GATEWAY": stack.gateway_url}
    person = Reader(folder, stack.environment | settings, kubelet.sync)
    yield person
    person.leave()


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the page sends its requests with curl")
def test_the_page_works_as_it_is_written(
    stack: Stack, operator: OperatorProcess, reader: Reader, kubelet: Kubelet
) -> None:
    """Each command of the page prints what the page shows, apart from ages and what the page leaves out.

    After the commands of the first hour alone, and no other, the bad release is rolled back.
    """
    assert operator.process.running
    reader.play(BEFORE)
    reader.play(FIRST_HOUR)

    def is_rolled_back() -> bool:
        kubelet.sync()
        status = stack.kubectl.get("aro/order-agent", f"--namespace={NAMESPACE}")["status"]
        return str(status.get("lastRollback", {}).get("from")) == "order-agent-1.1.0"

    eventually(is_rolled_back, 60)
    reader.play(AFTER)
