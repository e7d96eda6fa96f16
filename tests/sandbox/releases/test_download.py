"""`sandbox.parts.download`: what is refused, how long it may take, and what a person sees meanwhile."""

import io
import re
import socket
import tarfile
from pathlib import Path

import pytest

from sandbox.errors import DownloadError
from sandbox.parts import download, releases, supply
from sandbox.parts.releases import Release
from tests.sandbox.releases.publisher import PART, SCRIPT, Publisher, archive, publish


def test_too_slow(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that keeps arriving is given up after its total time."""
    release = publish(publisher, monkeypatch, archive(("linux/helm", SCRIPT)))

    with pytest.raises(DownloadError, match=r"bytes within 0 s"):
        download.fetch(release, download.Limits(total=0), release.place().parent.parent.parent / "draft")


def test_silent_host(
    built: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A host that accepts the connection and never answers costs no more than the time for an answer."""
    monkeypatch.setattr(supply, "LIMITS", download.Limits(answer=0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/helm"
        monkeypatch.setattr(
            releases, "here", lambda: {"helm": Release("helm", "1.0.0", url, "0" * 64, {"helm": ""})}
        )
        supply.obtain([PART])

    assert "cannot be reached (" in capfd.readouterr().err
    assert built == ["helm"]


@pytest.mark.parametrize("outside", ["../evil", "/tmp/evil", "linux/../../evil"])  # noqa: S108  # never written
def test_leads_out(
    outside: str,
    tmp_path: Path,
    publisher: Publisher,
    built: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """An archive with a member that leads out of it is refused, and nothing of it is written."""
    publish(publisher, monkeypatch, archive((outside, SCRIPT), ("linux/helm", SCRIPT)))

    supply.obtain([PART])

    said = f"helm 1.0.0 is refused: {outside} leads out of its archive; building it from source"
    assert said in capfd.readouterr().err.splitlines()
    assert (built, [*tmp_path.rglob("evil")]) == (["helm"], [])


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, None])
def test_not_a_file(
    kind: bytes | None,
    publisher: Publisher,
    built: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A program that is a link, a folder, or absent in its archive is refused."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        if kind is not None:
            entry = tarfile.TarInfo("linux/helm")
            entry.type, entry.linkname = kind, "/bin/sh"
            tar.addfile(entry)
    publish(publisher, monkeypatch, packed.getvalue())

    supply.obtain([PART])

    assert "helm 1.0.0 is refused: linux/helm is not a file in its archive" in capfd.readouterr().err
    assert built == ["helm"]


def test_bar(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A terminal shows one line that is drawn in place, and then the result there."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bar = download.Bar("helm 1.0.0", 20_000_000)
    bar.show(10_000_000)
    bar.clear()
    bar.end(20_000_000)

    drawing, result = capfd.readouterr().err.split("\r\033[K")[1:]
    assert drawing == "downloading helm 1.0.0 [###############               ]  50% of 20 MB"
    assert re.fullmatch(r"downloaded helm 1\.0\.0: 20\.0 MB in \d+ s\n", result)
