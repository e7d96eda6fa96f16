"""The Prometheus servers of the settings: which there are, and who may use them."""

from agentrollouts.adapters.prometheus.client import Prometheus
from agentrollouts.settings.settings import Settings


class Sources:
    """The Prometheus servers of the settings, by name; replaced when the settings change."""

    def __init__(self, settings: Settings) -> None:
        self._servers: dict[str, Prometheus] = {}
        self._settings = settings
        self.replace(settings)

    def replace(self, settings: Settings) -> None:
        """Use these settings from now on; a server that did not change keeps its connections."""
        configured = {source.name: source for source in self._settings.prometheus}
        old, self._settings = self._servers, settings
        self._servers = {
            source.name: old.pop(source.name)
            if source.name in old and configured.get(source.name) == source
            else Prometheus(source)
            for source in settings.prometheus
        }
        for server in old.values():
            server.close()

    def find(self, name: str, namespace: str) -> Prometheus | None:
        """The server of that name, if rollouts of that namespace may use it."""
        source = next((source for source in self._settings.prometheus if source.name == name), None)
        return self._servers[name] if source and source.is_for(namespace) else None

    def close(self) -> None:
        """Close all connections."""
        for server in self._servers.values():
            server.close()
