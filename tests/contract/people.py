"""The API server as someone sees it who has only some rights: by impersonation, as `kubectl --as` does."""

import json
from collections.abc import Mapping
from typing import Any, Final

import requests

from sandbox.stack import Stack
from tests.contract.server import Answer

GROUPS: Final = {
    "agentfreezes": "/apis/agentrollouts.dev/v1alpha1",
    "agentrolloutactions": "/apis/agentrollouts.dev/v1alpha1",
    "agentreleases": "/apis/agentrollouts.dev/v1alpha1",
    "agentrolloutrecords": "/apis/agentrollouts.dev/v1alpha1",
    "agentrollouts": "/apis/agentrollouts.dev/v1alpha1",
    "configmaps": "/api/v1",
    "cronjobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "featureflags": "/apis/core.openfeature.dev/v1beta1",
    "grpcroutes": "/apis/gateway.networking.k8s.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
    "jobs": "/apis/batch/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "secrets": "/api/v1",
    "services": "/api/v1",
}
"""Where the API server serves a resource."""
FORMS: Final = {"merge": "application/merge-patch+json", "apply": "application/apply-patch+yaml"}


class Someone:
    """Requests in the name of a user, or of a ServiceAccount.

    Args:
        stack: It must run.
        user: Their name; None for the administrator.
    """

    def __init__(self, stack: Stack, user: str | None = None) -> None:
        self.user = user
        self._url = stack.api_url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(stack.ca_file)
        self._session.headers["Authorization"] = f"Bearer {stack.admin_token}"
        if user is not None:
            self._session.headers["Impersonate-User"] = user
            self._session.headers["Impersonate-Group"] = "system:authenticated"

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = True) -> Answer:
        """Create an object, by default without storing it."""
        query = {"dryRun": "All"} if dry_run else {}
        return self._send("POST", _path(manifest, named=False), manifest, query=query)

    def patch(
        self, manifest: Mapping[str, Any], change: object, form: str = "merge", *, dry_run: bool = True
    ) -> Answer:
        """Change some fields, by default without storing it; a list is a JSON patch."""
        kind = "application/json-patch+json" if isinstance(change, list) else FORMS[form]
        query = {
            **({"dryRun": "All"} if dry_run else {}),
            **({"fieldManager": "agentrollouts", "force": "true"} if form == "apply" else {}),
        }
        return self._send("PATCH", _path(manifest, named=True), change, kind, query)

    def replace(self, manifest: Mapping[str, Any]) -> Answer:
        """Replace an object by this one, without storing it."""
        return self._send("PUT", _path(manifest, named=True), manifest, query={"dryRun": "All"})

    def replace_status(self, manifest: Mapping[str, Any], *, dry_run: bool = True) -> Answer:
        """Replace the status, by default without storing it."""
        query = {"dryRun": "All"} if dry_run else {}
        return self._send("PUT", f"{_path(manifest, named=True)}/status", manifest, query=query)

    def delete(self, manifest: Mapping[str, Any], *, dry_run: bool = True) -> Answer:
        """Delete an object, by default only to see whether that is allowed."""
        query = {"dryRun": "All"} if dry_run else {}
        return self._send("DELETE", _path(manifest, named=True), None, query=query)

    def may(self, verb: str, resource: str, namespace: str, name: str = "") -> bool:
        """Whether the roles allow a verb on one of our resources, `resource/part` for a part of it."""
        plural, _, part = resource.partition("/")
        asked = {"verb": verb, "resource": plural, "subresource": part, "namespace": namespace, "name": name}
        body = {"spec": {"resourceAttributes": {"group": "agentrollouts.dev", **asked}}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self._send("POST", path, body).body["status"]["allowed"])

    def get(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """The object as it is now."""
        return self._send("GET", _path(manifest, named=True), None).body

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        form: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        response = self._session.request(
            method,
            f"{self._url}{path}",
            params=query,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": form},
            timeout=120,
        )
        return Answer(response.status_code, response.json())


def _path(manifest: Mapping[str, Any], *, named: bool) -> str:
    metadata, plural = manifest["metadata"], f"{manifest['kind'].lower()}s"
    path = f"{GROUPS[plural]}/namespaces/{metadata['namespace']}/{plural}"
    return f"{path}/{metadata['name']}" if named else path
