"""Plays the campaigns on the real parts: `make campaigns`, or `python -m campaigns NAME` in a sandbox.

Every broken case is printed with the command that plays it again; the exit code is 1 if there is one. The
table at the end is the one of `docs/reliability.md`.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Final

from campaigns.cases import Campaign, Case, Choice
from campaigns.cluster import crash, handovers, hunt, outages, rivals, sequences, stale, watches
from campaigns.prometheus import campaign as prometheus_faults
from campaigns.tenants import campaign as tenants
from campaigns.tenants import soak
from campaigns.virtual.clock_jumps import CLOCK_JUMPS
from campaigns.virtual.exhaustive import EXHAUSTIVE, PEOPLE, RECOVERIES, WORKLOADS
from campaigns.virtual.pairs import PAIRS
from campaigns.virtual.planted_bugs import PLANTED
from campaigns.virtual.properties import PROPERTIES
from campaigns.virtual.sequences import SEQUENCES
from campaigns.virtual.simulated import SIMULATED
from campaigns.virtual.standby.search import STANDBYS
from campaigns.virtual.tampering import TAMPERING

CAMPAIGNS: Final[Sequence[Campaign]] = (
    Campaign(
        "prometheus-faults",
        "Whatever Prometheus does: no advance, no rollback that nobody asked for, others as fast as ever",
        prometheus_faults.play,
    ),
    PROPERTIES,
    SIMULATED,
    CLOCK_JUMPS,
    SEQUENCES,
    EXHAUSTIVE,
    PEOPLE,
    WORKLOADS,
    RECOVERIES,
    STANDBYS,
    PAIRS,
    PLANTED,
    TAMPERING,
    crash.CAMPAIGN,
    outages.CAMPAIGN,
    watches.CAMPAIGN,
    stale.CAMPAIGN,
    rivals.CAMPAIGN,
    sequences.CAMPAIGN,
    hunt.CAMPAIGN,
    handovers.CAMPAIGN,
    tenants.CAMPAIGN,
    soak.CAMPAIGN,
)
SEED: Final = 20_261_121


def main() -> int:
    """Play the chosen campaigns, all by default."""
    parser = argparse.ArgumentParser(prog="campaigns", description=__doc__)
    names = [campaign.name for campaign in CAMPAIGNS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all by default")
    parser.add_argument(
        "--seed", type=int, help=f"of everything random; {SEED} by default, a new one in properties"
    )
    parser.add_argument("--size", type=int, help="how many cases of each at the most")
    parser.add_argument("--only", metavar="CASE", help="play this case alone")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no campaign {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    chosen = [campaign for campaign in CAMPAIGNS if not options.names or campaign.name in options.names]
    rows, broken = [], 0
    for campaign in chosen:
        started = time.monotonic()
        cases = _played(campaign, Choice(_seed(campaign, options.seed), options.size, options.only))
        failed = sum(case.broken is not None for case in cases)
        size = f"{sum(case.counts for case in cases):,} {campaign.unit}"
        command = f"`python -m campaigns {campaign.name}`"
        seconds = f"{time.monotonic() - started:.0f} s"
        rows.append(f"| {campaign.name} | {size} | {failed} | {campaign.shows} | {seconds} | {command} |")
        broken += failed
    print("\n| campaign | size | broken | shows | took | command |\n|---|---|---|---|---|---|")
    print("\n".join(rows))
    return int(broken > 0)


def _seed(campaign: Campaign, named: int | None) -> int:
    """The seed that the command names, a new one, or the one that every run uses."""
    if named is not None:
        return named
    return secrets.randbelow(2**32) if campaign.draws_seed else SEED


def _played(campaign: Campaign, choice: Choice) -> list[Case]:
    """All cases of one campaign, each told when it is over."""
    cases = []
    for case in campaign.play(choice):
        cases.append(case)
        print(f"{campaign.name} {len(cases)}: {case.name}: {_outcome(case)}", file=sys.stderr)
        if case.broken:
            replay = f"python -m campaigns {campaign.name} --seed {choice.seed} --only {case.name!r}"
            print(f"  play it again: {replay}", file=sys.stderr)
    return cases


def _outcome(case: Case) -> str:
    return "; ".join(filter(None, (case.broken or "held", case.measured)))


if __name__ == "__main__":
    sys.exit(main())
