"""Who changed `spec.releaseRef`, as the API server writes it into an annotation."""

from typing import Any, Final

import pytest

from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from tests.contract.authority.cast import ADA, DANA, VERA, WHERE, a_rollout
from tests.contract.chart.policies import CREATED, INVALID, check
from tests.contract.people import Someone

KEY: Final = "agentrollouts.dev/released-by"
SHIPPING: Final = {"releaseRef": {"name": "support-agent-4.2.1"}}


def naming(name: str | None, **spec: object) -> dict[str, Any]:
    """A change with an annotation that names someone, or no longer anyone."""
    return {"metadata": {"annotations": {KEY: name}}, **({"spec": spec} if spec else {})}


def releaser(manifest: dict[str, Any]) -> object:
    """Who it says has shipped."""
    return manifest["metadata"].get("annotations", {}).get(KEY)


def test_the_creator_is_the_first_releaser(world: Stack) -> None:
    """However the rollout is created; what it says itself is replaced."""
    dana = Someone(world, DANA)
    manifest = a_rollout("new")
    lying = manifest | {"metadata": manifest["metadata"] | {"annotations": {KEY: ADA, "team": "shop"}}}

    created = [dana.create(manifest), dana.create(lying), dana.patch(manifest, manifest, "apply")]

    assert [(answer.code, releaser(answer.body)) for answer in created] == [(CREATED, DANA)] * 3
    assert created[1].body["metadata"]["annotations"]["team"] == "shop"


def test_who_ships_is_stamped(world: Stack) -> None:
    """By a patch, by an apply without the annotation, and in the name of someone else."""
    dana, whole = Someone(world, DANA), a_rollout(spec=SHIPPING)
    assert releaser(Someone(world).get(a_rollout())) == ADMIN

    shipped = [
        dana.patch(a_rollout(), {"spec": SHIPPING}),
        dana.patch(a_rollout(), whole, "apply"),
        dana.patch(a_rollout(), naming(ADA, **SHIPPING)),
    ]

    assert [releaser(answer.body) for answer in shipped] == [DANA] * 3, [a.message for a in shipped]


@pytest.mark.parametrize("spec", [{"paused": True}, {"phases": []}, {"historyLimit": 5}])
def test_other_changes_keep_the_name(world: Stack, spec: dict[str, Any]) -> None:
    """Who changes the plan, or a label, is not who ships."""
    dana = Someone(world, DANA)

    for change in ({"spec": spec}, {"metadata": {"labels": {"tier": "gold"}}}):
        answer = dana.patch(a_rollout(), change)
        if answer.code != INVALID:
            assert releaser(answer.body) == ADMIN, answer.message


def test_another_name_alone_is_refused(world: Stack) -> None:
    """Not even the own one, and not by an administrator: it names who changed the reference."""
    for user, name in ((DANA, DANA), (DANA, ADA), (None, VERA)):
        check(
            Someone(world, user).patch(a_rollout(), naming(name)),
            f"metadata.annotations: {KEY} names who changed spec.releaseRef, which is {ADMIN}",
        )


def test_the_name_survives_a_file_without_it(world: Stack) -> None:
    """`kubectl replace` and `kubectl annotate KEY-` leave it as it is, and are not refused."""
    dana, current = Someone(world, DANA), Someone(world).get(a_rollout())
    del current["metadata"]["annotations"]
    current["spec"]["paused"] = True

    for answer in (dana.replace(current), dana.patch(a_rollout(), naming(None))):
        check(answer, None)
        assert releaser(answer.body) == ADMIN


def test_a_file_without_a_release_is_refused_by_its_field(world: Stack) -> None:
    """The stamp comes before the schema, and does not stand in for its words."""
    manifest = a_rollout("new")
    for spec in ({}, {"agent": "new"}):
        answer = Someone(world, DANA).create(manifest | {"spec": spec})

        assert (answer.code, "spec.releaseRef: Required value" in answer.message) == (INVALID, True), (
            answer.message
        )
    assert manifest["metadata"]["namespace"] == WHERE
