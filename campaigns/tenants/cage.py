"""A memory limit that is enforced: what exceeds it is killed, as a container would be.

By a cgroup of the kernel where one can be made; otherwise by a look at the memory every 20 ms. Processes that
the operator starts count as well.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from campaigns.tenants.meters import resident_mib

_ROOT: Final = Path("/sys/fs/cgroup")
_LOOK_SECONDS: Final = 0.02


@asynccontextmanager
async def caged(pid: int, mib: int) -> AsyncIterator[None]:
    """Hold a process to so many MiB for as long as the context lasts; a second process has its own cage."""
    with _group(pid, mib) as is_held:
        watching = None if is_held else asyncio.create_task(_watch(pid, mib))
        try:
            yield
        finally:
            if watching is not None:
                watching.cancel()


def family_mib(pid: int) -> float:
    """Memory of a process and of those that it has started."""
    return sum(resident_mib(one) for one in (pid, *_children(pid)))


@contextmanager
def _group(pid: int, mib: int) -> Iterator[bool]:
    """A cgroup around the process; False if there can be none."""
    is_unified = (_ROOT / "cgroup.controllers").exists()
    group = (_ROOT if is_unified else _ROOT / "memory") / f"caged-{pid}"
    try:
        group.mkdir()
        (group / ("memory.max" if is_unified else "memory.limit_in_bytes")).write_text(str(mib * 2**20))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):  # it goes with its last process
            group.rmdir()


async def _watch(pid: int, mib: int) -> None:
    while True:
        if family_mib(pid) > mib:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_SECONDS)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
