"""The arguments of the commands about records, and their help."""

import argparse
from typing import Final

_DIGITS: Final = 10
"""Digits of the largest number of an attempt."""


def add_records(verify: argparse.ArgumentParser, export: argparse.ArgumentParser) -> None:
    """Declare the arguments of `verify-record` and `export-record`."""
    for parser in (verify, export):
        _add_material(parser)
    export.add_argument(
        "--attempt", type=_number, metavar="N", help="attempt to export (default: the newest)"
    )
    export.add_argument(
        "-o", "--output", choices=["in-toto"], default="in-toto", help="form of the output (default: in-toto)"
    )
    export.add_argument("--unverified", action="store_true", help="export a record that does not hold, too")


def _add_material(parser: argparse.ArgumentParser) -> None:
    """Declare what is verified, and what it is compared with."""
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="files with records as YAML or JSON, in any order, or -"
    )
    parser.add_argument(
        "--rollout",
        metavar="NAME",
        help="read the records and the head of this AgentRollout from the cluster",
    )
    parser.add_argument(
        "--namespace", metavar="NAME", help="its namespace (default: that of the current context)"
    )
    parser.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="HASH",
        help="hash of an entry that was once the newest; can be repeated",
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="LOG",
        help="file with exported lines, also among others, or -; can be repeated",
    )
    parser.add_argument(
        "--from",
        type=_number,
        dest="since",
        metavar="N",
        help="attempt that the records must reach back to (default: any, since retention removes old ones)",
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) > 0):
        raise argparse.ArgumentTypeError("must be a number, at least 1")
    return int(text)


VERIFY_RECORD_HELP: Final = """\
Verify that no entry of the records was edited, removed, added or moved since the operator wrote it. Without
a cluster:

  kubectl get aror -n support --field-selector spec.rollout=support-agent -o json > records.json
  agentrollouts verify-record records.json --head sha256:...

The head is the hash of the newest entry, `status.record.head` of the AgentRollout. Keep it where those who
can write records cannot change it. Without one, no one can see that the newest entries are missing, or that
everything was rewritten. Exported lines serve as well: each of them is a head (--against). With --rollout,
records and head are read from the cluster.

Retention removes the oldest records, so the chain can begin with any attempt; --from makes that a failure.

The exit code is 0 if the records hold, 1 if they are broken (which record, which entry, and what), 2 if
nothing could be verified, and 3 if they hold, but no head covers the newest entries."""

EXPORT_RECORD_HELP: Final = """\
Export the record of one attempt as an in-toto Statement, for example for `cosign attest-blob --statement`.
Its subject is the release with the digest of its bundle, and its predicate is the record.

All records are verified first. If they are broken, nothing is exported and the exit code is 1, unless
--unverified is set."""
