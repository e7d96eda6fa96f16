"""What is said where no real node can run, and how it ends."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from sandbox.errors import MissingPartError, NamespaceError
from sandbox.isolation import namespace
from sandbox.node import cgroups, probe
from sandbox.node.cluster import Cluster
from sandbox.parts import parts

Lacking = Callable[[pytest.MonkeyPatch], None]

PACKAGES: Final = (
    "The node tests need the Debian packages containerd, runc and containernetworking-plugins: "
    "install them with apt-get."
)
NAMESPACES: Final = (
    "The node tests need new network, PID and mount namespaces, and this system refuses them: "
    "run outside a container, or in a privileged one."
)


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lacks nothing, whatever this one is."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(probe, "_NAMESPACES", ("true",))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(Path, "exists", lambda _: True)
    monkeypatch.delenv("CI", raising=False)


def without(program: str) -> Lacking:
    """A machine without a program."""
    return lambda patch: patch.setattr(shutil, "which", lambda name: None if name == program else f"/{name}")


def test_a_machine_that_lacks_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is printed, and the tests run."""
    assert (probe.main(), capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [
        (lambda patch: patch.setattr(os, "geteuid", lambda: 1000), "The node tests need root."),
        (lambda patch: patch.setattr(probe, "_NAMESPACES", ("false",)), NAMESPACES),
        (without("containerd"), PACKAGES),
        (without("runc"), PACKAGES),
        (without("ctr"), PACKAGES),
        (lambda patch: patch.setattr(Path, "exists", lambda _: False), PACKAGES),
        (without("iptables"), "The node tests need the Debian package iptables: install it with apt-get."),
    ],
)
def test_one_sentence_says_what_is_missing(
    lacking: Lacking, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person's tests are skipped with it; those of CI fail."""
    lacking(monkeypatch)
    assert (probe.main(), capsys.readouterr().err) == (77, f"{sentence} Skipped.\n")

    monkeypatch.setenv("CI", "true")
    assert (probe.main(), capsys.readouterr().err) == (1, f"{sentence} CI does not skip them.\n")


def test_a_cluster_says_how_it_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of `python -m sandbox node` nothing is started or mounted."""
    monkeypatch.delenv(cgroups.VARIABLE, raising=False)

    with pytest.raises(NamespaceError, match="python -m sandbox node -- COMMAND"):
        Cluster().start()


def test_a_node_needs_all_controllers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The binaries of envtest lack the controllers that make pods; nothing is started with them."""
    monkeypatch.setenv(cgroups.VARIABLE, "unused")
    monkeypatch.setattr(namespace, "inside", lambda: True)
    envtest = parts.ControlPlane(("etcd",), ("kube-apiserver",), None)
    monkeypatch.setattr(parts, "control_plane", lambda: envtest)

    with pytest.raises(MissingPartError, match="unset KUBEBUILDER_ASSETS"):
        Cluster().start()
