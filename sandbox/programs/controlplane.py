"""etcd, the API server and the controller manager: which flags they get, and the keys and tokens they share.

The API server makes its own serving certificate, which is also what clients trust. The administrator has a
static bearer token and no client certificate, so the one secret that must exist beforehand is the key that
signs ServiceAccount tokens, and Python can write that without any library for cryptography.
"""

import base64
import dataclasses
import functools
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from sandbox.isolation import namespace
from sandbox.parts.parts import ControlPlane
from sandbox.programs import web
from sandbox.programs.process import Process

API_URL = f"https://{namespace.ADDRESSES[0]}:6443"
ADMIN: Final = "admin"
"""User name of whoever has the token of the administrator."""
AUDIT_LOG = "audit.log"
"""Among the logs of a control plane, as JSON: each try to create or delete an action. With a node, also each
request of the operator's account."""

ETCD_URL = "http://127.0.0.1:2379"
_PEER_URL = "http://127.0.0.1:2380"
_MANAGER_PORT = 10257
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "endpointslice-controller",
    "job-controller",  # makes the pods of hooks, which a test has to run
    "clusterrole-aggregation-controller",  # fills the built-in roles view, edit and admin
    "validatingadmissionpolicy-status-controller",  # checks the types in policies
)
_ACTIONS: Final[Mapping[str, object]] = {
    "level": "Metadata",
    "verbs": ["create", "delete", "deletecollection"],
    "resources": [{"group": "agentrollouts.dev", "resources": ["agentrolloutactions"]}],
}
"""What becomes of the requests of people: who, what, and how it was answered."""
_ACCOUNTS: Final[Mapping[str, object]] = {
    "level": "Metadata",
    "userGroups": ["system:serviceaccounts:agentrollouts"],
}
"""What the accounts of the operator's namespace ask for."""


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """What a client of the API server needs, and the files of the server itself.

    All of it is made anew for every sandbox, in a folder in memory.
    """

    folder: Path
    admin_token: str

    @property
    def ca_file(self) -> Path:
        """The serving certificate with its own authority; the API server writes it when it starts."""
        return self.folder / "apiserver.crt"

    @property
    def token_file(self) -> Path:
        """The static token of the administrator, for the API server."""
        return self.folder / "tokens.csv"

    @property
    def account_key(self) -> Path:
        """The key that signs ServiceAccount tokens."""
        return self.folder / "accounts.key"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "admin.kubeconfig"


def make_credentials(folder: Path) -> Credentials:
    """Write the token and the key that the API server reads, and the administrator's kubeconfig."""
    credentials = Credentials(folder, admin_token=secrets.token_urlsafe(32))
    folder.mkdir(parents=True, mode=0o700)
    credentials.token_file.write_text(f'{credentials.admin_token},{ADMIN},{ADMIN},"system:masters"\n')
    credentials.account_key.write_text(_signing_key())
    write_kubeconfig(credentials.kubeconfig, credentials, credentials.admin_token)
    return credentials


def write_kubeconfig(path: Path, credentials: Credentials, token: str, namespace: str = "default") -> None:
    """Write a kubeconfig for whoever the token belongs to."""
    cluster = {"server": API_URL, "certificate-authority": str(credentials.ca_file)}
    context = {"cluster": "sandbox", "user": "user", "namespace": namespace}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "sandbox", "context": context}],
    }
    path.write_text(yaml.safe_dump(config))
    path.chmod(0o600)


def processes(
    commands: ControlPlane, credentials: Credentials, data: Path, logs: Path, *, with_node: bool = False
) -> dict[str, Process]:
    """The programs in the order in which they start.

    Args:
        commands: how they are called.
        credentials: from `make_credentials`.
        data: a folder for etcd, best in memory.
        logs: a folder for their logs.
        with_node: for a cluster with a real node: pods reach the API server, all controllers run, and the
            audit log has what the operator asks for.
    """
    audited = (_ACTIONS, _ACCOUNTS) if with_node else (_ACTIONS,)
    further = [_flag_of_node(with_node=with_node), *_audit_flags(credentials.folder, logs, audited)]
    admin = {"Authorization": f"Bearer {credentials.admin_token}"}
    ready = functools.partial(web.answers, f"{API_URL}/readyz", headers=admin, ca_file=credentials.ca_file)
    has_manager = commands.controller_manager is not None
    by_name = {
        "etcd": Process(
            "etcd",
            [*commands.etcd, *_etcd_flags(data / "etcd")],
            logs / "etcd.log",
            healthy=functools.partial(web.answers, f"{ETCD_URL}/health"),
        ),
        "apiserver": Process(
            "apiserver",
            [*commands.apiserver, *_apiserver_flags(credentials, accounts=has_manager), *further],
            logs / "apiserver.log",
            healthy=ready,
        ),
    }
    if commands.controller_manager is not None:
        by_name["controller_manager"] = Process(
            "controller_manager",
            [*commands.controller_manager, *_manager_flags(credentials, with_node=with_node)],
            logs / "controller_manager.log",
            healthy=functools.partial(web.answers_tcp, "127.0.0.1", _MANAGER_PORT),
        )
    return by_name


def _etcd_flags(data: Path) -> list[str]:
    return [
        f"--data-dir={data}",
        "--unsafe-no-fsync",  # nothing here has to survive a power cut
        "--log-level=warn",
        f"--listen-client-urls={ETCD_URL}",
        f"--advertise-client-urls={ETCD_URL}",
        f"--listen-peer-urls={_PEER_URL}",
        f"--initial-advertise-peer-urls={_PEER_URL}",
        f"--initial-cluster=default={_PEER_URL}",
    ]


def _apiserver_flags(credentials: Credentials, *, accounts: bool) -> list[str]:
    """Flags of the API server.

    Args:
        credentials: its files.
        accounts: whether somebody creates the default ServiceAccounts that the admission plugin asks for.
    """
    flags = [
        f"--etcd-servers={ETCD_URL}",
        f"--bind-address={namespace.ADDRESSES[0]}",  # where pods of a real node reach it too
        f"--secure-port={API_URL.rpartition(':')[2]}",
        f"--advertise-address={namespace.ADDRESSES[0]}",  # else the default route's, and there is none
        f"--cert-dir={credentials.folder}",
        f"--token-auth-file={credentials.token_file}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={API_URL}/",
        f"--service-account-key-file={credentials.account_key}",
        f"--service-account-signing-key-file={credentials.account_key}",
    ]
    return flags if accounts else [*flags, "--disable-admission-plugins=ServiceAccount"]


def _flag_of_node(*, with_node: bool) -> str:
    if with_node:
        return "--kubelet-preferred-address-types=InternalIP"  # the name of the node cannot be resolved
    return "--endpoint-reconciler-type=none"


def _audit_flags(folder: Path, logs: Path, rules: Sequence[Mapping[str, object]]) -> list[str]:
    policy = folder / "audit.yaml"
    content = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [*rules, {"level": "None"}],
    }
    policy.write_text(yaml.safe_dump(content))
    return [f"--audit-policy-file={policy}", f"--audit-log-path={logs / AUDIT_LOG}"]


def _manager_flags(credentials: Credentials, *, with_node: bool) -> list[str]:
    controllers = ("*",) if with_node else _CONTROLLERS
    return [
        f"--kubeconfig={credentials.kubeconfig}",
        f"--authentication-kubeconfig={credentials.kubeconfig}",
        f"--authorization-kubeconfig={credentials.kubeconfig}",
        "--leader-elect=false",
        f"--service-account-private-key-file={credentials.account_key}",
        f"--root-ca-file={credentials.ca_file}",
        "--bind-address=127.0.0.1",
        f"--secure-port={_MANAGER_PORT}",
        f"--cert-dir={credentials.folder / 'controller_manager'}",
        f"--controllers={','.join(controllers)}",
        f"--flex-volume-plugin-dir={credentials.folder / 'plugins'}",  # made by one of all controllers
    ]


def _signing_key() -> str:
    """A new private key on the curve P-256, as the PEM text of RFC 5915.

    The structure holds the secret number and the name of the curve; the public point is optional and left to
    the reader. Any number below the curve's order will do, and 2^255 is below it.
    """
    number = (1 + secrets.randbelow(2**255 - 1)).to_bytes(32, "big")
    version = bytes.fromhex("020101")
    curve = bytes.fromhex("a00a06082a8648ce3d030107")  # [0] OBJECT IDENTIFIER prime256v1
    body = version + b"\x04\x20" + number + curve
    text = base64.encodebytes(bytes([0x30, len(body)]) + body).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"
