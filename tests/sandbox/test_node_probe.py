"""`sandbox.node.probe`: what is said where no real node can run, and how it ends."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from sandbox.node import probe

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
