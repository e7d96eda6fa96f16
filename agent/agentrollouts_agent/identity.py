"""Who answers: the identity of a release under the names of each place where it is sent."""

from dataclasses import dataclass
from typing import Final

RELEASE_HEADER: Final = "agent-release"
DIGEST_HEADER: Final = "agent-release-digest"


@dataclass(frozen=True, slots=True)
class Identity:
    """The release that a process serves. One identifier, set once, in everything."""

    agent: str
    release: str
    """Name of the AgentRelease."""
    version: str
    digest: str
    """`sha256:` and 64 hexadecimal digits of the bundle."""

    def headers(self) -> dict[str, str]:
        """Headers of every answer."""
        return {RELEASE_HEADER: self.release, DIGEST_HEADER: self.digest}

    def baggage(self) -> dict[str, str]:
        """Keys and values of W3C baggage for every call to another service.

        Only these two: baggage travels to third parties.
        """
        return {"agentrollouts.release": self.release, "agentrollouts.digest": self.digest}

    def call_headers(self) -> dict[str, str]:
        """The baggage as a header, for clients without OpenTelemetry."""
        return {"baggage": ",".join(f"{key}={value}" for key, value in self.baggage().items())}

    def otel_resource(self) -> dict[str, str]:
        """Attributes of the OpenTelemetry resource, so of each span, metric and log record."""
        return {
            "gen_ai.agent.name": self.agent,
            "gen_ai.agent.version": self.version,
            "service.version": self.version,
            "agentrollouts.digest": self.digest,
        }

    def log_fields(self) -> dict[str, str]:
        """Fields of every log line, for example by `logging.LoggerAdapter`."""
        return {"agent_release": self.release, "agent_digest": self.digest}
