"""Modules that are imported while kubectl runs: both take a while, and on two cores they share the time.

What is imported stays until the end. The garbage collector would look through all of it again and again and
find nothing, also at the end of the process: so it waits, and then leaves the modules alone.
"""

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Final

_FIRST: Final = "agentrollouts.plugin.lean"
TURN_SECONDS: Final = 0.0005
"""How long an import keeps the interpreter from the thread that runs kubectl, which needs it some 20 times
for each kubectl. Python's own 0.005 s adds up."""


def load(*modules: str) -> Callable[[], None]:
    """Begin to import the modules; call the result before they are used."""

    def run() -> None:
        gc.disable()
        try:
            with suppress(ImportError):  # it is raised again where the module is used
                for each in (_FIRST, *modules):
                    import_module(each)
        finally:
            gc.freeze()
            gc.enable()

    sys.setswitchinterval(TURN_SECONDS)
    thread = Thread(target=run, daemon=True)
    thread.start()
    return thread.join
