"""Imported before the models: these need no descriptions of their fields here, since no CRD is written.

pydantic finds the descriptions by parsing the source of each model, which is 40% of the time to import them.
It builds what reads a kind when one of that kind is first read, so the kinds that a command does not read
cost nothing. It searches all installed packages for plugins of its own; none is needed, and neither is what
it would search with. The operator keeps all of it: it builds all at its start, and nothing in a decision.
"""

import os
import sys
from types import ModuleType
from typing import Final

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
LOADER: Final = ModuleType("pydantic.plugin._loader")
"""In the place of the module that imports how packages are searched: some 30 modules, for an empty answer."""
vars(LOADER).update(get_plugins=tuple)
sys.modules.setdefault(LOADER.__name__, LOADER)

from agentrollouts.api.model import building  # noqa: E402 the others import pydantic

building.has_descriptions, building.is_deferred = False, True
