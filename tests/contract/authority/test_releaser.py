"""With `authority.separatePlan`: who changed `spec.releaseRef`, by an annotation of the API server."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from tests.contract.authority.cast import ADA, OLGA, VERA, a_rollout
from tests.contract.chart.policies import (
    CREATED,
    FORBIDDEN,
    INVALID,
    MUTATING,
    OK,
    SERVED,
    STAMPED,
    check,
    until,
)
from tests.contract.chart.rendering import of_kind, rendered
from tests.contract.people import Someone

VALUES: Final = {"authority": {"separatePlan": True}}
ROLLOUT: Final = a_rollout("shipped")
KEY: Final = "agentrollouts.dev/released-by"
SHIPPING: Final = {"releaseRef": {"name": "support-agent-4.2.1"}}


def naming(name: str | None, **spec: object) -> dict[str, Any]:
    """A change with an annotation that names someone, or no longer anyone."""
    return {"metadata": {"annotations": {KEY: name}}, **({"spec": spec} if spec else {})}


def releaser(manifest: dict[str, Any]) -> object:
    """Who it says has shipped."""
    return manifest["metadata"].get("annotations", {}).get(KEY)


@pytest.fixture(scope="module", autouse=True)
def _shipped(world: Stack) -> Iterator[None]:
    """A rollout that the administrator made under the policies."""
    admin = Someone(world)
    until("they stamp", lambda: releaser(admin.create(ROLLOUT).body) == ADMIN)
    until("they check", lambda: admin.patch(a_rollout(), naming(OLGA)).code == FORBIDDEN)
    until("olga plans", lambda: Someone(world, OLGA).create(ROLLOUT).code == CREATED)
    world.apply(ROLLOUT)
    yield
    admin.delete(ROLLOUT, dry_run=False)


def test_the_creator_is_the_first_releaser(world: Stack) -> None:
    """However the rollout is created; what it says itself is replaced."""
    olga = Someone(world, OLGA)
    manifest = a_rollout("new")
    lying = manifest | {"metadata": manifest["metadata"] | {"annotations": {KEY: ADA, "team": "shop"}}}

    created = [olga.create(manifest), olga.create(lying), olga.patch(manifest, manifest, "apply")]

    assert [(answer.code, releaser(answer.body)) for answer in created] == [(CREATED, OLGA)] * 3
    assert created[1].body["metadata"]["annotations"]["team"] == "shop"


def test_who_ships_is_stamped(world: Stack) -> None:
    """By a patch, by an apply without the annotation, and in the name of someone else."""
    olga, whole = Someone(world, OLGA), a_rollout("shipped", spec=SHIPPING)
    assert releaser(Someone(world).get(ROLLOUT)) == ADMIN

    shipped = [
        olga.patch(ROLLOUT, {"spec": SHIPPING}),
        olga.patch(ROLLOUT, whole, "apply"),
        olga.patch(ROLLOUT, naming(ADA, **SHIPPING)),
    ]

    assert [releaser(answer.body) for answer in shipped] == [OLGA] * 3, [a.message for a in shipped]


@pytest.mark.parametrize("spec", [{"paused": True}, {"historyLimit": 5}])
def test_other_changes_keep_the_name(world: Stack, spec: dict[str, Any]) -> None:
    """Who changes the plan, or a label, is not who ships."""
    olga = Someone(world, OLGA)

    for change in ({"spec": spec}, {"metadata": {"labels": {"tier": "gold"}}}):
        answer = olga.patch(ROLLOUT, change)
        assert (answer.code, releaser(answer.body)) == (OK, ADMIN), answer.message


def test_another_name_alone_is_refused(world: Stack) -> None:
    """Not even the own one, and not by an administrator: it names who changed the reference."""
    for user, name in ((OLGA, OLGA), (OLGA, ADA), (None, VERA)):
        check(
            Someone(world, user).patch(ROLLOUT, naming(name)),
            f"metadata.annotations: {KEY} names who changed spec.releaseRef, which is {ADMIN}",
        )


def test_the_name_survives_a_file_without_it(world: Stack) -> None:
    """`kubectl replace` and `kubectl annotate KEY-` leave it as it is, and are not refused."""
    olga, current = Someone(world, OLGA), Someone(world).get(ROLLOUT)
    del current["metadata"]["annotations"]
    current["spec"]["paused"] = True

    for answer in (olga.replace(current), olga.patch(ROLLOUT, naming(None))):
        check(answer, None)
        assert releaser(answer.body) == ADMIN


def test_a_file_without_a_release_is_refused_by_its_field(world: Stack) -> None:
    """The stamp comes before the schema, and does not stand in for its words."""
    manifest = a_rollout("new")
    for spec in ({}, {"agent": "new"}):
        answer = Someone(world, OLGA).create(manifest | {"spec": spec})

        assert (answer.code, "spec.releaseRef: Required value" in answer.message) == (INVALID, True), (
            answer.message
        )


@pytest.mark.parametrize(
    ("values", "flags"), [(VALUES, (SERVED, STAMPED)), (VALUES, (SERVED,)), ({}, (SERVED, STAMPED))]
)
def test_the_operator_reads_the_name_only_where_the_stamp_is(
    values: dict[str, Any], flags: tuple[str, ...]
) -> None:
    """The setting follows the policy: an annotation that anyone can write is never believed."""
    objects = rendered(values, *flags)
    settings = next(filter(None, (each.get("data", {}).get("settings.yaml") for each in objects)))
    stamps = [each for each in of_kind(objects, MUTATING) if each["metadata"]["name"].endswith("released-by")]

    assert yaml.safe_load(settings)["authority"]["releaserIsStamped"] is bool(stamps)
