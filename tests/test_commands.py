"""Every command has its function, and loads only what it needs."""

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from agentrollouts.cli.arguments import Command
from agentrollouts.main import ACTION, COMMANDS
from tests.signals import with_ctrl_c

PROGRAM: Final = (sys.executable, "-m", "agentrollouts.main")
INVALID: Final = Path(__file__).parents[1] / "crds" / "examples" / "invalid"


@pytest.mark.parametrize("command", Command)
def test_a_command_is_where_the_table_says(command: Command) -> None:
    """The table names a module and a function that exists there."""
    module, _, function = COMMANDS.get(command, ACTION).partition(":")
    assert callable(getattr(import_module(f"agentrollouts.{module}"), function))


def test_a_command_does_not_load_the_operator() -> None:
    """kopf, the controllers and the metrics take most of a second, and no one waits for them."""
    module = COMMANDS[Command.WHO_SERVED].partition(":")[0]
    code = (
        f"import sys, agentrollouts.main, agentrollouts.{module}; "
        "print(sorted({'kopf', 'prometheus_client', 'agentrollouts.shell'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 ours
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [("gates",), ("lint", "-f", str(INVALID)), ("--help",)])
def test_a_reader_that_has_enough_sees_no_traceback(arguments: tuple[str, ...]) -> None:
    """As `head -1`, which closes the pipe."""
    source, sink = os.pipe()
    os.close(source)
    done = subprocess.run(  # noqa: S603 ours
        [*PROGRAM, *arguments], stdout=sink, stderr=subprocess.PIPE, text=True, timeout=120, check=False
    )
    os.close(sink)
    assert (done.returncode in {0, 1}, done.stderr) == (True, "")


def test_a_command_without_an_output_ends_as_with_one() -> None:
    """Standard output is closed, as some tools start programs."""
    command = " ".join([*PROGRAM, "gates", ">&-"])
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, timeout=120, check=False)  # noqa: S603, S607 ours
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_is_one_sentence() -> None:
    """What cannot be written is an error, and not a traceback."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 ours
            [*PROGRAM, "gates"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    assert (done.returncode, done.stderr) == (1, "the output cannot be written: No space left on device\n")


def test_a_terminal_without_unicode_gets_every_line(tmp_path: Path) -> None:
    """A letter that it does not have is a question mark, and not the end of the output."""
    file = tmp_path / "Zoë.yaml"
    file.write_text(
        "apiVersion: agentrollouts.dev/v1alpha1\nkind: AgentRollout\nmetadata: {name: a}\nspec: {}\n"
    )
    changes = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(  # noqa: S603 ours
        [*PROGRAM, "lint", "-f", str(file)],
        env={**os.environ, **changes},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "Zo?.yaml" in done.stdout


def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    """While it waits for its input."""
    process = subprocess.Popen(  # noqa: S603 ours
        [*PROGRAM, "judge"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=with_ctrl_c,  # noqa: PLW1509 no thread runs here
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("{}\n")
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "")
