"""The endpoints that hooks may call."""

from typing import Annotated

from pydantic import AfterValidator, Field

from agentrollouts.settings.section import Section
from agentrollouts.settings.sources import CaFile, ExistingFile, Named, checked_address, distinct_names


def _checked(url: str) -> str:
    return checked_address(
        url, "requests are signed with secretFile", "give an address that ends with a path"
    )


Address = Annotated[str, Field(max_length=2048), AfterValidator(_checked)]


class Endpoint(Named):
    """A server that receives Standard Webhooks, which hooks name in `webhook.endpoint`.

    Addresses and secrets are in the settings: a tenant who could name an address could make the operator
    call any server that it can reach.
    """

    url: Address
    """Its whole address. Redirects are not followed and no proxy is used."""
    secret_file: ExistingFile
    """File with the secret that signs requests, `whsec_` and base64 of 24 to 64 bytes; read again for every
    request. With a second one in another line, for a rotation, requests have a signature by each."""
    ca_file: CaFile | None = None
    """File with the certificates to trust instead of the system's; read again for every request."""


class HookSettings(Section):
    """What hooks may use."""

    endpoints: Annotated[tuple[Endpoint, ...], AfterValidator(distinct_names)] = Field(
        default=(), max_length=64
    )
    """Servers that webhooks may call; without one, no rollout with a webhook advances."""
