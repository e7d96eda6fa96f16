"""Every command has its function, and loads only what it needs."""

import subprocess
import sys
from importlib import import_module

import pytest

from agentrollouts.cli.arguments import Command
from agentrollouts.main import ACTION, COMMANDS


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
