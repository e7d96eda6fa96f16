"""The kinds that the operator speaks of and where the API server keeps them.

`cluster` turns a reference into a URL path here, and all code refers to an object by a `Ref`. A name is
checked before it becomes part of a path, since references come from the objects of tenants and `..` would
read another object. The Role of the chart decides which verbs are allowed on which kind.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from agentrollouts.adapters.cluster.errors import InvalidError
from agentrollouts.api.names import API_VERSION

Manifest = dict[str, Any]
"""A Kubernetes object in its JSON form."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""A DNS subdomain (RFC 1123), the form of every name of these kinds."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Where the objects of a kind live."""

    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The URL path of the collection (of all namespaces without one), or of one object.

        Raises:
            InvalidError: a text that cannot be a name.
        """
        root = "apis" if "/" in self.api_version else "api"
        within = f"/namespaces/{_checked(namespace)}" if namespace is not None else ""
        which = f"/{_checked(name)}" if name is not None else ""
        return f"/{root}/{self.api_version}{within}/{self.plural}{which}"


KINDS: Final[Mapping[str, Resource]] = {
    "AgentFreeze": Resource(API_VERSION, "agentfreezes"),
    "AgentRelease": Resource(API_VERSION, "agentreleases"),
    "AgentRollout": Resource(API_VERSION, "agentrollouts"),
    "AgentRolloutAction": Resource(API_VERSION, "agentrolloutactions"),
    "AgentRolloutRecord": Resource(API_VERSION, "agentrolloutrecords"),
    "ConfigMap": Resource("v1", "configmaps"),
    "CronJob": Resource("batch/v1", "cronjobs"),
    "Deployment": Resource("apps/v1", "deployments"),
    "EndpointSlice": Resource("discovery.k8s.io/v1", "endpointslices"),
    "Event": Resource("v1", "events"),
    "FeatureFlag": Resource("core.openfeature.dev/v1beta1", "featureflags"),
    "GRPCRoute": Resource("gateway.networking.k8s.io/v1", "grpcroutes"),
    "Gateway": Resource("gateway.networking.k8s.io/v1", "gateways"),
    "HTTPRoute": Resource("gateway.networking.k8s.io/v1", "httproutes"),
    "Job": Resource("batch/v1", "jobs"),
    "Lease": Resource("coordination.k8s.io/v1", "leases"),
    "SelfSubjectReview": Resource("authentication.k8s.io/v1", "selfsubjectreviews"),
    "Service": Resource("v1", "services"),
}


class Ref(NamedTuple):
    """The address of one object."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The address that a manifest names."""
        metadata = manifest["metadata"]
        return cls(manifest["kind"], metadata["namespace"], metadata["name"])

    @property
    def path(self) -> str:
        """The URL path of the object.

        Raises:
            InvalidError: a text that cannot be a name.
        """
        return KINDS[self.kind].path(self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def selector_of(labels: Mapping[str, str]) -> str:
    """The selector of the objects that have all of these labels, or fields, as the API server reads it."""
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidError(f"{name!r:.260} cannot be the name of a Kubernetes object")
    return name
