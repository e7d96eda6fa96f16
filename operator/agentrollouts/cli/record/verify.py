"""`agentrollouts verify-record`: what holds of records, as sentences and as an exit code."""

import argparse
import sys
from collections.abc import Iterator

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.record.material import gathered
from agentrollouts.core.record.verify import Chain, Verification

HOLDS = 0
BROKEN = 1
WRONG_USE = 2
NO_HEAD = 3


def run_verify_record(options: argparse.Namespace) -> int:
    """Verify the records that the options name, and print what holds."""
    try:
        material = gathered(options)
    except (WrongUseError, ClusterError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    if material.note:
        print(material.note)
    verification = material.verification
    for sentence in sentences(verification):
        print(sentence)
    return code_of(verification)


def code_of(verification: Verification) -> int:
    """The exit code of what holds."""
    if verification.broken:
        return BROKEN
    return HOLDS if verification.is_covered else NO_HEAD


def sentences(verification: Verification) -> Iterator[str]:
    """What holds, one sentence a line; the break comes last."""
    for chain in verification.chains:
        name = f"{'/'.join(filter(None, (chain.namespace, chain.rollout)))} (uid {chain.uid})"
        size = f"{_count(chain.records, 'record')}, {_count(chain.entries, 'entry')}"
        begin = "the first entry of the rollout" if chain.is_whole else "older records are not here"
        begin = f"continues uid {chain.continues}" if chain.continues else begin
        if chain.broken:
            yield f"{name}: does not hold: {size}"
        else:
            yield f"{name}: holds from {chain.first} on ({begin}) to {chain.last}: {size}"
        if verification.broken is None:
            yield f"  {_coverage(chain)}"
            for record in chain.uncovered:
                yield f"  no entry has the hash of the evidence in {record} yet, which can have been edited"
    if verification.broken:
        yield f"BROKEN: {verification.broken}"


def _coverage(chain: Chain) -> str:
    """How far heads and lines prove the chain."""
    if chain.unmatched == 0 and chain.continued_by:
        return f"continued by uid {chain.continued_by}"
    if chain.unmatched == 0:
        return f"compared with the head {chain.head}"
    if chain.unmatched < chain.entries:
        newest = _count(chain.unmatched, "newest entry")
        return (
            f"no head covers the {newest}, which can have been rewritten; the last one here is {chain.head}"
        )
    return (
        "no head to compare with: entries can be missing at the end, or all can have been rewritten; "
        f"the last one here is {chain.head}"
    )


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
