"""Input: what the pages show. Output: what the real API server, kubectl and helm make of it."""

import json
from typing import Final

import pytest
import yaml

from sandbox.errors import CommandError
from sandbox.parts import parts
from sandbox.stack import Stack
from tests.contract.chart.rendering import CHART, helm
from tests.contract.server import ApiServer
from tests.docs.blocks.commands import wrong_flags
from tests.docs.blocks.found import Block, in_yaml, of
from tests.docs.blocks.frames import Judge, Whole, whole
from tests.docs.blocks.shell import SCRIPTS, Words, in_block
from tests.docs.blocks.test_yaml import expected

WHERE: Final = "pages"
CLUSTERED: Final = (Judge.OURS, Judge.FOREIGN)
COMMANDS: Final = sorted({words for block in of("console", *SCRIPTS) for words in in_block(block)})
READS: Final = [words for words in COMMANDS if words[0] == "kubectl" and {"get", "describe"} & {*words}]
HELM: Final = [words for words in COMMANDS if words[0] == "helm"]


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: ApiServer) -> Stack:  # noqa: ARG001 it installs our kinds
    """The sandbox with all kinds that the pages show, and a namespace."""
    for folder in (parts.gitops_tools(), parts.monitoring_api()):
        stack.apply(folder)
    stack.kubectl.wait_kinds()
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    return stack


def objects(block: Block) -> list[Whole]:
    """The objects of a block that an API server can judge."""
    wholes = [whole(document) for document in yaml.safe_load_all(block.text)]
    return [each for each in wholes if each and each.judge in CLUSTERED]


BLOCKS: Final = [block for block in in_yaml() if objects(block)]


def apply(stack: Stack, each: Whole) -> None:
    """Have the API server validate an object in our namespace, strictly, without storing it."""
    metadata = {key: value for key, value in each.content["metadata"].items() if key != "namespace"}
    is_named = "name" in metadata
    verb = ("apply", "--server-side", "--force-conflicts") if is_named else ("create",)
    flags = ("--dry-run=server", "--validate=strict", f"--namespace={WHERE}", "--filename=-")
    stack.kubectl(*verb, *flags, stdin=json.dumps(each.content | {"metadata": metadata}))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_the_api_server_takes_what_a_page_shows(block: Block, world: Stack) -> None:
    """Each object with each of its fields, unless the page says that it is refused."""
    for each in objects(block):
        if refused := expected(block):
            field = refused[0].partition(":")[0].rpartition(".")[2]
            with pytest.raises(CommandError, match=field):
                apply(world, each)
        else:
            apply(world, each)


def test_a_mistake_is_refused(world: Stack) -> None:
    """In an object of someone else, so that the test above can fail."""
    [monitor] = [each for block in BLOCKS if block.page == "docs/agent.md" for each in objects(block)]
    wrong = monitor.content | {"spec": {**monitor.content["spec"], "podMetricsEndpoint": []}}

    with pytest.raises(CommandError, match="podMetricsEndpoint"):
        apply(world, Whole(Judge.FOREIGN, wrong))


def problem_of(stack: Stack, *arguments: str) -> str:
    """What kubectl says of a command; `NotFound` if only the object is missing."""
    try:
        stack.kubectl(*arguments)
    except CommandError as error:
        return "NotFound" if "(NotFound)" in str(error) else str(error)
    return ""


@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_a_read_is_understood(words: Words, world: Stack) -> None:
    """Each resource, selector and path exists; at most the object itself does not."""
    assert problem_of(world, *words[1:]) in {"", "NotFound"}


def test_an_unknown_resource_or_field_is_not_understood(world: Stack) -> None:
    """So that the test above can fail."""
    for words in (("get", "agentrolloutz"), ("get", "arel", "--field-selector=spec.agnt=a")):
        assert problem_of(world, *words) not in {"", "NotFound"}


@pytest.mark.parametrize("words", HELM, ids=" ".join)
def test_a_command_of_helm_can_be_used(words: Words) -> None:
    """Its subcommand and its flags exist, and a chart of ours renders with its values."""
    assert wrong_flags(parts.helm(), words[1:]) == ()
    if words[1] == "install":
        done = helm(
            "template", *(str(CHART) if each == "charts/agentrollouts" else each for each in words[2:])
        )
        assert (done.returncode, "prometheus" in done.stdout) == (0, True), done.stderr


def test_a_wrong_flag_of_helm_is_found() -> None:
    """So that the test above can fail."""
    assert wrong_flags(parts.helm(), ("install", "a", "b", "--create-namespce")) != ()
    assert wrong_flags(parts.helm(), ("instal", "a")) != ()
