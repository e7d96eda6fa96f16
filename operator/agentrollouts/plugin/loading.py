"""Modules that are imported while kubectl runs: both take a while, and on two cores they share the time."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Final

_FIRST: Final = "agentrollouts.plugin.lean"


def load(*modules: str) -> Callable[[], None]:
    """Begin to import the modules; call the result before they are used."""

    def run() -> None:
        with suppress(ImportError):  # it is raised again where the module is used
            for each in (_FIRST, *modules):
                import_module(each)

    thread = Thread(target=run, daemon=True)
    thread.start()
    return thread.join
