"""`agentrollouts export-record`: the record of an attempt in a form that other tools sign and store."""

import argparse
import json
import sys
from collections.abc import Iterable

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.record.material import Material, gathered
from agentrollouts.cli.record.verify import BROKEN, WRONG_USE
from agentrollouts.core.record.lineage import uid_of
from agentrollouts.core.record.statement import statement
from agentrollouts.core.record.stored import StoredRecord, read, shown


def run_export_record(options: argparse.Namespace) -> int:
    """Print the record of one attempt; nothing if it does not hold, unless the options allow it."""
    try:
        material = gathered(options)
        broken = material.verification.broken
        if broken and not options.unverified:
            sys.stderr.write(
                f"BROKEN: {broken}\nNothing was exported. Use --unverified to export it all the same.\n"
            )
            return BROKEN
        text = json.dumps(statement(_parts(material, options.attempt)), indent=2, allow_nan=False)
    except (WrongUseError, ClusterError, ValueError, RecursionError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    if broken:
        sys.stderr.write(f"BROKEN: {broken}\nIt was exported because of --unverified.\n")
    print(text)
    return 0


def _parts(material: Material, attempt: int | None) -> list[StoredRecord]:
    """The records of one attempt, by default of the newest.

    Raises:
        WrongUseError: there is no such attempt, or there are those of several rollouts.
    """
    chains = material.verification.chains
    if sum(not chain.continues for chain in chains) > 1:
        raise WrongUseError("the records are of several rollouts; give those of one")
    found = [read(value, number) for number, value in enumerate(material.records, 1)]
    stored = {(shown(uid_of(each)), each.place): each for each in found if isinstance(each, StoredRecord)}
    newest = chains[-1].uid if chains else ""
    number = attempt or max((place.attempt for uid, place in stored if uid == newest), default=0)
    for chain in reversed(chains):  # a rollout that was restored can have had an attempt of that number twice
        parts = [stored[key] for key in sorted(stored) if key[0] == chain.uid and key[1].attempt == number]
        if parts:
            return parts
    raise WrongUseError(f"there is no record of attempt {number}; there are {_numbers(stored.values())}")


def _numbers(records: Iterable[StoredRecord]) -> str:
    return ", ".join(map(str, sorted({record.place.attempt for record in records}))) or "none"
