"""Inputs: releases as they are on the wire. Outputs: what a process beside this one finds in them."""

import asyncio
import json
import pickle
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.api.reasons import Reason
from agentrollouts.core.release.bundle import Bundle
from agentrollouts.core.release.checks import Refusal
from agentrollouts.shell.content import examiner
from agentrollouts.shell.content.examination import LENGTH, Request, examination
from agentrollouts.shell.content.examiner import Examiner


def a_request(inline: dict[str, Any], kept: bytes | None = None) -> Request:
    """A release with that prompt."""
    components = {
        "prompt": {"version": "1.0.0", "inline": inline},
        "model": {"version": "1.0.0", "provider": "p", "name": "m"},
    }
    manifest = {
        "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 1},
        "spec": {"agent": "s", "version": "1.0.0", "components": components},
    }
    return Request(release=json.dumps(manifest).encode(), kept=kept)


SMALL = a_request({"text": "hello"})


async def test_the_loop_turns_while_the_largest_release_is_examined() -> None:
    """No rollback waits for a search in 860 KiB, which takes seconds."""
    beside = Examiner()
    await beside.examine(SMALL)
    late, request = [0.0], a_request({"text": "the quick brown fox " * 44_000})

    seen = asyncio.Event()

    async def measure() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.01
            await asyncio.sleep(0.01)
            late.append(loop.time() - due)
            seen.set()

    measuring = asyncio.create_task(measure())
    await asyncio.sleep(0)  # it has begun
    began = time.monotonic()
    examined = await beside.examine(request)
    took = time.monotonic() - began
    seen.clear()
    await seen.wait()  # what is late now is measured
    measuring.cancel()
    await beside.close()
    assert isinstance(examined.bundle, Bundle)
    assert len(examined.bundle.text) > 850 * 1024
    assert max(late) < took / 2, "examined here, it would be late by all of that time"


@pytest.mark.parametrize(
    "request_",
    [
        SMALL,
        a_request({"key": "AKIAQWERTYUIOPASDFGH"}),
        a_request({"text": "x" * 1_000_000}),
        a_request({"deep": json.loads("[" * 60 + "]" * 60)}),
        Request(release=b'{"metadata": {"name": "a"}, "spec": {}}'),
        a_request({"text": "x"}, kept=b'{"metadata": {"name": "a"}, "data": {"bundle.json": "[]"}}'),
    ],
)
async def test_the_process_finds_what_would_be_found_here(request_: Request) -> None:
    """What a release is, what is wrong with it, and what cannot be read."""
    beside = Examiner()
    assert await beside.examine(request_) == examination(request_)
    await beside.close()


async def test_content_that_takes_too_long_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is replaced, and the next release is examined."""
    beside = Examiner()
    monkeypatch.setattr(examiner, "SECONDS", 0.0)
    refusal = (await beside.examine(SMALL)).bundle
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.TOO_LARGE
    assert "use an artifact" in refusal.message
    monkeypatch.undo()
    assert isinstance((await beside.examine(SMALL)).bundle, Bundle)
    await beside.close()


async def test_a_process_that_was_killed_is_replaced() -> None:
    """The kernel ends it first when memory is short; the release is tried again."""
    beside = Examiner()
    await beside.examine(SMALL)
    process = beside._process  # noqa: SLF001 nothing else has it
    assert process is not None
    big = asyncio.create_task(beside.examine(a_request({"a": [1] * 90_000})))
    await asyncio.sleep(0)
    process.kill()
    with pytest.raises(UnavailableError, match="the process for it ended"):
        await big
    assert isinstance((await beside.examine(SMALL)).bundle, Bundle)
    await beside.close()


async def test_a_process_without_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """At rest there is only the operator."""
    monkeypatch.setattr(examiner, "IDLE_SECONDS", 0.0)
    beside = Examiner()
    await beside.examine(SMALL)
    process = beside._process  # noqa: SLF001 nothing else has it
    assert process is not None
    async with asyncio.timeout(10):
        await process.wait()


def test_it_ends_in_silence_where_nobody_reads_its_answer() -> None:
    """The operator was killed while it examined: no traceback is among the lines of the next one."""
    message = pickle.dumps(SMALL)
    command = [sys.executable, "-m", "agentrollouts.shell.content.examination"]
    with subprocess.Popen(  # noqa: S603 - ours
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate(len(message).to_bytes(LENGTH, "big") + message)

    assert (process.returncode, said) == (-signal.SIGPIPE, b"")
