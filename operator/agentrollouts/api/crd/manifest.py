"""The CustomResourceDefinitions of all kinds, as values and as the text that is committed under `crds/`.

The models are the only source: the docstring of a field is what `kubectl explain` shows, and its type is what
the API server enforces. The text is stable, so that only a change of the public contract shows as a diff.
"""

from typing import Any, Final

import yaml

from agentrollouts.api.crd.structural import Schema, structural, without_defaults
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.model.marks import Column, Resource
from agentrollouts.api.names import GROUP, VERSION
from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.api.record.record import AgentRolloutRecord
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout

Manifest = dict[str, Any]

_HEADER: Final = "# Generated from agentrollouts.api by `agentrollouts crds`. Do not edit.\n"

CATEGORY: Final = GROUP.replace(".", "-")
"""The name that lists all kinds at once. Not a plural, since kubectl would then apply `delete agentrollouts
--all` to all of them, and reject `get agentrollouts NAME`."""

_API_VERSION: Final = {
    "type": "string",
    "description": "API group and version: agentrollouts.dev/v1alpha1.",
}
_KIND: Final = {"type": "string", "description": "Kind of this object."}

_UNSEEN: Final = {"observedGeneration": 0}
"""The status before the first decision, so that tools that wait by kstatus do not treat a new object as
settled."""


def crds() -> tuple[Manifest, ...]:
    """The CustomResourceDefinitions."""
    models = (AgentRelease, AgentRollout, AgentRolloutAction, AgentFreeze, AgentRolloutRecord)
    return tuple(_crd(model, model.resource) for model in models)


def render() -> dict[str, str]:
    """The YAML text of each CustomResourceDefinition by its file name."""
    return {f"{GROUP}_{crd['spec']['names']['plural']}.yaml": _HEADER + _to_yaml(crd) for crd in crds()}


def _crd(model: type[ApiModel], resource: Resource) -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short_name],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in resource.columns],
                    **_subresources(model),
                    **_selectable(resource),
                    "schema": {"openAPIV3Schema": _root(structural(model))},
                }
            ],
        },
    }


def _root(schema: Schema) -> Schema:
    """The whole object. The API server defines the metadata; the operator fills in the status.

    A record has none. A default that is filled in would break the hash of an entry.
    """
    properties = schema["properties"]
    status = properties.get("status")
    return schema | {
        "required": ["spec"],
        "properties": {
            "apiVersion": _API_VERSION,
            "kind": _KIND,
            "metadata": {"type": "object"},
            "spec": properties["spec"] if status else without_defaults(properties["spec"]),
            **({"status": without_defaults(status) | {"default": _UNSEEN}} if status else {}),
        },
    }


def _subresources(model: type[ApiModel]) -> dict[str, Any]:
    """A status that is written apart from the spec; a record has none."""
    return {"subresources": {"status": {}}} if "status" in model.model_fields else {}


def _column(column: Column) -> dict[str, Any]:
    wide = {"priority": 1} if column.wide else {}
    return {"name": column.name, "type": column.type, "jsonPath": column.path} | wide


def _selectable(resource: Resource) -> dict[str, Any]:
    fields = [{"jsonPath": path} for path in resource.selectable]
    return {"selectableFields": fields} if fields else {}


def _to_yaml(manifest: Manifest) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, width=110, allow_unicode=True)
