"""Inputs: what endpoints respond, and when processes end. Outputs: requests, hooks, attempts and traffic."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import HookState, HookStatus, Moment
from agentrollouts.core.recovery.hooks.response import Call, Response
from testkit.builders.names import NEW, NEXT, OLD, service_of
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world
from tests.stories.test_hooks import (
    BAD,
    PLAN,
    RESTORE,
    environment,
    ready,
    recovered,
    rolled_back,
    states,
    times_of_a_rollback,
)

ENDPOINT: Final = {"webhook": {"endpoint": "crm"}}
NOTIFY: Final[dict[str, Any]] = {"name": "notify", "at": "BeforeTraffic", **ENDPOINT}
REFUND: Final[dict[str, Any]] = {"name": "refund", "at": "AfterRollback", **ENDPOINT}


def a_world_with(*hooks: dict[str, Any], responses: Iterator[Response] | None = None) -> World:
    """`OLD` serves, the plan has these hooks, and endpoints respond this, in turn; or accept everything."""
    world = a_world(a_rollout(**{**PLAN, "hooks": list(hooks)}).serving(OLD), OLD)
    if responses is not None:
        world.webhooks.respond = lambda _: next(responses)
    return world


def called(world: World) -> World:
    """The same, until the first request is made."""
    world.ship(NEW)
    world.run_until(State.CANARY)
    world.agents[NEW] = BAD
    while not world.webhooks.received:
        world.run(1)
    return world


def entry(world: World, name: str = "refund") -> HookStatus:
    """The only entry of a hook."""
    [found] = [each for each in world.status.hooks if each.name == name]
    return found


def numbers(calls: list[Call]) -> list[int]:
    """The numbers of the tries."""
    return [call.key.number for call in calls]


def test_endpoints_are_called_before_traffic_and_after_a_rollback() -> None:
    """Each once, with the input of the hook; the attempt waits for the first, and hooks keep their order."""
    world = a_world_with(NOTIFY, REFUND, RESTORE)
    world.ship(NEW)
    world.settle()
    assert (world.state, world.shares()[OLD]) == (State.PENDING, 100)
    assert ready(world)[0] == Reason.HOOKS_RUNNING
    assert "Hook notify of attempt 2 runs as a request to endpoint crm" in ready(world)[1]
    world.run_until(State.CANARY)
    world.agents[NEW] = BAD
    world.run_until(State.ROLLED_BACK)
    world.run(300)

    notify, refund = world.webhooks.received
    assert states(world) == {"notify 2": "Succeeded", "refund 2": "Succeeded", "restore 2": "Succeeded"}
    assert recovered(world) == (ConditionStatus.TRUE, Reason.DATA_RECOVERED)
    before, after = json.loads(notify.body), json.loads(refund.body)
    assert before["canaryUrl"] == f"http://{service_of(NEW)}.support.svc:8080"
    assert (before["at"], after["at"]) == ("BeforeTraffic", "AfterRollback")
    assert (after["bad"]["release"], after["good"]["release"]) == (NEW, OLD)
    assert after["window"]["isFinal"] is True
    assert (after["key"], after["try"]) == (refund.key.id, refund.key.number)
    assert before["attemptKey"] == after["attemptKey"] == after["key"].removesuffix("/refund")
    assert world.told(Reason.HOOK_STARTED)[:2] == [
        "Hook notify of attempt 2: try 1 is a request to endpoint crm",
        "Hook refund of attempt 2: try 1 is a request to endpoint crm",
    ]


def test_what_fails_for_now_is_repeated_with_pauses_and_one_key() -> None:
    """408, 429, 5xx and no response at all; then it succeeds, and nothing is left of the failures."""
    given = [Response(408), Response(429), Response(503, "busy"), Response(text="could not be reached")]
    world = a_world_with(REFUND, responses=iter([*given, Response(204)]))
    called(world)
    begun = entry(world).start_time
    world.run(15)
    waiting = entry(world)
    assert (waiting.state, waiting.tries) == (HookState.WAITING, 2)
    assert waiting.webhook is not None
    assert waiting.webhook.next_time is not None
    assert (waiting.message, waiting.webhook.requests) == ("Endpoint crm responded 429", 2)
    assert f"its next request at {waiting.webhook.next_time:%H:%M:%S} UTC" in recovered_message(world)
    world.run(600)

    done, calls = entry(world), world.webhooks.received
    assert (done.state, done.tries, done.message, done.start_time) == (HookState.SUCCEEDED, 5, "", begun)
    assert done.webhook is not None
    assert done.webhook.next_time is None
    assert len({call.key.id for call in calls}) == 1
    assert numbers(calls) == [1, 2, 3, 4, 5]
    assert done.end_time is not None
    assert begun is not None
    assert done.end_time - begun == timedelta(seconds=10 + 30 + 90 + 270 + 5)


def recovered_message(world: World) -> str:
    """What the condition DataRecovered says."""
    return next(each.message for each in world.status.conditions if each.type == "DataRecovered")


@pytest.mark.parametrize(
    ("response", "requests", "message"),
    [
        (Response(503, "busy"), 5, 'Endpoint crm responded 503: "busy"; it was request 5 of 5'),
        (Response(400, "no such run"), 1, 'Endpoint crm responded 400: "no such run"'),
        (Response(410), 1, "Endpoint crm responded 410"),
        (Response(302), 1, "Endpoint crm responded 302, and redirects are not followed"),
        (
            Response(text="did not respond within 30 s"),
            5,
            "Endpoint crm did not respond within 30 s; it was request 5 of 5",
        ),
    ],
    ids=["503", "400", "410", "302", "no response"],
)
def test_what_fails_for_good_waits_for_a_person(response: Response, requests: int, message: str) -> None:
    """The next attempt waits, until someone runs the hook again: another series, with the same key."""
    world = a_world_with(REFUND)
    world.webhooks.respond = lambda _: response
    rolled_back(world)
    world.run(900)
    failed = entry(world)
    assert (failed.state, failed.tries, failed.message) == (HookState.FAILED, requests, message)
    assert recovered(world) == (ConditionStatus.FALSE, Reason.HOOK_FAILED)
    world.ship(NEXT)
    world.run(30)
    assert (world.state, ready(world)[0]) == (State.PENDING, Reason.HOOK_FAILED)

    world.act(ActionType.REDO_HOOK, attempt=2, hook="refund")
    world.run(900)
    again = entry(world)
    assert (again.state, again.tries) == (HookState.FAILED, 2 * requests)
    world.webhooks.respond = lambda _: Response(200)
    world.act(ActionType.REDO_HOOK, attempt=2, hook="refund", name="again")
    world.run(60)
    assert (entry(world).state, world.state) == (HookState.SUCCEEDED, State.CANARY)
    assert {call.key.id for call in world.webhooks.received} == {world.webhooks.received[0].key.id}
    assert numbers(world.webhooks.received) == [*range(1, 2 * requests + 2)]


def test_no_request_begins_after_the_time_of_the_hook() -> None:
    """With 60 s, three requests that fail at once; the last of them says so."""
    world = a_world_with(REFUND | {"timeoutSeconds": 60})
    world.webhooks.respond = lambda _: Response(500)
    rolled_back(world)
    world.run(600)
    failed = entry(world)
    assert (failed.state, failed.tries) == (HookState.FAILED, 3)
    assert failed.message == "Endpoint crm responded 500; the next request would be later than 60 s"


def test_a_request_has_no_more_time_than_its_hook() -> None:
    """And at most 30 s."""
    world = a_world_with(NOTIFY | {"timeoutSeconds": 5}, REFUND)
    rolled_back(world)
    world.run(60)
    assert [call.seconds for call in world.webhooks.received] == [5, 30]


def test_a_hook_that_waits_for_its_next_request_can_be_waived() -> None:
    """Then nothing is requested anymore."""
    world = a_world_with(REFUND)
    world.webhooks.respond = lambda _: Response(500)
    rolled_back(world)
    world.run(20)
    assert entry(world).state is HookState.WAITING
    made = len(world.webhooks.received)
    world.act(ActionType.WAIVE_HOOK, attempt=2, hook="refund")
    world.run(900)
    waived = entry(world)
    assert (waived.state, len(world.webhooks.received)) == (HookState.WAIVED, made)
    assert waived.webhook is not None
    assert waived.webhook.next_time is None


def test_a_hook_that_may_continue_blocks_nothing() -> None:
    """`onFailure: Continue` and `forTools` are those of any hook."""
    other = REFUND | {"name": "other", "forTools": ["issue_refund"]}
    world = a_world_with(REFUND | {"onFailure": "Continue"}, other)
    world.webhooks.respond = lambda call: Response(400 if call.key.id.endswith("/refund") else 200)
    rolled_back(world)
    world.run(60)
    assert states(world) == {"refund 2": "Failed", "other 2": "Succeeded"}
    world.ship(NEXT)
    world.run_until(State.CANARY)


def test_nothing_starts_without_the_endpoint_that_would_repair_it() -> None:
    """The attempt is Pending with a sentence for the author, and begins once the settings permit it."""
    world = a_world_with(NOTIFY, REFUND)
    world.webhooks.endpoints = frozenset({"erp"})
    world.ship(NEW)
    world.run(60)
    reason, message = ready(world)
    assert (world.state, reason) == (State.PENDING, Reason.HOOK_UNFIT)
    assert (
        "Endpoint crm of hook notify is not in the operator's settings, or not for namespace support; name "
        "another one, or ask the administrator to add it to hooks.endpoints" in message
    )
    assert world.status.hooks == ()
    world.webhooks.endpoints = frozenset({"erp", "crm"})
    world.run_until(State.CANARY, within=60)

    world.webhooks.endpoints = frozenset()
    world.agents[NEW] = BAD
    world.run_until(State.ROLLED_BACK)
    world.run(60)
    assert entry(world).state is HookState.FAILED
    assert [call.key.id.rpartition("/")[2] for call in world.webhooks.received] == ["notify"]


def responding(status: int, _: Call) -> Response:
    """Always the same."""
    return Response(status)


@pytest.mark.parametrize("trouble", ["hanging", "failing", "refused", "unpermitted"])
def test_no_trouble_with_webhooks_delays_a_rollback(trouble: str) -> None:
    """The second at which it is decided and routed is as it would be without hooks."""
    times = []
    for hooks in ((), (REFUND, REFUND | {"name": "second"})):
        world = a_world_with(*hooks)
        world.ship(NEW)
        world.run_until(State.CANARY)
        if trouble == "hanging":
            world.webhooks.seconds = 1e9
        elif trouble == "unpermitted":
            world.webhooks.endpoints = frozenset()
        else:
            status = 500 if trouble == "failing" else 400
            world.webhooks.respond = partial(responding, status)
        times.append(times_of_a_rollback(world))
    assert times[0] == times[1]


@pytest.mark.parametrize("effects", range(5))
def test_a_process_that_ends_repeats_the_request_with_its_id(effects: int) -> None:
    """Whatever was lost, each try keeps its id and number, none is left out, and all hooks succeed."""
    world = a_world_with(NOTIFY, REFUND)
    world.ship(NEW)
    for _ in range(60):
        world.step(effects)
        world.restart()
        world.run(5)
        if world.state is State.CANARY:
            world.agents[NEW] = BAD
    assert set(states(world).values()) == {"Succeeded"}
    assert {each.tries for each in world.status.hooks} == {1}
    assert {call.key.id.rpartition("/")[2] for call in world.webhooks.received} == {"notify", "refund"}
    assert {(call.key.number, call.body) for call in world.webhooks.received} == {
        (1, call.body) for call in {call.key: call for call in world.webhooks.received}.values()
    }


def test_a_request_whose_response_was_lost_is_made_again() -> None:
    """The endpoint gets the same id, number and body twice: at least once."""
    world = a_world_with(REFUND)
    world.webhooks.seconds = 20
    called(world)
    assert entry(world).state is HookState.RUNNING
    world.restart()
    world.run(60)
    first, second = world.webhooks.received
    assert first == second
    assert entry(world).state is HookState.SUCCEEDED


def test_a_hook_can_change_from_a_webhook_to_a_job_and_back() -> None:
    """An action of type RedoHook runs what the plan says then."""
    world = a_world_with(REFUND)
    world.webhooks.respond = lambda _: Response(400)
    rolled_back(world)
    world.run(60)
    job = {"name": "refund", "at": "AfterRollback", "job": {"cronJob": "refund"}}
    world.jobs.succeeds = lambda _: False
    world.edit(lambda builder: builder.planning(hooks=[job]))
    world.act(ActionType.REDO_HOOK, attempt=2, hook="refund")
    world.run(120)
    failed = entry(world)
    assert (failed.state, failed.webhook, len(world.jobs.of("refund"))) == (HookState.FAILED, None, 2)
    world.edit(lambda builder: builder.planning(hooks=[REFUND]))
    world.webhooks.respond = lambda _: Response(200)
    world.act(ActionType.REDO_HOOK, attempt=2, hook="refund", name="again")
    world.run(60)
    done = entry(world)
    assert (done.state, done.job, done.job_uid) == (HookState.SUCCEEDED, None, None)
    assert done.at is Moment.AFTER_ROLLBACK


@pytest.mark.parametrize("requests", [1, 2, 3, 4])
def test_a_series_that_changes_to_jobs_has_two_of_them(requests: int) -> None:
    """However many requests were made before; their numbers do not repeat."""
    world = a_world_with(REFUND)
    world.webhooks.respond = lambda _: Response(503)
    rolled_back(world)
    while entry(world).tries < requests or entry(world).state is not HookState.WAITING:
        world.run(1)
    made = len(world.webhooks.received)
    world.jobs.succeeds = lambda _: False
    job = {"name": "refund", "at": "AfterRollback", "job": {"cronJob": "refund"}}
    world.edit(lambda builder: builder.planning(hooks=[job]))
    world.run(600)

    assert (entry(world).state, entry(world).webhook) == (HookState.FAILED, None)
    tries = [json.loads(environment(each)["JSON"])["try"] for each in world.jobs.of("refund")]
    assert (len(tries), min(tries) > made, tries[1] - tries[0]) == (2, True, 1)
    assert len(world.webhooks.received) == made >= requests


def test_a_release_that_is_replaced_while_its_hook_waits_needs_it_no_longer() -> None:
    """The hook of the older attempt ends, and that of the next one is requested."""
    world = a_world_with(NOTIFY)
    world.webhooks.respond = lambda _: Response(500)
    world.ship(NEW)
    world.run(5)
    assert entry(world, "notify").state is HookState.WAITING
    world.webhooks.respond = lambda _: Response(200)
    world.ship(NEXT)
    world.run_until(State.CANARY, within=60)
    assert states(world) == {"notify 2": "NotNeeded", "notify 3": "Succeeded"}


def test_at_rest_nothing_is_requested() -> None:
    """A day with webhooks that have ended costs no request."""
    world = rolled_back(a_world_with(NOTIFY, REFUND))
    world.run(600)
    before = len(world.webhooks.received)
    world.run(86_400)
    assert (len(world.webhooks.received), before, world.jobs.requests) == (2, 2, 0)
