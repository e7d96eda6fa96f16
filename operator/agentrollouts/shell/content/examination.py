"""The examination of a release from what the API server sent, byte for byte.

Runs in a process of its own (`python -m agentrollouts.shell.content.examination`), which `examiner` starts:
the search for credentials in 900 KiB takes seconds, and the event loop would stand still for as long. The
process has the lowest priority and a bounded memory, and is the first that the kernel ends for lack of it.
"""

import os
import pickle
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import ValidationError

from agentrollouts.api.model.nested import read_json
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.examine import Content, Examined, examine
from agentrollouts.core.release.snapshot import Snapshot

LENGTH: Final = 8
"""Bytes before each message that say how long it is."""
MEMORY_BYTES: Final = 320 * 2**20
"""Memory of the process. What needs more to be examined is refused."""
TIRED_BYTES: Final = 128 * 2**20
"""Peak of its memory after which the process is replaced, as its memory would never shrink."""
NICE: Final = 10

_COMPONENTS: Final = "spec.components"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Objects as they are on the wire."""

    release: bytes
    config_maps: Mapping[str, bytes | None] = field(default_factory=dict)
    """Those that the release refers to, by name; None for one that does not exist."""
    kept: bytes | None = None
    """The snapshot that is the release's permanently."""
    parent: bytes | None = None
    """The snapshot of its parent."""


def examination(request: Request) -> Examined:
    """Examine what a request contains; whatever it is, the answer has words for a person."""
    try:
        release = AgentRelease.model_validate(read_json(request.release))
        kept, parent = _snapshot(request.kept), _snapshot(request.parent)
        if request.kept is not None and kept is None:
            return _refused(Reason.NAME_TAKEN, "the ConfigMap of the release contains no bundle; delete it")
        maps = {name: _config_map(text) for name, text in request.config_maps.items()}
        texts = (snapshot.bundle if snapshot else None for snapshot in (kept, parent))
        before, parents = texts
        return examine(Content(release=release, config_maps=maps, kept=before, parent=parents))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return _refused(Reason.INVALID_SPEC, f"is not valid: {first['msg']}")
    except (MemoryError, RecursionError):
        return too_much("more memory than it may have")


def too_much(what: str) -> Examined:
    """The answer for content that cannot be examined."""
    return _refused(
        Reason.TOO_LARGE, f"to examine this content takes {what}; use an artifact for its largest part"
    )


def _refused(reason: Reason, problem: str) -> Examined:
    return Examined(bundle=Refusal(reason, _COMPONENTS, f"{_COMPONENTS}: {problem}"))


def _snapshot(text: bytes | None) -> Snapshot | None:
    return None if text is None else Snapshot.of(read_json(text))


def _config_map(text: bytes | None) -> ConfigMapData | None:
    if text is None:
        return None
    manifest = read_json(text)
    return ConfigMapData(manifest.get("data") or {}, tuple(manifest.get("binaryData") or ()))


def main() -> None:
    """Answer requests from standard input: what was found, and whether to replace the process."""
    os.nice(NICE)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # silent where the operator was killed meanwhile
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (request := _read(source)) is not None:
        examined = examination(request)
        reply = pickle.dumps((examined, _peak_bytes() > TIRED_BYTES))
        sink.write(len(reply).to_bytes(LENGTH, "big") + reply)
        sink.flush()


def _peak_bytes() -> int:
    """Peak of the memory since the program began; `getrusage` also counts that of the parent before it."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _read(source: BinaryIO) -> Request | None:
    length = source.read(LENGTH)
    if len(length) < LENGTH:
        return None
    request: Request = pickle.loads(source.read(int.from_bytes(length, "big")))  # noqa: S301 - our own process
    return request


if __name__ == "__main__":
    main()
