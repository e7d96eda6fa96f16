"""`sandbox.parts.cache`: made once, in place whole or not at all, and removed whole."""

import io
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.parts import cache


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "agentrollouts"


def run(*lines: str) -> None:
    """Run a few lines of Python through `cache.run`."""
    cache.run("making it", [sys.executable, "-c", "\n".join(lines)], os.environ, expected=1, cwd=Path.cwd())


def test_key(tmp_path: Path) -> None:
    """The key changes with an argument, a file's name and its content, not with the order of files."""
    first, second = tmp_path / "a.go", tmp_path / "b.go"
    first.write_text("one")
    second.write_text("two")
    key = cache.key(["x"], [first, second])
    assert key == cache.key(["x"], [second, first])

    moved = tmp_path / "c.go"
    moved.write_text("two")
    others = {cache.key(["y"], [first, second]), cache.key(["x"], [first, moved]), cache.key(["x"], [first])}
    second.write_text("three")
    others.add(cache.key(["x"], [first, second]))

    assert len(others - {key}) == 4


def test_made_once(folder: Path) -> None:
    """Of two who ask at the same time one builds, and the other waits and finds the result."""
    target = folder / "thing"
    building, looked = threading.Event(), threading.Event()
    built: list[Path] = []

    def build(draft: Path) -> None:
        building.set()
        looked.wait(10)
        built.append(draft)
        draft.write_text("whole")

    def second() -> bool:
        building.wait(10)
        absent = not target.exists()
        looked.set()
        cache.make(target, "thing", build)
        return absent

    with ThreadPoolExecutor() as pool:
        waits = pool.submit(second)
        cache.make(target, "thing", build)

    assert (waits.result(), target.read_text(), len(built)) == (True, "whole", 1)


def test_failed_build(folder: Path) -> None:
    """A build that fails halfway leaves nothing behind, and the next one may succeed."""
    target = folder / "thing"

    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise SandboxError("no luck")

    with pytest.raises(SandboxError, match="no luck"):
        cache.make(target, "thing", fail)
    assert [file.name for file in folder.iterdir()] == [".thing.lock"]

    cache.make(target, "thing", lambda draft: draft.mkdir())
    assert target.is_dir()


def test_killed_build(folder: Path) -> None:
    """What a killed build left in its draft is not part of the next one's result."""
    (folder / ".thing.draft").mkdir(parents=True)
    (folder / ".thing.draft" / "leftover").touch()

    cache.make(folder / "thing", "thing", lambda draft: draft.mkdir())

    assert list((folder / "thing").iterdir()) == []


def test_run_fails(folder: Path) -> None:
    """A failed command is an error that ends with what the command said, and names the log."""
    with pytest.raises(SandboxError) as failed:
        run("import sys", "sys.exit('line one\\nthe compiler is sad')")

    log = folder / "logs" / "making-it.log"
    expected = f"making it failed with exit code 1 (whole log: {log}):\nline one\nthe compiler is sad"
    assert str(failed.value) == expected


class Screen(io.StringIO):
    """What a person sees; makes a file once that is something."""

    def __init__(self, seen: Path) -> None:
        super().__init__()
        self._seen = seen

    def write(self, text: str) -> int:
        """Show a text."""
        self._seen.touch()
        return super().write(text)


def test_run_shows_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of more than a second is announced with the time to expect; its end is said, too."""
    seen = tmp_path / "seen"
    screen = Screen(seen)
    monkeypatch.setattr(sys, "stderr", screen)

    run("import pathlib, time", f"while not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)")

    told = r"making it: (\d+) s, about 1 s on two cores the first time\n"
    lines = re.fullmatch(rf"{told}(?:{told})*making it: done after (\d+) s\n", screen.getvalue())
    assert lines, screen.getvalue()
    assert 1 <= int(lines[1]) <= int(lines[3])


def test_clean(folder: Path) -> None:
    """Cleaning removes folders that are read-only, as those of Go's module cache are."""
    locked = folder / "go" / "mod" / "example"
    locked.mkdir(parents=True)
    (locked / "file").touch(mode=0o444)
    locked.chmod(0o555)

    cache.clean()

    assert not folder.exists()
