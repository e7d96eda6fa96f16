"""Imported before the models: these need no descriptions of their fields here, since no CRD is written.

pydantic finds the descriptions by parsing the source of each model, which is 40% of the time to import them.
It builds what reads a kind when one of that kind is first read, so the kinds that a command does not read
cost nothing. It searches all installed packages for plugins of its own, and none is needed. The operator
keeps the first two: it builds all at its start, and nothing in a decision.
"""

import os

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from agentrollouts.api.model.base import ApiModel

ApiModel.model_config |= {"use_attribute_docstrings": False, "defer_build": True}
