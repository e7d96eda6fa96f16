"""What `verify-record` and `export-record` work on: the records, and what is known besides them."""

import argparse
from dataclasses import dataclass, replace
from typing import Final

from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.record.files import read_lines, read_records
from agentrollouts.core.record.exported import CutOff, Line
from agentrollouts.core.record.stored import KIND, Break
from agentrollouts.core.record.verify import Known, Verification, verify

SHOWN: Final = 5
"""Lines of a log that are named because they are cut off."""


@dataclass(frozen=True, slots=True)
class Material:
    """Records, and what is known besides them."""

    records: tuple[object, ...]
    known: Known
    unread: tuple[Break, ...] = ()
    """Files and lines that cannot be read."""
    note: str = ""
    """What else to know, as sentences, each on a line."""

    @property
    def verification(self) -> Verification:
        """What holds of it; what cannot be read is the first break."""
        verification = verify(self.records, self.known)
        return Verification(verification.chains, next(iter(self.unread), verification.broken))


def gathered(options: argparse.Namespace) -> Material:
    """What the options name.

    Raises:
        WrongUseError: they name nothing that can be verified.
        ClusterError: the records cannot be read from the cluster.
    """
    if bool(options.files) == bool(options.rollout):
        raise WrongUseError("give files with records, or --rollout to read them from the cluster")
    lines, unread, note = _lines(options.against)
    known = Known(heads=tuple(options.head), lines=lines, since=options.since)
    if options.rollout:
        from agentrollouts.cli.online.records import fetch_records  # noqa: PLC0415 files need no cluster

        stored = fetch_records(options.rollout, options.namespace)
        known = replace(known, latest=stored.head, uid=stored.uid, pending=stored.pending)
        notes = "\n".join(filter(None, (stored.note, note)))
        material = Material(stored.records, known, unread, notes)
        if not (stored.records or material.verification.broken):
            raise WrongUseError(f"AgentRollout {options.rollout} has no record yet. {stored.note}".rstrip())
        return material
    records: list[object] = []
    for name in options.files:
        found = read_records(name)
        if isinstance(found, Break):
            unread = (*unread, found)
        else:
            records += found
    if not (unread or any(isinstance(each, dict) and each.get("kind") == KIND for each in records)):
        raise WrongUseError(f"{', '.join(options.files)}: no AgentRolloutRecord")
    return Material(tuple(records), known, unread, note)


def _lines(names: list[str]) -> tuple[tuple[Line, ...], tuple[Break, ...], str]:
    """The exported lines of some logs, what is wrong with others, and which were left out, as sentences."""
    lines: list[Line] = []
    breaks: list[Break] = []
    notes: list[str] = []
    for name in names:
        found = list(read_lines(name))
        lines += [each for each in found if isinstance(each, Line)]
        breaks += [each for each in found if isinstance(each, Break)]
        notes += [
            f"{each.name}: is cut off, and was left out." for each in found if isinstance(each, CutOff)
        ][:SHOWN]
        if not found:
            notes.append(f"{name}: has no exported line.")
    return tuple(lines), tuple(breaks), "\n".join(notes)
