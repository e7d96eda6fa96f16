"""Agents that refund: each run writes to a ledger, a journal and a memory, and 4.2.0 does so wrongly.

They split their runs by the `<rollout>-traffic` ConfigMap that the API server shows. The runs are the same
ones in the same order, whoever answers them.
"""

import fcntl
import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

from sandbox.agents.metrics_page import metrics_page
from sandbox.stack import Stack
from tests.e2e.scene import Scene

AGENT: Final = "clerk"
GOOD: Final = f"{AGENT}-4.1.0"
BAD: Final = f"{AGENT}-4.2.0"
CUSTOMERS: Final = 20
RUN_SECONDS: Final = 0.02
NEW: Final = 50
"""One run of so many is of a customer whom no one knows yet; stable answers it."""
TARGET: Final = "clerks"


class Store:
    """The data of an agent, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("ledger.json", "memory.json"):
            (folder / name).write_text("{}")
        (folder / "journal.jsonl").touch()

    def run(self, number: int, release: str, began: datetime) -> None:
        """One run, while no hook changes the store: a refund, and what is remembered of the customer."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._refund(number, release, began)

    def _refund(self, number: int, release: str, began: datetime) -> None:
        customer = f"new-{number}" if number % NEW == 0 else f"customer-{number % CUSTOMERS}"
        due = number % 3
        paid = due if release == GOOD else 2 * due + 1
        wish = "likes tea" if release == GOOD else "gets every refund"
        self._change("ledger.json", customer, lambda balance: (balance or 0) + paid)
        self._change("memory.json", customer, lambda _: {"note": wish, "release": release})
        run = {"id": f"run-{number}", "time": began.isoformat(), "release": release}
        with (self.folder / "journal.jsonl").open("a") as journal:
            journal.write(json.dumps({**run, "customer": customer, "due": due, "paid": paid}) + "\n")

    def runs(self) -> list[dict[str, Any]]:
        """All runs, in their order."""
        return [json.loads(line) for line in (self.folder / "journal.jsonl").read_text().splitlines()]

    def bytes(self) -> tuple[bytes, bytes]:
        """Ledger and memory."""
        return (self.folder / "ledger.json").read_bytes(), (self.folder / "memory.json").read_bytes()

    def _change(self, name: str, key: str, change: Any) -> None:  # noqa: ANN401 values of two kinds
        path = self.folder / name
        content = json.loads(path.read_text())
        content[key] = change(content.get(key))
        draft = path.with_suffix(".run")
        draft.write_text(json.dumps(content, sort_keys=True))
        draft.rename(path)


class Clerks:
    """The agents of one rollout, from `with` on."""

    def __init__(self, scene: Scene, store: Store) -> None:
        self._scene = scene
        self._stack: Stack = scene.stack
        self._store = store
        self._runs: Counter[tuple[str, str]] = Counter()
        self._is_over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), metrics_page(self._exposition))
        self._working = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._stack.add_target(TARGET, f"127.0.0.1:{self._server.server_port}", {"job": TARGET})
        self._working.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.remove_target(TARGET)
        self._server.shutdown()
        self._server.server_close()

    def stop(self) -> None:
        """No run begins from now on, and none is in progress."""
        self._is_over.set()
        self._working.join()

    def _work(self) -> None:
        for number in count():
            if self._is_over.wait(RUN_SECONDS):
                return
            began = datetime.now(UTC)  # before the split is read: the traffic that it is part of
            if release := self._release(number):
                self._store.run(number, release, began)
                is_failed = release == BAD and number % 2 == 0
                self._runs[release, "failed" if is_failed else "completed"] += 1

    def _release(self, number: int) -> str | None:
        """Who answers this run."""
        manifest = self._scene.manifest("ConfigMap", f"{AGENT}-traffic")
        if manifest is None:
            return None
        split = json.loads(manifest["data"]["split.json"])
        stable, canary = split["stable"], split["canary"]
        is_split = stable is not None and canary is not None and number % NEW != 0
        if is_split and number * 37 % 100 < canary["weight"]:
            return str(canary["release"])
        only = stable or canary  # a first release begins without a stable one
        return str(only["release"]) if only else None

    def _exposition(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield "# TYPE agent_runs_total counter"
        where = f'namespace="{self._scene.namespace}",agent="{AGENT}"'
        for (release, outcome), runs in self._runs.copy().items():
            yield f'agent_runs_total{{{where},release="{release}",outcome="{outcome}"}} {runs}'
