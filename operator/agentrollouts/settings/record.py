"""What becomes of records."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from agentrollouts.settings.section import DnsLabel, Section

PLACEHOLDERS: Final = ("namespace", "agent", "release", "from", "to")


def _known_placeholders(template: str) -> str:
    for name in re.findall(r"\{([^{}]*)\}", template):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise ValueError(f"{{{name}}} is unknown; use {known}")
    return template


Template = Annotated[str, Field(max_length=512, pattern=r"^https?://"), AfterValidator(_known_placeholders)]
"""A URL with placeholders."""


class RecordSettings(Section):
    """How many records are kept, and where their entries also go."""

    keep: int = Field(strict=True, default=10, ge=1, le=50)
    """Number of attempts of a rollout whose records are kept; fewer if `spec.historyLimit` of the rollout is
    less. Records are about 12 KiB each, so use 3 for 10,000 rollouts."""
    links: dict[DnsLabel, Template] = Field(default={}, max_length=8)
    """Templates of URLs by name, for logs, traces and dashboards: each entry that ends an attempt has them.
    `{namespace}`, `{agent}`, `{release}`, `{from}` and `{to}` are filled in. The operator never calls
    them."""
    file: Path | None = None
    """File to which each entry is appended as one line of JSON, beside standard output."""
    cluster: str = Field(default="cluster", min_length=1, max_length=63, pattern=r"^[A-Za-z0-9._-]+$")
    """Name of the cluster in these lines, for collectors of several."""
