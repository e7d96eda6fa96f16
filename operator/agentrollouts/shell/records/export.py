"""The long memory: one line of JSON for each entry, on standard output, for any collector of logs.

CloudEvents 1.0. After a crash a line can come twice; its `id` is the hash of the entry.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Iterable, Mapping
from os import SEEK_END
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple, TextIO

from agentrollouts.api.record.progress import RecordPart
from agentrollouts.core.record.chain import HASH

logger = logging.getLogger(__name__)

TYPE: Final = "dev.agentrollouts.record.v1"


class Place(NamedTuple):
    """Whose entries they are."""

    cluster: str
    namespace: str
    rollout: str
    uid: str


def line_of(place: Place, part: RecordPart, entry: Mapping[str, Any]) -> str:
    """An entry as one line, whatever its texts contain."""
    event = {
        "specversion": "1.0",
        "id": entry[HASH],
        "type": TYPE,
        "source": f"/{place.cluster}/{place.namespace}/{place.rollout}",
        "subject": f"{part.attempt}/{part.part}/{entry['sequence']}",
        "time": entry["time"],
        "datacontenttype": "application/json",
        "rolloutuid": place.uid,
        "data": entry,
    }
    return json.dumps(event, ensure_ascii=True, separators=(",", ":"))


class Export:
    """Where the lines go.

    Args:
        stream: Standard output, unless a test has another one.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._lock = Lock()

    async def write(self, lines: Iterable[str], file: Path | None) -> None:
        """Write lines, also to a file if there is one; a reader that is slow stops nothing else."""
        await asyncio.to_thread(self.write_now, "".join(f"{line}\n" for line in lines), file)

    def write_now(self, text: str, file: Path | None) -> None:
        """Write this text, at once."""
        with self._lock:
            stream = self._stream or sys.stdout
            stream.write(text)
            stream.flush()
            if file is None:
                return
            try:
                begin = "\n" if _is_cut_off(file) else ""
                with file.open("a", encoding="utf-8") as target:
                    target.write(f"{begin}{text}")
            except OSError as error:
                logger.warning("Failed to append to the file of records %s: %s", file, error.strerror)


def _is_cut_off(file: Path) -> bool:
    """Whether a file ends within a line: a process was ended there, or the disk was full."""
    try:
        if not file.is_file() or file.stat().st_size == 0:  # a pipe has no end to look at
            return False
        with file.open("rb") as target:
            target.seek(-1, SEEK_END)
            return target.read() != b"\n"
    except OSError:  # it can be written and not be read
        return False
