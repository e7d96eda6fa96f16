"""Inputs: a decision's writes and status. Outputs: what the API server has afterwards."""

import pytest

from agentrollouts.adapters.cluster.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotServedError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import (
    ANNOTATION_ROLLBACK_MESSAGE,
    ANNOTATION_ROLLBACK_TRIGGER,
    ANNOTATION_ROLLED_BACK,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Deletion, Patch, Problem, Write
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.events import EventSender
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.workqueue import WorkQueue
from tests.shell.fakes import Effect, FakeApiServer, failing
from tests.shell.virtual import now, run

ROUTE = Ref("HTTPRoute", "support", "agent")
CONFIG = Ref("ConfigMap", "support", "agent-traffic")
ROLLOUT = Ref("AgentRollout", "support", "agent")


def an_object(ref: Ref, *, ours: bool = True, **fields: object) -> Manifest:
    """An object as we, or somebody else, would write it."""
    labels = {LABEL_MANAGED_BY: FIELD_MANAGER if ours else "helm"}
    owners = [{"kind": "AgentRollout", "name": "agent", "uid": "uid-of-rollout", "controller": True}]
    versions = {"HTTPRoute": "gateway.networking.k8s.io/v1", "ConfigMap": "v1"}
    return {
        "apiVersion": versions.get(ref.kind, "agentrollouts.dev/v1alpha1"),
        "kind": ref.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": labels,
            **({"ownerReferences": owners} if ours else {}),
        },
        **fields,
    }


WRITES = (
    Write(an_object(ROUTE, spec={"weight": 5}), FIELD_MANAGER),
    Write(an_object(CONFIG, data={"weight": "5"}), FIELD_MANAGER),
)


class Hands:
    """An actor on an API server of its own."""

    def __init__(self, api: FakeApiServer | None = None) -> None:
        self.api = api or FakeApiServer()
        self.cache = Cache()
        self.queue: WorkQueue[Ref] = WorkQueue(now)
        self.sender = EventSender(self.api)
        self.actor = Actor(self.api, self.cache, Intake(self.cache, self.queue), self.sender)


def test_writes_are_done_in_their_order_and_their_answers_are_known_at_once() -> None:
    """The next decision sees them, though the watch may tell of them much later."""

    async def scenario() -> None:
        hands = Hands()
        problem = await hands.actor.apply(WRITES)
        effects = [Effect("apply", "HTTPRoute agent"), Effect("apply", "ConfigMap agent-traffic")]
        assert (problem, hands.api.effects) == (None, effects)
        assert hands.cache.get(ROUTE) == hands.api.objects[ROUTE]

    run(scenario())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotServedError("no such kind"), Reason.GATEWAY_API_MISSING),
        (ForbiddenError("not allowed"), Reason.FORBIDDEN),
        (InvalidError("spec.hostnames: wrong"), Reason.WRITE_REFUSED),
        (UnavailableError("no answer"), Reason.WRITE_FAILED),
        (NotFoundError("no namespace"), Reason.WRITE_FAILED),
    ],
)
def test_a_write_that_fails_becomes_a_problem_and_the_next_one_is_done_all_the_same(
    error: ClusterError, reason: Reason
) -> None:
    """Agents that read the ConfigMap get their weights though the route cannot be written."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.on_write = failing(error, "apply", "HTTPRoute")
        assert await hands.actor.apply(WRITES) == Problem(reason, str(error))
        assert hands.api.objects.keys() == {CONFIG}
        assert hands.cache.unserved == ({"HTTPRoute"} if isinstance(error, NotServedError) else set())

    run(scenario())


def test_a_missing_kind_is_named_by_its_own_reason() -> None:
    """The Gateway API does not bring the kind FeatureFlag."""

    async def scenario() -> None:
        hands = Hands()
        error = NotServedError("no such kind")
        hands.api.on_write = failing(error, "apply", "FeatureFlag")
        flag = Write(an_object(ROUTE._replace(kind="FeatureFlag"), spec={"weight": 5}), FIELD_MANAGER)
        assert await hands.actor.apply((flag, WRITES[1])) == Problem(Reason.FEATURE_FLAG_MISSING, str(error))
        assert hands.api.objects.keys() == {CONFIG}

    run(scenario())


def test_of_several_failures_the_first_is_told() -> None:
    """It is about the write that moves requests."""

    async def scenario() -> None:
        hands = Hands()

        def fail(_verb: str, ref: Ref) -> None:
            raise ForbiddenError(ref.kind)

        hands.api.on_write = fail
        assert await hands.actor.apply(WRITES) == Problem(Reason.FORBIDDEN, "HTTPRoute")

    run(scenario())


def test_a_conflict_ends_the_writing() -> None:
    """What was decided no longer holds."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.on_write = failing(ConflictError("changed"), "apply", "HTTPRoute")
        with pytest.raises(ConflictError):
            await hands.actor.apply(WRITES)
        assert hands.api.objects == {}

    run(scenario())


@pytest.mark.parametrize(("ref", "reason"), [(ROUTE, Reason.ROUTE_NOT_OWNED), (CONFIG, Reason.NAME_TAKEN)])
def test_an_object_of_somebody_else_is_left_alone(ref: Ref, reason: Reason) -> None:
    """A name that is taken is told, and what is there stays as it is."""

    async def scenario() -> None:
        hands = Hands()
        theirs = hands.api.put(an_object(ref, ours=False, data={"theirs": "yes"}))
        problem = await hands.actor.apply(WRITES)
        assert problem == Problem(
            reason, f"{ref} exists and is owned by someone else; rename it or the rollout"
        )
        assert hands.api.objects[ref] == theirs

    run(scenario())


def test_our_own_object_that_the_watch_has_not_shown_yet_is_written() -> None:
    """After a restart we know what is ours by its label."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.put(an_object(ROUTE, spec={"weight": 0}))
        assert await hands.actor.apply(WRITES) is None
        assert hands.api.objects[ROUTE]["spec"] == {"weight": 5}

    run(scenario())


def test_what_is_known_is_not_asked_for_before_it_is_written() -> None:
    """A second write, such as the way back, is one call."""

    async def scenario() -> None:
        hands = Hands()
        await hands.actor.apply(WRITES)
        reads_before = len(hands.api.reads)
        await hands.actor.apply([Write(an_object(ROUTE, spec={"weight": 0}), FIELD_MANAGER)])
        assert len(hands.api.reads) == reads_before

    run(scenario())


THEIRS = Ref("HTTPRoute", "support", "shop")


def weighing(was: int, weight: int) -> Patch:
    """A patch of a weight that was read."""
    manifest = an_object(THEIRS, ours=False)
    return Patch(
        manifest,
        (
            {"op": "test", "path": "/spec/weight", "value": was},
            {"op": "add", "path": "/spec/weight", "value": weight},
        ),
    )


def test_a_patch_of_an_object_of_somebody_else_is_known_at_once() -> None:
    """Nobody asks whether it is ours, since only its weights are."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.put(an_object(THEIRS, ours=False, spec={"weight": 100, "filters": ["theirs"]}))
        assert await hands.actor.apply([weighing(100, 95)]) is None
        assert hands.api.objects[THEIRS]["spec"] == {"weight": 95, "filters": ["theirs"]}
        assert hands.cache.get(THEIRS) == hands.api.objects[THEIRS]

    run(scenario())


def test_a_patch_of_what_has_changed_since_is_a_conflict() -> None:
    """It is looked at again."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.put(an_object(THEIRS, ours=False, spec={"weight": 50}))
        with pytest.raises(ConflictError):
            await hands.actor.apply([weighing(100, 95)])
        assert hands.api.objects[THEIRS]["spec"] == {"weight": 50}

    run(scenario())


def test_what_is_wanted_no_more_is_deleted_and_not_known_any_longer() -> None:
    """In the version that was seen: a newer one is a conflict, and stays."""

    async def scenario() -> None:
        hands = Hands()
        older = hands.api.put(an_object(ROUTE, spec={"weight": 0}))
        hands.cache.put(older)
        newer = hands.api.put(an_object(ROUTE, spec={"weight": 1}))
        with pytest.raises(ConflictError):
            await hands.actor.apply([Deletion(older)])
        assert await hands.actor.apply([Deletion(newer)]) is None
        assert (hands.api.objects, hands.cache.get(ROUTE)) == ({}, None)

    run(scenario())


def on_version(ref: Ref, version: str) -> Write:
    """A write that is right only for this version of an object."""
    manifest = an_object(ref, spec={"weight": 5})
    return Write({**manifest, "metadata": manifest["metadata"] | {"resourceVersion": version}}, FIELD_MANAGER)


def test_a_write_on_an_old_version_changes_nothing() -> None:
    """What was decided rests on an old view, and with it perhaps all else: it is decided again."""

    async def scenario() -> None:
        hands = Hands()
        old = hands.api.put(an_object(ROUTE, spec={"weight": 50}))
        hands.cache.put(old)
        newest = hands.api.put(an_object(ROUTE, spec={"weight": 0}))
        with pytest.raises(ConflictError):
            await hands.actor.apply([on_version(ROUTE, old["metadata"]["resourceVersion"])])
        assert (hands.api.objects[ROUTE], hands.cache.get(ROUTE)) == (newest, newest)

    run(scenario())


def test_a_write_on_an_object_that_is_gone_makes_it_again() -> None:
    """A watch that was interrupted never tells of a deletion."""

    async def scenario() -> None:
        hands = Hands()
        old = hands.api.put(an_object(ROUTE, spec={"weight": 50}))
        hands.cache.put(old)
        hands.api.delete(ROUTE, tell=False)
        assert await hands.actor.apply([on_version(ROUTE, old["metadata"]["resourceVersion"])]) is None
        assert hands.api.objects[ROUTE]["spec"] == {"weight": 5}

    run(scenario())


MARK = {ANNOTATION_ROLLED_BACK: "7", ANNOTATION_ROLLBACK_TRIGGER: "Breach"}
REASON = {ANNOTATION_ROLLBACK_MESSAGE: "8 of 19 runs failed"}
REFUSED = InvalidError("metadata.annotations: Too long")


def a_rollback(ref: Ref) -> Write:
    """The way back on an object of ours, with its reason."""
    manifest = an_object(ref, spec={"weight": 0})
    return Write(
        {**manifest, "metadata": {**manifest["metadata"], "annotations": MARK | REASON}}, FIELD_MANAGER
    )


@pytest.mark.parametrize("ref", [ROUTE, CONFIG])
@pytest.mark.parametrize("error", [REFUSED, ForbiddenError("denied by policy"), InvalidError("400")])
@pytest.mark.parametrize(
    ("times", "annotations", "is_whole"), [(1, MARK, True), (2, None, False)], ids=["bare mark", "no mark"]
)
def test_a_rollback_that_is_refused_with_its_reason_is_written_without_it(
    ref: Ref, error: ClusterError, times: int, annotations: dict[str, str] | None, *, is_whole: bool
) -> None:
    """The weights are written whatever the text; only a write without the mark leaves a problem behind."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.on_write = failing(error, "apply", ref.kind, times=times)
        problem = await hands.actor.apply([a_rollback(ref)])
        reason = Reason.FORBIDDEN if isinstance(error, ForbiddenError) else Reason.WRITE_REFUSED
        assert problem == (None if is_whole else Problem(reason, str(error)))
        assert hands.api.objects[ref]["spec"] == {"weight": 0}
        assert hands.api.objects[ref]["metadata"].get("annotations") == annotations

    run(scenario())


@pytest.mark.parametrize("ref", [ROUTE, CONFIG])
@pytest.mark.parametrize(("weight", "is_done"), [(0, True), (50, False)])
def test_a_rollback_that_an_admission_webhook_turns_into_something_else_is_a_problem(
    ref: Ref, weight: int, *, is_done: bool
) -> None:
    """It calls that a success; what it adds beside the weights does not matter."""

    def mutate(manifest: Manifest) -> Manifest:
        labels = {**manifest["metadata"]["labels"], "team": "a"}
        spec = {"weight": weight, "added": "by a webhook"}
        return {**manifest, "metadata": {**manifest["metadata"], "labels": labels}, "spec": spec}

    async def scenario() -> None:
        hands = Hands()
        hands.api.mutate = mutate
        what = f"{ref} is stored with other content than was written; does an admission webhook change it?"
        problem = None if is_done else Problem(Reason.WRITE_REFUSED, what)
        assert await hands.actor.apply([a_rollback(ref)]) == problem
        seen = hands.cache.get(ref)
        assert seen is not None
        assert seen["spec"]["weight"] == weight

    run(scenario())


@pytest.mark.parametrize(("weight", "is_done"), [(0, True), (50, False)])
def test_so_is_a_patch_of_a_route_of_someone_else(weight: int, *, is_done: bool) -> None:
    """The weights are compared one by one."""
    claim = {
        "op": "add",
        "path": "/metadata/annotations",
        "value": {"agent.agentrollouts.dev/split": '{"rolledBack":7,"trigger":"Breach","uid":"u"}'},
    }
    path = "/spec/rules/0/backendRefs/1/weight"
    patch = Patch(an_object(ROUTE), ({"op": "add", "path": path, "value": 0}, claim))
    backends = [{"name": "one", "weight": 100}, {"name": "two", "weight": weight}]
    stored = an_object(ROUTE, spec={"rules": [{"backendRefs": backends}]})

    class Mutating(FakeApiServer):
        async def patch(self, ref: Ref, operations: object) -> Manifest:
            assert (ref, operations) == (ROUTE, patch.operations)
            return {**stored, "metadata": {**stored["metadata"], "resourceVersion": "3"}}

    async def scenario() -> Problem | None:
        hands = Hands(Mutating())
        return await hands.actor.apply([patch])

    assert (run(scenario()) is None) is is_done


def test_a_write_whose_outcome_is_unknown_is_not_repeated_with_less() -> None:
    """An overloaded API server is left in peace; the whole write is tried again at the next look."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.on_write = failing(UnavailableError("no answer"), "apply", "HTTPRoute")
        assert await hands.actor.apply([a_rollback(ROUTE)]) == Problem(Reason.WRITE_FAILED, "no answer")
        assert hands.api.count("apply") == 0

    run(scenario())


def test_a_patch_that_is_refused_with_its_claim_moves_the_traffic_all_the_same() -> None:
    """On a route of someone else the weights are written without the sentence, then without the claim."""
    claim = '{"message":"8 of 19 runs failed","rolledBack":7,"rule":"agent","trigger":"Breach","uid":"u"}'
    key = "/metadata/annotations/agent.agentrollouts.dev~1split"
    weight = {"op": "add", "path": "/spec/weight", "value": 0}
    patch = Patch(an_object(ROUTE), (weight, {"op": "add", "path": key, "value": claim}))

    async def scenario(times: int) -> tuple[Problem | None, Manifest]:
        hands = Hands()
        hands.api.put(an_object(ROUTE, ours=False, spec={"weight": 20}))
        stored = hands.api.objects[ROUTE]
        hands.api.put({**stored, "metadata": {**stored["metadata"], "annotations": {"theirs": "1"}}})
        hands.api.on_write = failing(REFUSED, "patch", "HTTPRoute", times=times)
        return await hands.actor.apply([patch]), hands.api.objects[ROUTE]

    for times, problem, annotations in (
        (1, None, {"agent.agentrollouts.dev/split": claim.replace('"message":"8 of 19 runs failed",', "")}),
        (2, Problem(Reason.WRITE_REFUSED, str(REFUSED)), {}),
    ):
        outcome, route = run(scenario(times))
        assert (outcome, route["spec"]) == (problem, {"weight": 0})
        assert route["metadata"]["annotations"] == {"theirs": "1"} | annotations


SNAPSHOT = Ref("ConfigMap", "support", "agent-1234")
MADE: Manifest = {"immutable": True, "data": {"bundle.json": "{}", "release.json": "one"}}


@pytest.mark.parametrize(
    ("there", "data"),
    [
        (MADE, MADE["data"]),
        (MADE | {"data": {"bundle.json": "{}", "release.json": "two"}}, None),
        (MADE | {"data": {"bundle.json": "[]"}}, "refused"),
        ({"data": MADE["data"]}, "refused"),
    ],
    ids=["the same", "of another release", "other content", "mutable"],
)
def test_a_snapshot_is_adopted_only_if_it_is_immutable_and_equal(there: Manifest, data: object) -> None:
    """Whatever its labels are; what cannot change of it is not written."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.put(an_object(SNAPSHOT, ours=False, **there))
        write = Write(an_object(SNAPSHOT, **MADE), "agentrollouts-snapshot-uid")
        problem = await hands.actor.apply([write])
        if data == "refused":
            assert (problem and problem.reason, hands.api.count("apply")) == (Reason.NAME_TAKEN, 0)
        else:
            assert problem is None
            labels = hands.api.objects[SNAPSHOT]["metadata"]["labels"]
            assert labels == {LABEL_MANAGED_BY: FIELD_MANAGER}
            assert hands.api.objects[SNAPSHOT]["data"] == there["data"]

    run(scenario())


@pytest.mark.parametrize("is_known", [False, True])
def test_a_write_of_what_is_known_to_be_ours_reads_nothing(*, is_known: bool) -> None:
    """Someone has taken all marks from the object; any other write is refused then."""

    async def scenario() -> None:
        hands = Hands()
        hands.api.put(an_object(CONFIG, ours=False, data={"weight": "50"}))
        write = Write(an_object(CONFIG, data={"weight": "0"}), FIELD_MANAGER, is_known=is_known)
        problem = await hands.actor.apply([write])
        assert (problem is None, hands.api.objects[CONFIG]["data"]) == (
            is_known,
            {"weight": "0" if is_known else "50"},
        )
        assert hands.api.reads == ([] if is_known else [CONFIG])

    run(scenario())


def test_what_refuses_a_write_is_seen_though_no_watch_shows_it() -> None:
    """It has lost our label and is immutable: the next decision deletes the version that is read here."""

    async def scenario() -> None:
        hands = Hands()
        made = hands.api.put(an_object(CONFIG, immutable=True, data={"weight": "50"}))
        hands.cache.put(made)
        hands.cache.drop(made)
        hands.api.on_write = failing(InvalidError("data: field is immutable"), "apply", "ConfigMap")
        write = Write(an_object(CONFIG, data={"weight": "0"}), FIELD_MANAGER, is_known=True)
        assert await hands.actor.apply([write]) is not None
        config_map = hands.cache.get(CONFIG)
        assert config_map is not None
        assert config_map["immutable"] is True
