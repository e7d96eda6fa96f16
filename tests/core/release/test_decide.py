from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease, AgentReleaseStatus, SnapshotRef
from agentrollouts.core.conditions import READY, condition
from agentrollouts.core.effects import Event, Problem
from agentrollouts.core.release.bundle import read_bundle
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.decide import ReleaseDecision, ReleaseObservation, decide_release
from agentrollouts.core.release.diff import diff
from agentrollouts.core.release.snapshot import Snapshot, owner_write, snapshot_name, snapshot_write
from agentrollouts.core.release.standing import reads
from testkit.properties import usually
from tests.core.release.releases import SMALL, a_release, bundle_of, stored, with_part

NOW = datetime(2026, 11, 21, 13, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
BUNDLE = bundle_of()
NAME = "support-agent-391c0d796c6e7474"
MESSAGE = f"2 components, {BUNDLE.digest}, are in ConfigMap {NAME}"
REFERRING = with_part("guardrails", configMapRef={"name": "rules"})
RULES = {"rules": ConfigMapData({"limits": "none"})}


def said(
    reason: Reason = Reason.MATERIALIZED,
    message: str = MESSAGE,
    *,
    since: datetime = NOW,
    generation: int = 1,
) -> tuple[Condition, ...]:
    """The conditions: Ready of a materialized release; else it waits for an object, or for a person."""
    yes, no = ConditionStatus.TRUE, ConditionStatus.FALSE
    is_ready = reason is Reason.MATERIALIZED
    waits = reason in {Reason.REFERENCE_MISSING, Reason.WRITE_FAILED}
    word, settled, free = (reason, message), (Reason.SETTLED, ""), (Reason.NOT_STALLED, "")
    rows = (
        (READY, yes if is_ready else no, *word),
        ("Reconciling", *((yes, *word) if waits else (no, *settled))),
        ("Stalled", *((no, *free) if is_ready or waits else (yes, *word))),
    )
    return tuple(
        condition(kind, status, why, text, generation=generation, now=since)
        for kind, status, why, text in rows
    )


def settled(*, since: datetime = NOW) -> AgentReleaseStatus:
    """The status of the small release once it is materialized."""
    return AgentReleaseStatus(
        observed_generation=1,
        digest=BUNDLE.digest,
        component_digests=BUNDLE.component_digests,
        snapshot=SnapshotRef(name=NAME),
        conditions=said(since=since),
    )


def refused(reason: Reason, message: str, *, since: datetime = NOW) -> AgentReleaseStatus:
    """The status of a release that was never materialized."""
    return AgentReleaseStatus(observed_generation=1, conditions=said(reason, message, since=since))


def decide(release: AgentRelease, **world: Any) -> ReleaseDecision:  # noqa: ANN401  fields of the observation
    """Decide as of `NOW`."""
    return decide_release(ReleaseObservation(now=NOW, release=release, **world))


def carried_out(observation: ReleaseObservation, decision: ReleaseDecision) -> ReleaseObservation:
    """The world after a decision was carried out as the API server carries it out."""
    release, snapshots = observation.release, list(observation.snapshots)
    for write in decision.writes:
        name = write.manifest["metadata"]["name"]
        there = next((shot for shot in snapshots if shot.metadata.name == name), None)
        if there is None:
            snapshots.append(stored(write.manifest, release, uid=f"uid-of-{name}"))
        else:
            metadata = there.metadata.replace(
                owner_references=(
                    *there.metadata.owner_references,
                    *write.manifest["metadata"]["ownerReferences"],
                ),
                annotations={
                    **there.metadata.annotations,
                    **write.manifest["metadata"].get("annotations", {}),
                },
            )
            snapshots[snapshots.index(there)] = replace(there, metadata=metadata)
    if decision.status is not None:
        release = release.replace(status=decision.status)
    return replace(observation, release=release, snapshots=tuple(snapshots), problem=None)


def test_new_release_is_materialised_in_one_step() -> None:
    """The first look writes the snapshot, then the whole status, then says so once."""
    assert decide(a_release()) == ReleaseDecision(
        writes=(snapshot_write(a_release(), BUNDLE),),
        status=settled(),
        events=(Event(Reason.MATERIALIZED, MESSAGE),),
    )


def test_materialised_release_needs_nothing() -> None:
    """With status, snapshot and owner in place nothing is written, said or waited for."""
    release = a_release(status=settled(since=EARLIER))
    snapshot = stored(snapshot_write(release, BUNDLE).manifest, release)

    assert decide(release, snapshots=(snapshot,)) == ReleaseDecision()


@pytest.mark.parametrize(
    ("components", "name"),
    [
        (with_part("prompt", inline={"system": "Be rude."}), "prompt"),
        (with_part("prompt", inline={"rule": "Be kind."}), "prompt"),
        (with_part("prompt", inline={"system": "Be kind.", "more": {"deep": [1]}}), "prompt"),
        (with_part("tools", items=[]), "tools"),
    ],
)
def test_edited_content_is_refused_while_the_old_content_stays(components: dict[str, Any], name: str) -> None:
    """The API server cannot see into content, so the release says it; digest and snapshot stay."""
    release = a_release(components, status=settled(since=EARLIER), metadata={"generation": 2})
    snapshot = stored(snapshot_write(a_release(), BUNDLE).manifest, release)
    message = (
        f"spec.components.{name} was changed after support-agent-4.2.0 was created; agents still read"
        f" {BUNDLE.digest} from ConfigMap {snapshot.metadata.name}; restore the old content, or "
        "create a new AgentRelease"
    )

    decision = decide(release, snapshots=(snapshot,))

    assert decision.status is not None
    assert (decision.status.digest, decision.status.snapshot) == (settled().digest, settled().snapshot)
    ready, _, stalled = decision.status.conditions
    assert [(reported.status, reported.reason, reported.message) for reported in (ready, stalled)] == [
        ("False", Reason.NAME_REUSED, message),
        ("True", Reason.NAME_REUSED, message),
    ]
    assert decision.events == (Event(Reason.NAME_REUSED, message, is_warning=True),)
    healed = release.replace(spec=a_release().spec, status=decision.status)
    again = decide(healed, snapshots=(snapshot,))
    assert again.events == (Event(Reason.MATERIALIZED, MESSAGE),)


@pytest.mark.parametrize(
    "prompt", [{"system": "Be kind.", "tone": None}, {"system": "Be kind."}], ids=["null", "no field"]
)
@pytest.mark.parametrize("first", [{"tone": None}, {}], ids=["null first", "no field first"])
def test_a_null_that_comes_or_goes_is_not_an_edit(prompt: dict[str, Any], first: dict[str, Any]) -> None:
    """A file that is applied client-side and then server-side, or the other way, is the same release."""
    made = a_release(with_part("prompt", inline={"system": "Be kind."} | first))
    snapshot = stored(snapshot_write(made, BUNDLE).manifest, made)
    release = a_release(with_part("prompt", inline=prompt), status=settled(since=EARLIER))

    assert decide(release, snapshots=(snapshot,)) == ReleaseDecision()


def test_a_snapshot_made_with_nulls_still_belongs_to_its_release() -> None:
    """A snapshot that an earlier version wrote with null fields is neither an edit nor another digest."""
    text = BUNDLE.text.replace('{"system":"Be kind."}', '{"system":"Be kind.","tone":null}')
    old = read_bundle(text)
    status = settled(since=EARLIER).replace(
        digest=old.digest,
        component_digests=old.component_digests,
        snapshot=SnapshotRef(name=snapshot_name("support-agent", old.digest)),
    )
    release = a_release(with_part("prompt", inline={"system": "Be kind.", "tone": None}), status=status)
    snapshot = stored(snapshot_write(release, old).manifest, release)

    decision = decide(release, snapshots=(snapshot,))

    assert decision.writes == ()
    assert decision.status is None or decision.status.digest == old.digest
    assert [event for event in decision.events if event.is_warning] == []


DOUBTFUL = with_part("prompt", inline={"system": "Connect with postgres://bot:sunshine@db/orders"})
REFERRED = with_part("guardrails", configMapRef={"name": "rules"})


@pytest.mark.parametrize(
    ("components", "config_maps", "path"),
    [
        (DOUBTFUL, {}, "spec.components.prompt.inline.system"),
        (
            REFERRED,
            {"rules": ConfigMapData({"dsn": "postgres://bot:sunshine@db/orders"})},
            "spec.components.guardrails.configMapRef.dsn",
        ),
    ],
)
def test_what_may_be_a_credential_is_a_warning(
    components: dict[str, Any], config_maps: dict[str, ConfigMapData], path: str
) -> None:
    """The release is ready; condition and one Event name the field, until its author says that it is none."""
    first = ReleaseObservation(now=NOW, release=a_release(components), config_maps=config_maps)
    decision = decide_release(first)
    after = carried_out(first, decision)
    warning = (
        f"{path} might contain a password in a URL; check it, and list the path in annotation"
        " agentrollouts.dev/allow-credential-like if it does not"
    )

    ready = after.release.status.conditions[0]
    assert (ready.status, ready.reason) == ("True", Reason.MATERIALIZED)
    assert ready.message.endswith(f". Warning: {warning}")
    assert decision.events[1:] == (Event(Reason.LOOKS_LIKE_CREDENTIAL, warning, is_warning=True),)
    assert decide_release(replace(after, config_maps={})) == ReleaseDecision()
    annotations = {"agentrollouts.dev/allow-credential-like": path}
    metadata = after.release.metadata.replace(annotations=annotations)
    silenced = decide_release(replace(after, release=after.release.replace(metadata=metadata)))
    assert silenced.status is not None
    assert "Warning" not in silenced.status.conditions[0].message


def test_references_are_read_once() -> None:
    """Once materialized, nothing is read, and other content of the ConfigMap changes nothing."""
    first = ReleaseObservation(now=NOW, release=a_release(REFERRING), config_maps=RULES)
    after = carried_out(first, decide_release(first))
    changed = replace(after, config_maps={"rules": ConfigMapData({"limits": "many"})})

    assert (reads(first.release, ()), reads(after.release, after.snapshots)) == (
        ("rules",),
        (after.snapshots[0].metadata.name,),
    )
    assert decide_release(changed) == ReleaseDecision()


def test_missing_reference_waits_and_heals() -> None:
    """A missing ConfigMap is a condition and a time to look again; when it comes, the release is Ready."""
    release = a_release(REFERRING)
    path = "spec.components.guardrails.configMapRef"
    message = f"{path} names ConfigMap rules, which is not in this namespace; create it"
    first = decide(release)

    assert first == ReleaseDecision(
        status=refused(Reason.REFERENCE_MISSING, message),
        events=(Event(Reason.REFERENCE_MISSING, message, is_warning=True),),
        wake_at=NOW + timedelta(seconds=5),
    )
    assert first.status is not None
    healed = decide(release.replace(status=first.status), config_maps=RULES)
    assert (healed.status and healed.status.conditions[0].reason, healed.wake_at) == (
        Reason.MATERIALIZED,
        None,
    )


@pytest.mark.parametrize(
    ("waited", "pause"),
    [(0, 5), (4, 5), (5, 5), (60, 60), (299, 299), (86_400, 300)],
)
def test_distance_between_two_looks_doubles(waited: int, pause: int) -> None:
    """What has been missing for long is looked for less often, between five seconds and five minutes."""
    status = refused(Reason.REFERENCE_MISSING, "...", since=NOW - timedelta(seconds=waited))

    assert decide(a_release(REFERRING, status=status)).wake_at == NOW + timedelta(seconds=pause)


def test_mistake_in_the_spec_is_said_once_and_not_looked_at_again() -> None:
    """A release whose own text is wrong can only be replaced: nothing is waited for."""
    release = a_release(with_part("knowledge", artifact={"uri": "s3://kb"}))
    first = decide(release)
    assert first.status is not None
    assert (first.writes, first.wake_at, len(first.events)) == ((), None, 1)

    assert decide(release.replace(status=first.status)) == ReleaseDecision()


def test_lost_snapshot_is_written_again() -> None:
    """A snapshot that somebody deleted comes back, as long as its content does."""
    release = a_release(status=settled())

    assert decide(release) == ReleaseDecision(writes=(snapshot_write(release, BUNDLE),))


def test_lost_snapshot_with_other_content_is_not_replaced() -> None:
    """A digest that was told is never taken back: the status keeps it, and says what happened."""
    first = ReleaseObservation(now=EARLIER, release=a_release(REFERRING), config_maps=RULES)
    kept = carried_out(first, decide_release(first)).release
    new = bundle_of(REFERRING, {"rules": ConfigMapData({"limits": "many"})})

    decision = decide(kept, config_maps={"rules": ConfigMapData({"limits": "many"})})

    message = (
        f"The snapshot of {kept.status.digest} is gone, and the content that the release refers to is now"
        f" {new.digest}; restore the old content, or create a release with a new name"
    )
    ready, _, stalled = said(Reason.NAME_REUSED, message)
    assert decision == ReleaseDecision(
        status=kept.status.replace(conditions=(ready, kept.status.conditions[1], stalled)),
        events=(Event(Reason.NAME_REUSED, message, is_warning=True),),
        wake_at=NOW + timedelta(seconds=5),
    )


@pytest.mark.parametrize("shared", [False, True])
def test_name_is_one_behavior_for_ever(*, shared: bool) -> None:
    """A name that was used for other content is refused, be it as the maker of a snapshot or as a sharer."""
    old = a_release(with_part("prompt", version="0.9.0"), name="maker" if shared else "support-agent-4.2.0")
    bundle = bundle_of(with_part("prompt", version="0.9.0"))
    manifest = dict(snapshot_write(old, bundle).manifest)
    if shared:
        snapshot = stored(manifest, old)
        mark = owner_write(snapshot.metadata, a_release()).manifest["metadata"]["annotations"]
        manifest["metadata"] = {**manifest["metadata"], "annotations": mark}
    snapshot = stored(manifest)

    message = (
        f"The name support-agent-4.2.0 was used for {bundle.digest}, in ConfigMap"
        f" {snapshot.metadata.name}, and"
        f" this is {BUNDLE.digest}; give the release a new name"
    )
    assert decide(a_release(), snapshots=(snapshot,)) == ReleaseDecision(
        status=refused(Reason.NAME_REUSED, message),
        events=(Event(Reason.NAME_REUSED, message, is_warning=True),),
        wake_at=NOW + timedelta(seconds=5),
    )


def test_same_content_under_another_name_shares_the_snapshot() -> None:
    """The data are not written again; the second release becomes an owner."""
    maker, second = a_release(), a_release(name="support-agent-4.2.1")
    snapshot = stored(snapshot_write(maker, BUNDLE).manifest, maker)

    assert decide(second, snapshots=(snapshot,)) == ReleaseDecision(
        writes=(owner_write(snapshot.metadata, second),),
        status=settled(),
        events=(Event(Reason.MATERIALIZED, MESSAGE),),
    )


def test_release_that_comes_back_owns_its_snapshot_again() -> None:
    """A release that is deleted and applied again owns the snapshot that a rollout kept meanwhile."""
    before, after = a_release(), a_release(metadata={"uid": "another"})
    snapshot = stored(snapshot_write(before, BUNDLE).manifest)

    decision = decide(after, snapshots=(snapshot,))

    assert (decision.writes, decision.status) == ((owner_write(snapshot.metadata, after),), settled())


def test_status_that_was_lost_is_made_again() -> None:
    """A lost status is resolved anew, and comes to the same snapshot."""
    first = ReleaseObservation(now=NOW, release=a_release(REFERRING), config_maps=RULES)
    after = carried_out(first, decide_release(first))
    lost = a_release(REFERRING)

    assert reads(lost, after.snapshots) == ("rules",)
    again = decide(lost, config_maps=RULES, snapshots=after.snapshots)
    assert (again.writes, again.status) == ((), after.release.status)


def test_a_config_map_that_names_the_release_as_its_owner_proves_nothing() -> None:
    """A bundle without guardrails that was put there before is not what the release becomes."""
    forged = stored(snapshot_write(a_release(REFERRING), BUNDLE).manifest, a_release(REFERRING))
    whole = bundle_of(REFERRING, RULES)

    decision = decide(a_release(REFERRING), config_maps=RULES, snapshots=(forged,))

    message = (
        f"The name support-agent-4.2.0 was used for {BUNDLE.digest}, in ConfigMap {NAME}, and this is "
        f"{whole.digest}; give the release a new name"
    )
    assert (decision.writes, decision.status) == ((), refused(Reason.NAME_REUSED, message))


@pytest.mark.parametrize("digest", [None, BUNDLE.digest])
@pytest.mark.parametrize(
    ("change", "what"),
    [({"data": {"bundle.json": "{}"}}, "with other content"), ({"immutable": False}, "and is not immutable")],
)
def test_config_map_in_the_way(digest: str | None, change: dict[str, Any], what: str) -> None:
    """A snapshot of the right name with other content, or with one that can change, is left alone."""
    manifest = snapshot_write(a_release(name="maker"), BUNDLE).manifest
    wrong = stored({**manifest, **change})
    release = a_release(status=settled()) if digest else a_release()

    decision = decide(release, snapshots=(wrong,))

    message = f"ConfigMap {NAME} exists {what}; delete it, and the operator writes it again"
    status = settled() if digest else AgentReleaseStatus(observed_generation=1)
    expected = status.replace(conditions=said(Reason.NAME_TAKEN, message))
    assert (decision.writes, decision.status) == ((), expected)


def test_failed_write_is_said_and_tried_again() -> None:
    """What kept the snapshot from being written is the reason; the write is asked for again, later."""
    problem = Problem(Reason.FORBIDDEN, "The operator may not create ConfigMaps in support")

    assert decide(a_release(), problem=problem) == ReleaseDecision(
        writes=(snapshot_write(a_release(), BUNDLE),),
        status=refused(problem.reason, problem.message),
        events=(Event(problem.reason, problem.message, is_warning=True),),
        wake_at=NOW + timedelta(seconds=5),
    )


def test_failed_write_of_an_owner_does_not_take_back_ready() -> None:
    """A snapshot that is there serves, also while its owner cannot be written; that is tried again later."""
    release = a_release(status=settled(since=EARLIER))
    snapshot = stored(snapshot_write(release, BUNDLE).manifest)
    problem = Problem(Reason.WRITE_FAILED, "The API server does not answer")

    assert decide(release, snapshots=(snapshot,), problem=problem) == ReleaseDecision(
        writes=(owner_write(snapshot.metadata, release),), wake_at=NOW + timedelta(seconds=5)
    )


def test_deleted_release_asks_for_nothing() -> None:
    """A release that is going does not bring its snapshot back."""
    assert decide(a_release(metadata={"deletionTimestamp": NOW})) == ReleaseDecision()


@pytest.mark.parametrize("late", [False, True])
def test_diff_against_the_parent(*, late: bool) -> None:
    """The diff is told when the parent's snapshot is known, be it before the release or after."""
    parent = a_release(with_part("prompt", version="0.9.0"), name="parent")
    old = bundle_of(with_part("prompt", version="0.9.0"))
    snapshot = stored(snapshot_write(parent, old).manifest, parent)
    observation = ReleaseObservation(now=NOW, release=a_release(parent={"name": "parent"}))
    if late:
        observation = carried_out(observation, decide_release(observation))
    observation = replace(observation, snapshots=(*observation.snapshots, snapshot))

    after = carried_out(observation, decide_release(observation))

    assert after.release.status == settled().replace(diff=diff(old.text, BUNDLE.text))
    gone = replace(after, snapshots=tuple(shot for shot in after.snapshots if shot is not snapshot))
    assert decide_release(gone) == ReleaseDecision()


def test_new_generation_is_told() -> None:
    """A new generation moves observedGeneration, here and in the condition, and neither time nor Events."""
    release = a_release(status=settled(since=EARLIER), metadata={"generation": 2})
    snapshot = stored(snapshot_write(release, BUNDLE).manifest, release)
    conditions = said(since=EARLIER, generation=2)

    assert decide(release, snapshots=(snapshot,)) == ReleaseDecision(
        status=settled().replace(observed_generation=2, conditions=conditions)
    )


@usually(200)
@given(
    steps=st.lists(
        st.sampled_from(
            ["look", "delete snapshot", "drop owners", "change content", "remove content", "fail"]
        ),
        max_size=12,
    ),
    components=st.sampled_from([SMALL, REFERRING, with_part("knowledge", artifact={"uri": "s3://kb"})]),
)
@example(steps=["fail", "change content"], components=REFERRING)  # the name belongs to the first content
def test_fixed_point_and_a_digest_that_stays(steps: list[str], components: dict[str, Any]) -> None:
    """After any disturbances two more looks leave nothing to do, and a digest once told never changes.

    Nor is there a second one: a snapshot that was written before anything was told keeps the name.
    """
    world = ReleaseObservation(now=NOW, release=a_release(components), config_maps=RULES)
    digests: set[str] = set()
    for step in [*steps, "look", "look"]:
        world = disturbed(world, step)
        world = carried_out(world, decide_release(world))
        digests |= {world.release.status.digest} - {None}  # type: ignore[arg-type]  # None is taken out

    end = decide_release(world)

    assert (end.writes, end.status, end.events) == ((), None, ())
    assert len(digests | {snapshot.digest for snapshot in world.snapshots}) <= 1


def disturbed(world: ReleaseObservation, step: str) -> ReleaseObservation:
    """The world after somebody did something to it."""
    match step:
        case "delete snapshot":
            return replace(world, snapshots=())
        case "drop owners":
            return replace(world, snapshots=tuple(map(_orphaned, world.snapshots)))
        case "change content":
            return replace(world, config_maps={"rules": ConfigMapData({"limits": "many"})})
        case "remove content":
            return replace(world, config_maps={"rules": None})
        case "fail":
            return replace(world, problem=Problem(Reason.WRITE_FAILED, "The API server does not answer"))
    return world


def _orphaned(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, metadata=snapshot.metadata.replace(owner_references=()))
