"""A publisher on 127.0.0.1, an empty cache folder, and builds that take no time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.parts import download, gomodule, supply
from sandbox.parts.gomodule import Module
from tests.sandbox.releases.publisher import Publisher

PATIENT = download.Limits(answer=60, silence=60, total=120)
"""For tests that are not about time, on a machine that is busy."""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """A server that runs as long as the test."""
    with Publisher() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.end.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the modules that are built; a build writes a script instead of compiling."""
    names: list[str] = []

    def compile_(module: Module, target: Path) -> None:
        names.append(module.name)
        target.write_text("#!/bin/sh\necho built\n")
        target.chmod(0o755)

    monkeypatch.setattr(gomodule, "_compile", compile_)
    return names


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache folder, patient limits, no proxy, and nothing that forces a build."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(supply, "LIMITS", PATIENT)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SANDBOX_BUILD", "CI", "KUBEBUILDER_ASSETS"):
        monkeypatch.delenv(name, raising=False)
