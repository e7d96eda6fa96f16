"""The program of the hooks: keeps a memory store, restores it, and reverses refunds.

Run as the command of a Job, with the operator's variables and the folder of the store in `STORE`. It imports
nothing but the standard library. Every step can be repeated: what was done under a key is not done again.
"""

import fcntl
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

STORE = Path(os.environ["STORE"])
JSON = json.loads(os.environ["AGENTROLLOUTS_JSON"])


def keep_memory() -> None:
    """Copy the memory under a name that restore-memory of the same attempt finds."""
    snapshot().parent.mkdir(exist_ok=True)
    if not snapshot().exists():
        write(snapshot(), read(STORE / "memory.json", {}))


def restore_memory() -> None:
    """Put back what the bad release wrote, by its mark, and leave what others wrote meanwhile."""
    memory, before = read(STORE / "memory.json", {}), read(snapshot(), {})
    for customer, entry in list(memory.items()):
        if entry["release"] != os.environ["AGENTROLLOUTS_RELEASE"]:
            continue
        if customer in before:
            memory[customer] = before[customer]
        else:
            del memory[customer]
    write(STORE / "memory.json", memory)


def reverse_refunds() -> None:
    """Reverse each run of the bad release once, and refund what was due."""
    done: dict[str, str] = read(STORE / "reversed.json", {})
    for line in (STORE / "journal.jsonl").read_text().splitlines():
        run = json.loads(line)
        if not is_bad(run) or run["id"] in done:
            continue
        if len(done) == int(os.environ.get("FAIL_AFTER", "-1")) and (STORE / "crm-is-down").exists():
            sys.exit("the CRM is down")
        ledger = read(STORE / "ledger.json", {})
        ledger[run["customer"]] += run["due"] - run["paid"]
        done[run["id"]] = os.environ["AGENTROLLOUTS_KEY"]
        write(STORE / "ledger.json", ledger)
        write(STORE / "reversed.json", done)


def is_bad(run: dict[str, Any]) -> bool:
    """Whether it is a run of the bad release within its window."""
    start, end = (datetime.fromisoformat(os.environ[f"AGENTROLLOUTS_{name}"]) for name in ("START", "END"))
    is_inside = start <= datetime.fromisoformat(run["time"]) <= end
    return run["release"] == JSON["bad"]["release"] and is_inside


def snapshot() -> Path:
    """Where the memory of this attempt is kept."""
    return STORE / "kept" / os.environ["AGENTROLLOUTS_ATTEMPT_KEY"].replace("/", "_")


def read(path: Path, default: dict[str, Any]) -> dict[str, Any]:
    """A file of the store."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else default
    return found


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace a file of the store in one step."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content, sort_keys=True))
    draft.rename(path)


if __name__ == "__main__":
    lock = (STORE / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    {"keep": keep_memory, "restore": restore_memory, "reverse": reverse_refunds}[sys.argv[1]]()
