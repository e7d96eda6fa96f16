"""Actions by the chart's policies: in whose name they are, and which verb each needs."""

import json
import shlex
from typing import Any, Final

import pytest

from agentrollouts.api.people.action import ActionType
from sandbox.errors import CommandError
from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from tests.contract.authority.cast import (
    ALI,
    BOB,
    CLEO,
    DANA,
    ELSEWHERE,
    LEE,
    ODD,
    PIA,
    ROB,
    VERA,
    WHERE,
    an_action,
)
from tests.contract.chart.policies import (
    CREATED,
    INVALID,
    OK,
    check,
)
from tests.contract.chart.rendering import FULL_NAME
from tests.contract.people import Someone
from tests.docs.blocks.shown import agrees, command_of

APPROVE, PROMOTE, HOLD, ROLL_BACK, RETRY = (
    ActionType.APPROVE,
    ActionType.PROMOTE,
    ActionType.HOLD,
    ActionType.ROLL_BACK,
    ActionType.RETRY,
)
NOT_HER_NAME: Final = f"spec.requestedBy: must be the caller, {LEE}"
UNCHANGEABLE: Final = "an action cannot be changed; create another one"
BY_RBAC: Final = 'cannot create resource "agentrolloutactions" in API group "agentrollouts.dev"'


def may_not(user: str, verb: str, rollout: str = "support-agent") -> str:
    """How the policy says it."""
    words = f"{user} may not {verb} the agentrollout {rollout}"
    return f"{words}; a Role must allow the verb {verb} on agentrollouts"


@pytest.mark.parametrize(
    ("user", "kind", "by", "why"),
    [
        (DANA, ROLL_BACK, DANA, None),
        (DANA, APPROVE, DANA, may_not(DANA, "approve")),
        (LEE, APPROVE, LEE, None),
        (LEE, ROLL_BACK, DANA, NOT_HER_NAME),
        (LEE, PROMOTE, DANA, NOT_HER_NAME),
        (VERA, ROLL_BACK, VERA, BY_RBAC),
        (ALI, PROMOTE, ALI, None),
        (ALI, APPROVE, ALI, may_not(ALI, "approve")),
        (ROB, HOLD, ROB, None),
        (ROB, RETRY, ROB, may_not(ROB, "retry")),
        (CLEO, ROLL_BACK, CLEO, may_not(CLEO, "rollback")),
        (ODD, ROLL_BACK, ODD, None),
        (ODD, APPROVE, ODD, may_not(ODD, "approve")),
        (None, HOLD, DANA, f"spec.requestedBy: must be the caller, {ADMIN}"),
        (None, HOLD, ADMIN, None),
        (None, APPROVE, ADMIN, None),
    ],
)
def test_an_action_is_in_the_callers_name_and_needs_the_verb_of_its_type(
    world: Stack, user: str | None, kind: ActionType, by: str, why: str | None
) -> None:
    """No one requests in the name of someone else, administrators included, or without the verb."""
    check(Someone(world, user).create(an_action(kind, by)), why)


def test_a_user_name_is_as_long_as_the_field(world: Stack) -> None:
    """A name of 253 characters reaches the policy, and a longer one is refused by the field."""
    long = "x" * 253
    admin = Someone(world)

    check(admin.create(an_action(HOLD, long)), "must be the caller")
    assert admin.create(an_action(HOLD, long + "x")).code == INVALID


def test_a_name_that_is_missing_is_filled_in(world: Stack) -> None:
    """The caller is stamped before the schema is checked; without the policy the field is required."""
    answer = Someone(world, LEE).create(an_action(APPROVE, None))
    bare = Someone(world).create(an_action(APPROVE, None, ELSEWHERE))
    empty = Someone(world, DANA).create({**an_action(APPROVE, None), "spec": {}})

    assert (answer.code, answer.body["spec"]["requestedBy"]) == (CREATED, LEE)
    assert (bare.code, "spec.requestedBy: Required value" in bare.message) == (INVALID, True), bare.message
    assert (empty.code, "spec.rollout: Required value" in empty.message) == (INVALID, True), empty.message


def test_other_namespaces_are_left_alone(world: Stack) -> None:
    """With `namespaces` in the values, no one is asked elsewhere: there is another operator, or none."""
    check(Someone(world).create(an_action(HOLD, DANA, ELSEWHERE)), None)


def test_a_verb_can_be_granted_for_one_rollout(world: Stack) -> None:
    """By `resourceNames`."""
    bob = Someone(world, BOB)

    check(bob.create(an_action(APPROVE, BOB, rollout="billing-agent")), None)
    check(bob.create(an_action(APPROVE, BOB)), may_not(BOB, "approve"))


def test_a_verb_can_be_granted_for_one_phase(world: Stack) -> None:
    """By a subresource of the phase's name, for any rollout."""
    pia = Someone(world, PIA)

    check(pia.create(an_action(APPROVE, PIA, phase="canary-25")), None)
    check(pia.create(an_action(APPROVE, PIA, phase="canary-25", rollout="billing-agent")), None)
    check(pia.create(an_action(APPROVE, PIA, phase="canary-5")), may_not(PIA, "approve"))
    check(pia.create(an_action(PROMOTE, PIA, phase="canary-25")), may_not(PIA, "promote"))


def applied(world: Stack, user: str, manifest: dict[str, Any]) -> str:
    """What `kubectl apply` says to someone."""
    whom = (f"--as={user}", "--as-group=system:authenticated")
    return world.kubectl("apply", *whom, "--filename=-", stdin=json.dumps(manifest)).strip()


def test_an_action_that_is_applied_again_keeps_its_name(world: Stack) -> None:
    """`kubectl apply` by the same person, and then by another, changes nothing."""
    manifest = an_action(HOLD, None, name="applied")
    name = "agentrolloutaction.agentrollouts.dev/applied"

    said = [applied(world, user, manifest) for user in (DANA, DANA, LEE)]

    assert said == [f"{name} created", f"{name} unchanged", f"{name} unchanged"]
    assert Someone(world).get(manifest)["spec"]["requestedBy"] == DANA
    Someone(world).delete(manifest, dry_run=False)


def test_the_page_shows_this_refusal(world: Stack) -> None:
    """As kubectl prints it for someone who may not approve; the name of the installation differs."""
    command = command_of("docs/security.md", "kubectl create")
    words = [*shlex.split(command.text)[1:-1], "-"]

    with pytest.raises(CommandError) as refused:
        world.kubectl(*words, stdin=json.dumps(an_action(APPROVE, DANA)))

    assert agrees(command.output, str(refused.value).replace(FULL_NAME, "agentrollouts"))


def test_server_side_apply_is_for_those_who_may_patch(world: Stack) -> None:
    """No role has `patch` on actions; an administrator's is stamped, and applied again it does not change."""
    manifest = an_action(HOLD, None, name="server-side")
    admin = Someone(world)

    check(
        Someone(world, DANA).patch(manifest, manifest, "apply"), 'cannot patch resource "agentrolloutaction'
    )
    first, second = (admin.patch(manifest, manifest, "apply", dry_run=False) for _ in range(2))

    assert (first.code, second.code) == (CREATED, OK)
    assert first.body["spec"] == second.body["spec"] == manifest["spec"] | {"requestedBy": ADMIN}
    [owned] = second.body["metadata"]["managedFields"]
    assert "f:requestedBy" not in owned["fieldsV1"]["f:spec"]
    assert first.body["metadata"]["generation"] == second.body["metadata"]["generation"]
    again = an_action(HOLD, None, name="server-side", attempt=14)
    changed = admin.patch(again, again, "apply")
    assert (changed.code, UNCHANGEABLE in changed.message) == (INVALID, True), changed.message
    admin.delete(manifest, dry_run=False)


@pytest.mark.parametrize("change", [{"reason": "No reason at all"}, {"requestedBy": LEE}, {"attempt": 14}])
def test_an_action_cannot_be_changed(world: Stack, change: dict[str, Any]) -> None:
    """Neither its words nor its name, not even by an administrator: this rule is the CRD's."""
    manifest = an_action(HOLD, ADMIN, name="unchangeable")
    admin = Someone(world)
    admin.create(manifest, dry_run=False)

    answer = admin.patch(manifest, {"spec": change})

    assert (answer.code, UNCHANGEABLE in answer.message) == (INVALID, True), answer.message
    admin.delete(manifest, dry_run=False)


def test_an_answer_is_not_part_of_a_request(world: Stack) -> None:
    """A status at the creation is dropped, and who requests can neither write it nor delete the action."""
    dana = Someone(world, DANA)
    done = {"type": "Ready", "status": "True", "reason": "Done", "message": "m"}
    status = {"conditions": [done | {"lastTransitionTime": "2026-08-01T00:00:00Z"}]}
    manifest = an_action(HOLD, DANA, name="answered")
    stored = dana.create(manifest | {"status": status}, dry_run=False)

    assert stored.body["status"] == {"observedGeneration": 0}
    check(dana.replace_status(stored.body | {"status": status}), "cannot update resource")
    check(dana.delete(manifest), "cannot delete resource")
    with pytest.raises(CommandError, match="cannot delete resource"):
        world.kubectl("delete", "aroa", "--all", f"--namespace={WHERE}", f"--as={DANA}")
    Someone(world).delete(manifest, dry_run=False)


def test_actions_are_found_by_their_rollout(world: Stack) -> None:
    """`kubectl get aroa --field-selector spec.rollout=...` lists those of one rollout."""
    admin = Someone(world)
    mine, other = (an_action(HOLD, ADMIN, name=name, rollout=name) for name in ("mine", "other"))
    for manifest in (mine, other):
        admin.create(manifest, dry_run=False)

    listed = world.kubectl(
        "get", "aroa", f"--namespace={WHERE}", "--field-selector=spec.rollout=mine", "--output=name"
    )

    assert listed.split() == ["agentrolloutaction.agentrollouts.dev/mine"]
    for manifest in (mine, other):
        admin.delete(manifest, dry_run=False)
