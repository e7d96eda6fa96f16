"""Input: the annotation that names who changed `spec.releaseRef`. Output: whether it counts, and where."""

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.names import ANNOTATION_RELEASED_BY
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import ActionType
from agentrollouts.core.action.people import Authority, releaser
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world

DANA, LEE = "dana@example.com", "lee@example.com"
ASKED = [{"name": "asked", "weight": 30, "durationSeconds": 300, "approval": "Required"}]
STAMPED = Authority(releaser_is_stamped=True)


@pytest.mark.parametrize(
    ("authority", "is_proved", "expected"),
    [(STAMPED, True, DANA), (STAMPED, None, DANA), (STAMPED, False, None), (Authority(), True, None)],
)
def test_it_counts_only_where_no_one_else_can_write_it(
    authority: Authority, *, is_proved: bool | None, expected: str | None
) -> None:
    """The chart says so, and no probe says otherwise."""
    metadata = ObjectMeta(name="x", annotations={ANNOTATION_RELEASED_BY: DANA})

    assert releaser(metadata, authority, is_proved=is_proved) == expected
    assert releaser(ObjectMeta(name="x"), authority, is_proved=is_proved) is None


def shipped_by_dana(authority: Authority) -> World:
    """`NEW` waits for an approval; the annotation says who shipped it."""
    world = a_world(a_rollout(phases=ASKED).serving(OLD), OLD)
    world.authority = authority
    world.keeps_records = False
    world.ship(NEW)
    stamped = world.rollout.metadata.replace(annotations={ANNOTATION_RELEASED_BY: DANA})
    world.rollout = world.rollout.replace(metadata=stamped)
    world.run_until(State.AWAITING_APPROVAL)
    return world


@pytest.mark.parametrize(
    ("authority", "by", "result"),
    [(STAMPED, DANA, "Refused"), (STAMPED, LEE, "Counted"), (Authority(), DANA, "Counted")],
)
def test_who_ships_does_not_approve(authority: Authority, by: str, result: str) -> None:
    """Someone else does; and without the stamp it is not known who shipped."""
    world = shipped_by_dana(authority)
    world.act(ActionType.APPROVE, by=by, phase="asked")
    world.settle()

    [taken] = world.status.actions
    assert taken.result == result
    assert (taken.message == f"{DANA} set spec.releaseRef to the release; someone else must approve it") == (
        result == "Refused"
    )
    unknown = "the author of the release is unknown"
    assert (unknown in taken.message) == (authority is not STAMPED)


@pytest.mark.parametrize(("authority", "named"), [(STAMPED, DANA), (Authority(), None)])
def test_the_record_names_who_shipped(authority: Authority, named: str | None) -> None:
    """In the entry that begins the attempt."""
    record = shipped_by_dana(authority).status.record
    assert record is not None
    [started] = [each for each in record.unwritten if each["event"] == "AttemptStarted"]

    assert started.get("releasedBy") == named
