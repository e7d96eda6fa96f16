"""`spec.workload`: one Deployment as a template, of which the operator makes a copy for each release."""

from typing import Annotated

from pydantic import Field

from agentrollouts.api.model.base import (
    SECONDS_MAX,
    ApiModel,
    Digest,
    DnsLabel,
    ObjectName,
    ReleaseName,
    Time,
)


class DeploymentRef(ApiModel):
    """A Deployment in the same namespace."""

    name: ObjectName
    """Name of the Deployment. It must have the label `agentrollouts.dev/template: "true"` and `replicas: 0`.
    An edit of it reaches the next release only."""


class Workload(ApiModel):
    """How the operator runs a release: a Deployment and a Service for each, made once from a template."""

    deployment_ref: DeploymentRef
    """Deployment that is the template."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of the containers and of the Service, 1 to 65535."""
    replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Number of pods with which a release starts, or starts again after it had none. A Deployment that runs
    keeps the number that it has, so an autoscaler can set it. Defaults to 1."""
    mount_path: Annotated[str, Field(max_length=256, pattern=r"^/[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$")] = (
        "/etc/agent"
    )
    """Folder in each container with `bundle.json` and `release.json` of the release. Defaults to
    `/etc/agent`."""
    keep_warm: Annotated[int, Field(ge=0, le=10)] = 1
    """Number of past healthy releases that keep their pods, so that a rollback at rest finds them. Defaults
    to 1."""
    scale_down_delay_seconds: Annotated[int, Field(ge=0, le=SECONDS_MAX)] = 600
    """Time that the pods of a release have for their last runs after it lost its traffic, in seconds. Then
    its Deployment gets 0 replicas, unless the release has a weight on any route. Defaults to 600."""


class StampedWorkload(ApiModel):
    """The Deployment and the Service that the operator made for a release."""

    name: DnsLabel
    """Name of both."""
    release: ReleaseName
    """Name of the AgentRelease."""
    digest: Digest
    """Identity of the behavior."""
    scaled_down_time: Time | None = None
    """Time at which the Deployment was first seen without replicas. Absent while it has some."""
