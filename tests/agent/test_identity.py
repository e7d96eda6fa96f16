"""`Identity`: the names under which a release is sent; `docs/agent.md` has the same names."""

from importlib.metadata import requires

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

from agentrollouts_agent import verify
from tests.agent.snapshots import NAME, snapshot

IDENTITY = verify(snapshot(), "here").identity


def test_each_place_has_its_names() -> None:
    """One release, under the names of headers, baggage, OpenTelemetry and logs."""
    digest = IDENTITY.digest

    assert IDENTITY.headers() == {"agent-release": NAME, "agent-release-digest": digest}
    assert IDENTITY.baggage() == {"agentrollouts.release": NAME, "agentrollouts.digest": digest}
    assert IDENTITY.otel_resource() == {
        "gen_ai.agent.name": "support-agent",
        "gen_ai.agent.version": "4.2.0",
        "service.version": "4.2.0",
        "agentrollouts.digest": digest,
    }
    assert IDENTITY.log_fields() == {"agent_release": NAME, "agent_digest": digest}


def test_a_call_carries_only_the_two_keys() -> None:
    """Baggage travels to third parties; OpenTelemetry reads the same two keys from the header."""
    context = W3CBaggagePropagator().extract(IDENTITY.call_headers())

    assert dict(baggage.get_all(context)) == IDENTITY.baggage()


def test_what_a_caller_adds_to_the_headers_stays_with_the_caller() -> None:
    """It changes no later answer."""
    IDENTITY.headers()["agent-release"] = "another"

    assert IDENTITY.headers()["agent-release"] == NAME


def test_the_base_has_no_dependencies() -> None:
    """Everything that the wheel requires belongs to the extra `split`."""
    required = requires("agentrollouts-agent") or []

    assert [requirement for requirement in required if not requirement.endswith("; extra == 'split'")] == []
