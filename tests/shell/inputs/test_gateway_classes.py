"""What is remembered of Gateways is bounded, however many names rollouts invent."""

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.rollout.permits import Unread
from agentrollouts.shell.inputs.gateway_classes import GATEWAY, MOST, GatewayClasses

ASKER = Ref("AgentRollout", "support", "agent")


class Gateways:
    """An API server with a Gateway of every name."""

    async def get(self, ref: Ref) -> Manifest | None:
        """A Gateway of a class."""
        assert ref.kind == GATEWAY
        return {"spec": {"gatewayClassName": "public"}}


def nothing(_: Ref) -> None:
    """No rollout is looked at again."""


async def read_class(classes: GatewayClasses, name: str) -> str | Unread:
    """The class of a Gateway, once it was read."""
    gateway = Ref(GATEWAY, "support", name)
    await classes.first([gateway], ASKER)
    return classes.find(gateway, ASKER)


async def test_of_invented_names_only_so_many_are_remembered() -> None:
    """The name read longest ago is forgotten, and is read again when it is needed."""
    classes = GatewayClasses(Gateways(), nothing)
    for number in range(MOST + 10):
        assert await read_class(classes, f"gateway-{number}") == "public"
    assert len(classes._cached) <= MOST  # noqa: SLF001 memory is what this is about
    assert len(classes._tried) <= MOST + 1  # noqa: SLF001
    assert await read_class(classes, "gateway-0") == "public"
    classes.close()
