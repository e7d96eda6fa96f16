"""Which Gateways and hostnames the namespaces of tenants may use."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from agentrollouts.settings.section import Section

NamespacePattern = Annotated[str, StringConstraints(pattern=r"^[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?$")]
GatewayPattern = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9*][-a-z0-9*]{0,62}/[a-z0-9*][-a-z0-9.*]{0,252}$")
]
HostPattern = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^(\*\.)?[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*\.?$",
    ),
    AfterValidator(lambda host: host.lower().rstrip(".")),
]


class GatewayGrant(Section):
    """What some namespaces may use."""

    namespaces: tuple[NamespacePattern, ...] = ()
    """Namespaces of rollouts, such as `support` or `billing-*`; all if empty."""
    gateways: tuple[GatewayPattern, ...] = Field(min_length=1)
    """Gateways that their routes may be attached to, as `namespace/name`: `infra/public`, `infra/*`."""
    hosts: tuple[HostPattern, ...] = ()
    """Hostnames that their routes may have there; all if empty. `*.support.example.com` permits every name
    below `support.example.com`, and not that name itself. A route without hostnames, which stands for all
    hostnames of the listener, is then not permitted."""
