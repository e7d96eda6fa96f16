"""Every block of YAML of every page, judged as what it is; `tests/contract/docs` asks the API server."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.docs.blocks.found import Block, in_yaml
from tests.docs.blocks.judged import judged

REFUSED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("docs/lint.md", "# rollout.yaml"): (
        "spec.gates[0].maxratio: unknown field; did you mean maxRatio?",
        "spec.phases[0].weight: Invalid value: 101; must be less than or equal to 100",
    ),
}
"""Blocks that show a mistake, by page and first line, and what is said of them. The page says so, too."""


def expected(block: Block) -> tuple[str, ...]:
    """What is wrong in a block on purpose."""
    return REFUSED.get((block.page, block.text.partition("\n")[0]), ())


@pytest.mark.parametrize("block", in_yaml(), ids=lambda block: block.place)
def test_a_block_is_right(block: Block) -> None:
    """By what would read it: no judge finds more than the page shows, and some judge knows it."""
    assert tuple(judged(block.text)) == expected(block)


def test_every_refused_block_is_there() -> None:
    """No exception outlives its block."""
    firsts = {(block.page, block.text.partition("\n")[0]) for block in in_yaml()}

    assert REFUSED.keys() - firsts == set()


WRONG: Final = (
    ("kind: [", "is not YAML"),
    ("sometopic: {a: b}", "is judged by nothing"),
    ("- a\n- b", "is judged by nothing"),
    ("gates: [{name: a, template: eror-rate}]", "spec.gates[0].template: "),
    ("spec:\n  traffic: {httpRoute: {parentRef: [{name: public}]}}", "spec.traffic.httpRoute.parentRef: "),
    ("spec: {requires: [{agent: billing, versions: newest}]}", "spec.requires[0].versions: "),
    ("tools: {version: 5.0.0, items: [{name: refund}]}", "spec.components.tools.items[0].version: "),
    ("settings: {recrod: {keep: 10}}", "settings: ('recrod',): "),
    ("settings: {}\nreplica: 2", "$: Additional properties"),
    ("apiVersion: v1\nkind: ConfigMap\ndata: {}", "metadata.name: Required"),
    ("namePrefix: 5", "namePrefix"),
    ("route: {receiver: a, routes: []}\nreceivers: [{name: b}]", "the receiver a is not there"),
    ("jobs: {a: {steps: [{run: agentrollouts lnit}]}}", "invalid choice: 'lnit'"),
)


@pytest.mark.parametrize(("text", "sentence"), WRONG)
def test_a_mistake_is_found(text: str, sentence: str) -> None:
    """One of each kind of document, so that the test of the pages can fail."""
    assert any(sentence in each for each in judged(text))
