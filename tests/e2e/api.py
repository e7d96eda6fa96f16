"""The API server as a person or a GitOps tool sees it: objects in, objects out, and what changes."""

import json
from collections.abc import Iterator
from typing import Any, Final

import requests

from agentrollouts.adapters.cluster.calls import encoded
from agentrollouts.adapters.cluster.resources import KINDS, Ref, Resource
from sandbox.stack import Stack

Manifest = dict[str, Any]

RESOURCES: Final = {
    **KINDS,
    "Namespace": Resource("v1", "namespaces"),
    "Service": Resource("v1", "services"),
}
"""The kinds that tests speak of."""

GIT: Final = "git"
"""The field manager of what people write."""


SOMEBODY: Final = "somebody"
"""The field manager of hasty hands."""


class Api:
    """Requests as the administrator of the sandbox; one connection, so one thread."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.api_url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {stack.admin_token}"
        self._session.verify = str(stack.ca_file)

    def apply(self, *manifests: Manifest, manager: str = GIT) -> list[Manifest]:
        """Apply objects as Git would: server-side, and with force; the answer is what they are now."""
        applied = []
        for manifest in manifests:
            metadata = manifest["metadata"]
            path = RESOURCES[manifest["kind"]].path(metadata.get("namespace"), metadata["name"])
            form = "application/apply-patch+yaml"
            applied.append(self._send("PATCH", path, manifest, form, fieldManager=manager, force="true"))
        return applied

    def patch(self, ref: Ref, change: Manifest) -> None:
        """Change some fields, as `kubectl edit` would."""
        self._send("PATCH", ref.path, change, "application/merge-patch+json", fieldManager=SOMEBODY)

    def delete(self, ref: Ref) -> None:
        """Delete an object, without waiting until it is gone."""
        self._send("DELETE", RESOURCES[ref.kind].path(ref.namespace or None, ref.name), {})

    def watch(self, kind: str) -> Iterator[Manifest]:
        """Watch events of a kind, from what exists on, until the API server ends the watch."""
        path = f"{self._url}{RESOURCES[kind].path(None)}"
        with self._session.get(path, params={"watch": "1"}, stream=True, timeout=(5, 3600)) as answer:
            answer.raise_for_status()
            yield from map(json.loads, filter(None, answer.iter_lines()))

    def text(self, path: str) -> str:
        """A page that is no object, such as the API server's metrics."""
        answer = self._session.get(f"{self._url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.text

    def _send(
        self, method: str, path: str, body: Manifest, form: str = "application/json", **parameters: str
    ) -> Manifest:
        answer = self._session.request(
            method,
            f"{self._url}{path}",
            data=encoded(body),
            headers={"Content-Type": form},
            params=parameters,
            timeout=30,
        )
        assert answer.ok, f"{method} {path}: {answer.text}"
        found: Manifest = answer.json()
        return found
