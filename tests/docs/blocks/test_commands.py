"""Every command of every page: its program, subcommands and flags exist, and the fields that it names.

`tests/contract/docs` asks helm and the API server.
"""

import re
from typing import Final

import pytest

from tests.docs.blocks.commands import wrong, wrong_commands
from tests.docs.blocks.found import Block, blocks_of, in_sentences, of
from tests.docs.blocks.shell import SCRIPTS, in_block, words_of

BLOCKS: Final = of("console", *SCRIPTS)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_the_commands_of_a_block_can_be_used(block: Block) -> None:
    """As they are written; a block without any command shows something else, and is labeled `text`."""
    found = list(in_block(block))

    assert found
    assert [problem for words in found for problem in wrong(words)] == []


OMITTED: Final = re.compile(r"arguments are required|say why in at least|must be a number")
"""What a command within a sentence can leave out: arguments, and their values."""


def test_the_commands_within_sentences_exist() -> None:
    """Ours, with the options that they have there."""
    found = [
        (page, text)
        for page, text in sorted(set(in_sentences()))
        if re.match(r"(agentrollouts|kubectl agentrollout) [a-z]", text)
    ]
    problems = [(page, text, problem) for page, text in found for problem in wrong_commands(text)]

    assert len(found) > 50
    assert [each for each in problems if not OMITTED.search(each[2])] == []


@pytest.mark.parametrize("block", of("console"), ids=lambda block: block.place)
def test_a_session_begins_with_a_command(block: Block) -> None:
    """What is below a command is its output; nothing is above the first."""
    assert block.text.startswith("$ ")


WRONG: Final = (
    ("agentrollouts aprove support-agent", "invalid choice: 'aprove'"),
    ("agentrollouts report support-agent --namspace support", "unrecognized arguments: --namspace"),
    ("agentrollouts plan rollout.yaml", "--runs-per-hour"),
    ("kubectl agentrollout stauts support-agent", "No such command"),
    ("kubectl agentrollout status support-agent --wacht", "No such option"),
    ("kubectl agentrollout report --fiel support.yaml", "unrecognized arguments: --fiel"),
    ("kubectl gett aro", "unknown command"),
    ("kubectl create rolebindng a", "create has no command rolebindng"),
    ("kubectl --namespace a get aro --outptu wide", "unknown flag: --outptu"),
    ("kubectl wait aro/a --for=condition=Readdy", "Readdy is not a condition"),
    ("kubectl get aro a -o jsonpath='{.status.stabel.release}'", "stabel is not a field"),
    ("kubectl get aro a -o jsonpath='{.status.stable[0]}'", "an item of what is not a list"),
    ("""kubectl get aro -o custom-columns='A:.status.conditions[?(@.type=="Raedy")].status'""", "Raedy"),
    ("cat a.yaml | agentrollouts lint", "cat: no test knows this program"),
    ("true && make dmeo", "make help lists no dmeo"),
    ("pipx install 'agentrollouts[clli]'", "cannot be installed"),
    ('echo "$(kubectl gett aro)" > file 2>&1', "unknown command"),
)


@pytest.mark.parametrize(("script", "sentence"), WRONG)
def test_a_mistake_is_found(script: str, sentence: str) -> None:
    """One for each program and each kind of mistake, so that the test of the pages can fail."""
    assert any(sentence in problem for problem in wrong_commands(script))


def test_a_script_is_read_as_a_shell_reads_it() -> None:
    """Pipes, files, comments, quotes and continued lines."""
    script = "a -b 'c | d' \\\n  --e=f  # no\n<in g 2>&1 | h > out && i $(j k)\n"

    assert list(words_of(script)) == [
        ("a", "-b", "c | d", "--e=f"),
        ("g",),
        ("h",),
        ("i", "$(j", "k)"),
        ("j", "k"),
    ]


def test_a_placeholder_stands_for_a_name() -> None:
    """As runbooks write it; a flag stays what it is."""
    assert list(wrong_commands("kubectl agentrollout status NAME --namespace NAMESPACE")) == []
    assert list(wrong_commands("kubectl agentrollout list -A -Z")) != []


def test_a_block_is_found_wherever_markdown_has_one() -> None:
    """In a list, without a fence, and with a document that its command reads."""
    text = (
        "- a\n\n  ```yaml\n  a: b\n  ```\n\nText\n\n    make demo\n\n```sh\ncat <<'EOF'\nc: d\nEOF\nls\n```\n"
    )
    listed, indented, script = blocks_of("page.md", text)

    assert (listed.text, listed.place) == ("a: b\n", "page.md:3")
    assert (indented.language, indented.text) == ("indented", "make demo\n")
    assert (script.documents, script.script.split()) == (["c: d\n"], ["cat", "ls"])
