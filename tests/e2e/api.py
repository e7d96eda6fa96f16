"""The API server as a person or a GitOps tool sees it: objects in, objects out, and what changes."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from http.client import NOT_FOUND
from typing import Any, Final

import requests
from prometheus_client.parser import text_string_to_metric_families

from agentrollouts.adapters.cluster.calls import encoded
from agentrollouts.adapters.cluster.resources import KINDS, Ref, Resource
from sandbox.stack import Stack

Manifest = dict[str, Any]

RESOURCES: Final = {
    **KINDS,
    "Namespace": Resource("v1", "namespaces"),
    "Service": Resource("v1", "services"),
    "ServiceAccount": Resource("v1", "serviceaccounts"),
    "Pod": Resource("v1", "pods"),
    "InferencePool": Resource("inference.networking.k8s.io/v1", "inferencepools"),
    "ResourceQuota": Resource("v1", "resourcequotas"),
    "Role": Resource("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": Resource("rbac.authorization.k8s.io/v1", "rolebindings"),
    "CustomResourceDefinition": Resource("apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "ClusterRole": Resource("rbac.authorization.k8s.io/v1", "clusterroles"),
    "MutatingAdmissionPolicy": Resource("admissionregistration.k8s.io/v1", "mutatingadmissionpolicies"),
    "MutatingAdmissionPolicyBinding": Resource(
        "admissionregistration.k8s.io/v1", "mutatingadmissionpolicybindings"
    ),
    "ValidatingAdmissionPolicy": Resource("admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": Resource(
        "admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"
    ),
    "ValidatingWebhookConfiguration": Resource(
        "admissionregistration.k8s.io/v1", "validatingwebhookconfigurations"
    ),
}
"""The kinds that tests speak of."""

GIT: Final = "git"
"""The field manager of what people write."""


SOMEBODY: Final = "somebody"
"""The field manager of hasty hands."""

A_DAY: Final = 24 * 3600
"""Seconds. By default the API server ends a watch after 30 to 60 minutes; all tests may take longer."""

IN_ITS_NAME: Final = {
    "Impersonate-User": "system:serviceaccount:agentrollouts:agentrollouts",
    "Impersonate-Group": "system:masters",
}
"""The operator's name with the rights of an administrator."""


class Api:
    """Requests as the administrator of the sandbox, or as a user; one connection, so one thread.

    Args:
        stack: It must run.
        user: Who to impersonate, as `kubectl --as` does.
    """

    def __init__(self, stack: Stack, user: str | None = None) -> None:
        self._url = stack.api_url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {stack.admin_token}"
        self._session.verify = str(stack.ca_file)
        if user is not None:
            self._session.headers["Impersonate-User"] = user
            self._session.headers["Impersonate-Group"] = "system:authenticated"

    def apply(self, *manifests: Manifest, manager: str = GIT) -> list[Manifest]:
        """Apply objects as Git would: server-side, and with force; the answer is what they are now."""
        applied = []
        for manifest in manifests:
            metadata = manifest["metadata"]
            path = RESOURCES[manifest["kind"]].path(metadata.get("namespace"), metadata["name"])
            form = "application/apply-patch+yaml"
            applied.append(self._send("PATCH", path, manifest, form, fieldManager=manager, force="true"))
        return applied

    def patch(self, ref: Ref, change: Manifest, *, dry_run: str | None = None) -> Manifest:
        """Change some fields, as `kubectl edit` would; nothing is stored with "All"."""
        path, form = RESOURCES[ref.kind].path(ref.namespace or None, ref.name), "application/merge-patch+json"
        return self._send("PATCH", path, change, form, fieldManager=SOMEBODY, dryRun=dry_run)

    def create(self, manifest: Manifest, *, dry_run: str | None = None) -> Manifest:
        """Create an object, as `kubectl create` would; nothing is stored with "All"."""
        path = RESOURCES[manifest["kind"]].path(manifest["metadata"].get("namespace"))
        return self._send("POST", path, manifest, dryRun=dry_run)

    def replace(self, manifest: Manifest, manager: str = SOMEBODY) -> None:
        """Store an object as it is given, whatever it is now, as `kubectl replace` would."""
        ref = Ref.of(manifest)
        newest = {"resourceVersion": self.get(ref)["metadata"]["resourceVersion"]}
        body = {**manifest, "metadata": manifest["metadata"] | newest}
        path = RESOURCES[ref.kind].path(ref.namespace or None, ref.name)
        self._send("PUT", path, body, fieldManager=manager)

    def delete(self, ref: Ref, **options: object) -> None:
        """Delete an object, without waiting until it is gone."""
        self._send("DELETE", RESOURCES[ref.kind].path(ref.namespace or None, ref.name), options)

    def get(self, ref: Ref) -> Manifest:
        """The object as it is now, which must exist."""
        manifest = self.find(ref)
        assert manifest is not None, f"{ref} does not exist"
        return manifest

    def find(self, ref: Ref) -> Manifest | None:
        """The object as it is now; None if there is none."""
        path = RESOURCES[ref.kind].path(ref.namespace or None, ref.name)
        answer = self._session.get(f"{self._url}{path}", timeout=120)
        if answer.status_code == NOT_FOUND:
            return None
        answer.raise_for_status()
        manifest: Manifest = answer.json()
        return manifest

    def replace_status(self, manifest: Manifest) -> None:
        """Set the status, in the name of the operator: of our kinds, no one else may."""
        metadata = manifest["metadata"]
        path = RESOURCES[manifest["kind"]].path(metadata["namespace"], metadata["name"])
        change, form = {"status": manifest["status"]}, "application/merge-patch+json"
        self._send("PATCH", f"{path}/status", change, form, headers=IN_ITS_NAME)

    def watch(self, kind: str, since: str | None = None) -> Iterator[Manifest]:
        """Watch events of a kind until the API server ends it: since a version, or what exists first."""
        path = f"{self._url}{RESOURCES[kind].path(None)}"
        options = {"watch": "1", "timeoutSeconds": str(A_DAY), "resourceVersion": since}
        with self._session.get(path, params=options, stream=True, timeout=(60, A_DAY)) as answer:
            answer.raise_for_status()
            yield from map(json.loads, filter(None, answer.iter_lines()))

    def served(self) -> Counter[str]:
        """Number of requests that the API server has served, from all clients, by verb and resource."""
        answer = self._session.get(f"{self._url}/metrics", timeout=120)
        answer.raise_for_status()
        families = text_string_to_metric_families(answer.text)
        samples = (s for family in families if family.name == "apiserver_request" for s in family.samples)
        requests_served: Counter[str] = Counter()
        for sample in samples:
            if sample.labels["dry_run"] == "":
                verb, resource = (sample.labels[name] for name in ("verb", "resource"))
                requests_served[f"{verb} {resource}"] += int(sample.value)
        return requests_served

    def _send(
        self,
        method: str,
        path: str,
        body: Manifest,
        form: str = "application/json",
        headers: Mapping[str, str] | None = None,
        **parameters: str | None,
    ) -> Manifest:
        answer = self._session.request(
            method,
            f"{self._url}{path}",
            data=encoded(body),
            headers={"Content-Type": form, **(headers or {})},
            params=parameters,
            timeout=120,
        )
        assert answer.ok, f"{method} {path}: {answer.text}"
        stored: Manifest = answer.json()
        return stored
