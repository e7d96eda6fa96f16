"""Imported before the models: these need no descriptions of their fields here, since no CRD is written.

pydantic finds the descriptions by parsing the source of each model, which is 40% of the time to import them.
"""

from agentrollouts.api.model.base import ApiModel

ApiModel.model_config["use_attribute_docstrings"] = False
