"""The API server as the contract tests see it: an object goes in, what it says comes out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from agentrollouts.api.names import API_VERSION

NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server made of a request."""

    code: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        """Why it refused."""
        return str(self.body.get("message", ""))


class ApiServer:
    """Requests for our kinds, as the administrator, with unknown fields refused."""

    def __init__(self, url: str, token: str, ca_file: Path) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.verify = str(ca_file)

    def create(self, manifest: dict[str, Any], *, dry_run: bool = True) -> Answer:
        """Create an object, by default without storing it."""
        return self._send("POST", _path(manifest, named=False), manifest, dry_run=dry_run)

    def update(self, manifest: dict[str, Any], part: str = "", *, dry_run: bool = False) -> Answer:
        """Replace an object, or one part of it such as its status."""
        return self._send("PUT", _path(manifest, named=True) + part, manifest, dry_run=dry_run)

    def delete(self, manifest: dict[str, Any]) -> Answer:
        """Remove an object."""
        return self._send("DELETE", _path(manifest, named=True), {}, dry_run=False)

    def _send(self, method: str, path: str, body: dict[str, Any], *, dry_run: bool) -> Answer:
        parameters = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        url = f"{self._url}/apis/{API_VERSION}/namespaces/{NAMESPACE}/{path}"
        response = self._session.request(method, url, params=parameters, json=body, timeout=120)
        return Answer(response.status_code, response.json())


def _path(manifest: dict[str, Any], *, named: bool) -> str:
    plural = f"{manifest['kind'].lower()}s"
    return f"{plural}/{manifest['metadata']['name']}" if named else plural
