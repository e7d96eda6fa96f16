"""The arguments of `agentrollouts derive` and `agentrollouts snapshot-name`."""

import argparse
import re
from typing import Final

from agentrollouts.api.model.base import DNS_SUBDOMAIN
from agentrollouts.cli.described import described

DERIVE: Final = "derive"
SNAPSHOT_NAME: Final = "snapshot-name"
_NAME_LENGTH: Final = 63
"""Of a release, as its name is the value of a label."""

HELP: Final = """\
Print a new AgentRelease that is BASE with a component of another release, for example to roll back the prompt
and keep everything else. `parent` is set, and the description says what comes from where. How it differs from
BASE is printed to standard error.

  agentrollouts derive support-agent-4.2.1 --version=4.2.2 --take=prompt=support-agent-4.1.0

With --workload, the Deployment and the Service of BASE are copied too, for teams that keep them in Git. What
names BASE, its snapshot or its version in a label names the new release there.

Releases are read from the cluster, or with --file from files. Of a release that was deleted, the snapshot is
enough. Nothing is written: apply what is printed. The exit code is 0, 1 if the cluster cannot be read, and 2
if the command was used wrongly, if the tools do not fit the prompt, or if nothing would change."""

SNAPSHOT_NAME_HELP: Final = """\
Print the name of the ConfigMap that the operator will make of each AgentRelease in files, one on each line,
for a Deployment that mounts it. The name is of the content, so no cluster is needed:

  agentrollouts snapshot-name -f release.yaml

Content is inline, an artifact, or in a ConfigMap that is in the files too. That ConfigMap must have the same
content in the cluster. The exit code is 0, or 2 if a file cannot be used, or if a name cannot be known."""


def add_snapshot_name(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = described(
        commands,
        SNAPSHOT_NAME,
        "print the name of the ConfigMap that a release will have",
        SNAPSHOT_NAME_HELP,
    )
    parser.add_argument(
        "-f", "--file", action="append", required=True, metavar="FILE", help="YAML file or -; can be repeated"
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json"),
        default="text",
        help="form of the output: names, or a list of release, name and digest (default: text)",
    )


def add_derive(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = described(commands, DERIVE, "print a new release that has a component of another one", HELP)
    _add_parts(parser)
    parser.add_argument(
        "--workload",
        action="store_true",
        help="add its Deployment and its Service, made of those of BASE",
    )
    parser.add_argument(
        "-f", "--file", action="append", default=[], metavar="FILE", help="YAML file with releases, or -"
    )
    parser.add_argument(
        "-n",
        "--namespace",
        type=_name,
        metavar="NAME",
        help="namespace (default: that of the current context)",
    )
    parser.add_argument(
        "-o", "--output", choices=("yaml", "json"), default="yaml", help="form of the output (default: yaml)"
    )


def _add_parts(parser: argparse.ArgumentParser) -> None:
    """Declare what the new release is made of."""
    parser.add_argument("base", type=_name, metavar="BASE", help="name of the release to derive from")
    parser.add_argument("--version", required=True, metavar="VERSION", help="version of the new release")
    parser.add_argument(
        "--take",
        action="append",
        default=[],
        type=_take,
        metavar="COMPONENT=RELEASE",
        help="take a component from a release, or `all` of them; can be repeated",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_pair,
        metavar="FIELD=VALUE",
        help="set `model` to PROVIDER/NAME, or `prompt.version` and the like; can be repeated",
    )
    parser.add_argument(
        "--name", type=_name, metavar="NAME", help="name of the new release (default: by its version)"
    )
    parser.add_argument(
        "--service",
        type=_name,
        metavar="NAME",
        help="name of its Service (default: that of BASE, by its version)",
    )


def _name(text: str) -> str:
    if not re.fullmatch(DNS_SUBDOMAIN, text) or len(text) > _NAME_LENGTH:
        raise argparse.ArgumentTypeError(f"must be a name of at most {_NAME_LENGTH} characters")
    return text


def _take(text: str) -> tuple[str, str]:
    component, release = _pair(text)
    return component, _name(release)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise argparse.ArgumentTypeError("must be a name and a value, such as prompt=support-agent-4.1.0")
    return key, value
