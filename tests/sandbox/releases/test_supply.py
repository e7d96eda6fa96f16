"""`sandbox.parts.supply`: releases from a real server on 127.0.0.1, and the build as the way that is left."""

import dataclasses
import hashlib
import re
import socket
from pathlib import Path

import pytest

from sandbox.parts import download, gomodule, parts, releases, supply
from sandbox.parts.gomodule import Module
from sandbox.parts.releases import ROWS, Release
from sandbox.parts.supply import Part
from tests.sandbox.releases.publisher import PART, SCRIPT, Answers, Publisher, archive, publish, spoken_by

ROOT = Path(__file__).resolve().parents[3]


def test_taken(
    publisher: Publisher,
    built: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A good archive is unpacked and runs, one line says so, and nothing is built."""
    content = archive(("linux/README", b"not taken"), ("linux/helm", SCRIPT))
    release = publish(publisher, monkeypatch, content)

    supply.obtain([PART])

    assert spoken_by(PART.find()) == "released"
    assert (PART.find(), [*release.place().iterdir()]) == (release.place() / "helm", [PART.find()])
    assert built == []
    assert re.fullmatch(r"downloaded helm 1\.0\.0: 0\.0 MB in \d+ s\n", capfd.readouterr().err)


def test_second_run(publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run takes nothing from the network."""
    publish(publisher, monkeypatch, archive(("linux/helm", SCRIPT)))

    supply.obtain([PART])
    supply.obtain([PART])

    assert (publisher.requests, built) == (["HEAD /helm.tar.gz", "GET /helm.tar.gz"], [])


def test_file_without_archive(
    publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release can be the program itself; what has no release is built beside it."""
    etcd = Module("etcd", ("any",), expected=1)
    part = Part(Module("controlplane", ("any",), expected=1), ("apiserver", "manager"), (etcd,))
    for name in part.releases:
        publish(publisher, monkeypatch, SCRIPT, name, {name: ""})

    supply.obtain([part])

    assert built == ["etcd"]
    assert {name: spoken_by(program) for name, program in part.replaced().items()} == {
        "apiserver": "released",
        "manager": "released",
        "etcd": "built",
    }


def test_stack(publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What has releases comes from them: all but two, and each program of the control plane is its own."""
    for row in ROWS:
        content = archive(*((program, SCRIPT) for program in row.programs))
        publish(publisher, monkeypatch, content, row.name, {program: program for program in row.programs})
    monkeypatch.setattr(gomodule, "copy_crds", lambda _: None)

    parts.build(with_test_tools=True)

    programs_found = parts.control_plane()
    assert programs_found.controller_manager is not None
    programs = (*programs_found.etcd, *programs_found.apiserver, *programs_found.controller_manager)
    assert [spoken_by(Path(program)) for program in programs] == ["built", "released", "released"]
    assert {spoken_by(find()) for find in (parts.prometheus, parts.promtool, parts.helm)} == {"released"}
    assert built == ["etcd", "alertmanager"]


def test_proxy(publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy from the environment is used for both requests."""
    release = publish(publisher, monkeypatch, archive(("linux/helm", SCRIPT)))
    outside = dataclasses.replace(release, url="http://publisher.invalid/helm.tar.gz")
    publisher.files[outside.url] = publisher.files["/helm.tar.gz"]  # a proxy gets whole addresses
    monkeypatch.setattr(releases, "here", lambda: {"helm": outside})
    monkeypatch.setenv("http_proxy", publisher.address(""))

    supply.obtain([PART])

    assert publisher.requests == [f"HEAD {outside.url}", f"GET {outside.url}"]
    assert (spoken_by(PART.find()), built) == ("released", [])


def test_one_of_two_fails(publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A part whose releases do not all arrive is built whole."""
    part = Part(Module("controlplane", ("any",), expected=1), ("apiserver", "manager"))
    for name in part.releases:
        publish(publisher, monkeypatch, SCRIPT, name, {name: ""})
    publisher.truncated.add("/manager.tar.gz")

    supply.obtain([part])

    assert (built, part.replaced(), spoken_by(part.module.find())) == (["controlplane"], {}, "built")


def test_shared_archive(publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts from the same archive download it once."""
    programs = {"prometheus": "p/prometheus", "promtool": "p/promtool"}
    content = archive(("p/prometheus", SCRIPT), ("p/promtool", SCRIPT))
    publish(publisher, monkeypatch, content, "prometheus", programs)
    both = [Part(Module(name, ("any",), expected=1), ("prometheus",)) for name in programs]

    supply.obtain(both)

    assert [spoken_by(part.find()) for part in both] == ["released", "released"]
    assert (publisher.requests, built) == (["HEAD /prometheus.tar.gz", "GET /prometheus.tar.gz"], [])


def test_wrong_checksum(
    publisher: Publisher,
    built: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A file with another checksum is refused with both checksums and its address, and the part is built."""
    release = publish(publisher, monkeypatch, archive(("linux/helm", SCRIPT)))
    other = archive(("linux/helm", b"#!/bin/sh\necho evil\n"))
    publisher.files["/helm.tar.gz"] = other

    supply.obtain([PART])

    said = (
        f"helm 1.0.0 is refused: its sha256 is {hashlib.sha256(other).hexdigest()}, "
        f"expected {release.sha256}; it came from {release.url}; building it from source"
    )
    assert said in capfd.readouterr().err.splitlines()
    assert (built, spoken_by(PART.find()), release.place().exists()) == (["helm"], "built", False)


@pytest.mark.parametrize(
    ("fault", "reason"), [("truncated", "it ended after"), ("hanging", "timed out"), ("absent", "HTTP Error")]
)
def test_does_not_arrive(
    fault: str,
    reason: str,
    publisher: Publisher,
    built: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A file that ends early, hangs, or is not there gives a sentence within the limits, then the build."""
    release = publish(publisher, monkeypatch, archive(("linux/helm", SCRIPT)))
    if fault == "absent":
        monkeypatch.setattr(Answers, "do_GET", lambda answer: answer.send_error(404))
    else:
        getattr(publisher, fault).add("/helm.tar.gz")
    silence = 0.3 if fault == "hanging" else 60
    monkeypatch.setattr(supply, "LIMITS", download.Limits(answer=60, silence=silence))

    supply.obtain([PART])

    said = capfd.readouterr().err
    assert f"helm 1.0.0 did not arrive from {release.url}: {reason}" in said
    assert (built, spoken_by(PART.find())) == (["helm"], "built")


def test_unreachable(
    built: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a network there is one attempt and one line for all parts, and all are built."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # without `listen`: the port is taken, and refuses
        port = closed.getsockname()[1]
        table = {
            name: Release(name, "1.0.0", f"http://127.0.0.1:{port}/{name}", "0" * 64, {name: ""})
            for name in ("prometheus", "helm")
        }
        monkeypatch.setattr(releases, "here", lambda: table)

        supply.obtain([Part(Module(name, ("any",), expected=1), (name,)) for name in table])

    lines = [line for line in capfd.readouterr().err.splitlines() if "cannot be reached" in line]
    refused = "[Errno 111] Connection refused"
    assert lines == [f"127.0.0.1:{port} cannot be reached ({refused}): building from source"]
    assert built == ["prometheus", "helm"]


@pytest.mark.parametrize(("name", "value"), [("SANDBOX_BUILD", "1"), ("CI", "true")])
def test_forced(
    name: str, value: str, publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SANDBOX_BUILD=1` and `CI=true` build without a request, also where the release is in the cache."""
    publish(publisher, monkeypatch, archive(("linux/helm", SCRIPT)))
    supply.obtain([PART])
    publisher.requests.clear()

    monkeypatch.setenv(name, value)
    supply.obtain([PART])

    assert (publisher.requests, built, spoken_by(PART.find())) == ([], ["helm"], "built")


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_not_forced(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that says no forces nothing."""
    monkeypatch.setenv("SANDBOX_BUILD", value)
    monkeypatch.setenv("CI", value)

    assert not supply.build_only()


def test_no_pin(publisher: Publisher, built: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A part without a pin for this machine is built without a request."""
    monkeypatch.setattr(releases, "here", dict)

    supply.obtain([PART])

    assert (publisher.requests, built) == ([], ["helm"])


def test_pinned_versions() -> None:
    """Each row pins the version that we would build, with a whole checksum for both machines."""
    versions = {row.name: row.version for row in ROWS}
    assert versions == {
        "kube-apiserver": parts.KUBERNETES_VERSION,
        "kube-controller-manager": parts.KUBERNETES_VERSION,
        "prometheus": parts.PROMETHEUS_VERSION,
        "helm": parts.HELM_VERSION,
    }
    for row in ROWS:
        assert row.sha256.keys() == {"amd64", "arm64"}
        assert all(len(bytes.fromhex(digest)) == 32 for digest in row.sha256.values())
        assert row.on("amd64").url.startswith("https://")
        assert "{" not in row.on("arm64").url + "".join(row.on("arm64").programs.values())


def test_etcd_of_both_ways() -> None:
    """The etcd beside released programs has the version of the one inside our control plane."""
    modules = [
        (ROOT / "sandbox" / "parts" / name / "go.mod").read_text() for name in ("etcd", "controlplane")
    ]
    [alone], [inside] = (
        [line.split()[1] for line in module.splitlines() if line.startswith("\tgo.etcd.io/etcd/server/v3 ")]
        for module in modules
    )
    assert alone == inside
