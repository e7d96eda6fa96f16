"""The arguments of `agentrollouts who-served`, and how someone names a digest."""

import argparse
import re
from typing import Final

from agentrollouts.cli.described import described

LEAST_DIGITS: Final = 12
_DIGITS: Final = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},64}}")

HELP: Final = """\
Print which release has a digest: the namespace, the rollout, its attempts with the traffic that they had, and
what changed with it. A run names its digest in the header `agent-release-digest`, in the baggage
`agentrollouts.digest` and in the log field `agent_digest`.

The exit code is 0 if a rollout has served the digest, 1 if none has or the cluster cannot be read, and 2 if
the command was used wrongly, or if several digests begin with the given digits."""


def add_who_served(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = described(
        commands, "who-served", "print which release has the digest of a run, and when it had traffic", HELP
    )
    parser.add_argument(
        "digest",
        type=digits_of,
        metavar="DIGEST",
        help=f"digest of the run, or at least its first {LEAST_DIGITS} hex digits; `sha256:` is optional",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "-n", "--namespace", metavar="NAME", help="namespace (default: that of the current context)"
    )
    place.add_argument("-A", "--all-namespaces", action="store_true", help="look in all namespaces")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="form of the output (default: text)"
    )


def digits_of(text: str) -> str:
    """The hex digits that a digest, or its beginning, has."""
    digits = text.strip().lower().removeprefix("sha256:")
    if not _DIGITS.fullmatch(digits):
        raise argparse.ArgumentTypeError(
            f"must have {LEAST_DIGITS} to 64 hex digits, after an optional sha256:"
        )
    return digits
