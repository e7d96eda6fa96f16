"""`agentrollouts roll-back-all`: what it requests and prints, by what an API server in memory shows.

`tests/e2e/rollouts/test_roll_back_all.py` runs it on a real one, with an operator.
"""

from pathlib import Path
from typing import Final

import pytest

from agentrollouts.adapters.cluster.errors import (
    ConflictError,
    ForbiddenError,
    NotServedError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.attempt import State
from agentrollouts.api.status import WeightsStatus
from agentrollouts.cli.online.roll_back_all import Recall
from agentrollouts.core.states import TRANSITIONS
from agentrollouts.main import main
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from tests.cli import cluster
from tests.cli.cluster import USER, FakeCluster

REF: Final = Ref("AgentRollout", NAMESPACE, AGENT)
CREATE: Final = "create AgentRolloutAction"
KUBECONFIG: Final = """
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: a, user: a}}]
clusters: [{name: a, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: a, user: {token: a}}]
"""
REQUESTED: Final = f"{NAMESPACE}/{AGENT}: the rollback of {NEW} is requested: {OLD} has"


def with_operator() -> FakeCluster:
    """An API server whose operator obeys a request at once."""
    api = FakeCluster()

    def obey(action: Manifest) -> None:
        rollout = api.objects[Ref("AgentRollout", action["metadata"]["namespace"], action["spec"]["rollout"])]
        rollout["status"]["weights"] = {"stable": 100, "canary": 0}
        rollout["status"]["attempt"]["state"] = "Verifying"

    api.operator = obey
    return api


def requests(api: FakeCluster) -> list[tuple[int, str]]:
    """Attempt and release of each rollback that was requested."""
    assert {each["spec"]["type"] for each in api.actions} <= {"RollBack"}
    return [(each["spec"]["attempt"], each["spec"]["release"]) for each in api.actions]


def stored(builder: RolloutBuilder, namespace: str = NAMESPACE) -> Manifest:
    """The object on the API server."""
    return cluster.stored(builder, namespace)


def serving() -> RolloutBuilder:
    """A rollout at rest."""
    return a_rollout().serving(OLD)


def in_canary() -> RolloutBuilder:
    """A rollout in mid-canary."""
    return serving().trying(NEW)


async def run(api: FakeCluster, *namespaces: str, seconds: float = 5) -> bool:
    """Run the command."""
    return await Recall(api, namespaces, seconds, interval=0).run()


@pytest.mark.parametrize("state", TRANSITIONS)
async def test_a_rollback_is_requested_in_each_state_that_has_a_canary_with_traffic(state: State) -> None:
    """Not while an attempt waits or is being rolled back, nor for a first release, nor after the end."""
    api = with_operator()
    builder = a_rollout().in_state(state) if state is not State.SUPERSEDED else serving()
    if state in {State.PENDING, State.HEALTHY, State.VERIFYING, State.ROLLED_BACK, State.ROLLING_BACK}:
        builder = builder.changing(state=state).having(weights=WeightsStatus(stable=100, canary=0))
    api.put(stored(builder))

    assert await run(api)
    states = {State.CANARY, State.AWAITING_APPROVAL, State.HELD, State.BAKING}
    assert requests(api) == ([(2, NEW)] if state in states else [])


async def test_each_rollout_is_a_line_about_what_is_done_and_one_about_the_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A rollout at rest has none."""
    api = with_operator()
    api.put(stored(in_canary()))
    api.put(stored(serving(), "quiet"))

    assert await run(api)
    lines = capsys.readouterr().out.splitlines()
    assert [line[: len(REQUESTED)] for line in lines[:1]] == [REQUESTED]
    assert lines[1:] == [
        f"{NAMESPACE}/{AGENT}: {OLD} has 100%, {NEW} has 0%",
        "Checked 2 AgentRollouts: stable has all traffic.",
    ]


async def test_a_request_names_who_and_why_and_is_the_same_each_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A second run finds the action of the first, and creates no other."""
    api = FakeCluster()
    api.put(stored(in_canary()))

    assert not await run(api, seconds=0.05)
    assert not await run(api, seconds=0.05)

    (action,) = api.actions
    assert action["metadata"] == {"namespace": NAMESPACE, "name": f"{AGENT}-3f2a91c0-2"}
    assert action["spec"] == {
        "rollout": AGENT,
        "type": "RollBack",
        "attempt": 2,
        "release": NEW,
        "reason": "agentrollouts roll-back-all, for example before an uninstall",
        "requestedBy": USER,
    }
    printed = capsys.readouterr()
    assert printed.out.count(REQUESTED) == 2
    assert printed.err.count("The operator did not act on the request within 0.05 s") == 2


async def test_a_long_name_of_a_rollout_is_cut_in_that_of_the_action() -> None:
    """An action has a name of at most 63 characters, and the end of it tells attempts and rollouts apart."""
    api = with_operator()
    manifest = stored(in_canary())
    manifest["metadata"]["name"] = "a" * 42 + "." + "b" * 200
    api.put(manifest)

    assert await run(api)
    assert [each["metadata"]["name"] for each in api.actions] == ["a" * 42 + ".bbbbbbbbb-3f2a91c0-2"]


async def test_who_may_not_ask_for_their_name_can_request_a_rollback() -> None:
    """Whether the API server accepts it is up to its policies."""
    api = with_operator()
    api.put(stored(in_canary()))
    api.fail("create SelfSubjectReview", ForbiddenError("you may not"))

    assert await run(api)
    assert [each["spec"]["requestedBy"] for each in api.actions] == ["unknown"]


async def test_a_first_release_keeps_its_traffic(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no release to roll back to, which is not a failure."""
    api = with_operator()
    api.put(stored(a_rollout().in_state(State.INITIAL)))

    assert await run(api)
    assert "ships its first release, so there is no release to roll back to" in capsys.readouterr().out


@pytest.mark.parametrize("error", [ConflictError("a quota has changed"), UnavailableError("no response")])
async def test_a_request_that_fails_for_now_is_made_again(error: Exception) -> None:
    """Of the API server, or of a quota."""
    api = with_operator()
    api.put(stored(in_canary()))
    api.fail(CREATE, error, times=2)

    assert await run(api)
    assert requests(api) == [(2, NEW)]


async def test_a_request_that_was_never_made_is_not_blamed_on_the_operator(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The API server failed each time."""
    api = with_operator()
    api.put(stored(in_canary()))
    api.fail(CREATE, UnavailableError("no response"))

    assert not await run(api, seconds=0.05)
    assert "The rollback was not requested within 0.05 s. Run this again; or set" in capsys.readouterr().err


async def test_a_rollout_that_is_deleted_meanwhile_is_not_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its traffic objects are deleted with it."""
    api = FakeCluster()
    api.put(stored(in_canary()))

    def delete(_: Manifest) -> None:
        del api.objects[REF]

    api.operator = delete

    assert await run(api)
    assert f"{NAMESPACE}/{AGENT}: was deleted" in capsys.readouterr().out


async def test_a_refused_request_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The API server's own words, and what to do."""
    api = with_operator()
    api.put(stored(in_canary()))
    api.fail(CREATE, ForbiddenError("you may not"))

    assert not await run(api, seconds=60)
    line = capsys.readouterr().err
    assert f"{NAMESPACE}/{AGENT}: NOT rolled back, {OLD} has" in line
    assert "you may not. Grant the right and run this again; or set" in line


async def test_a_rollback_that_cannot_be_written_is_reported_with_its_obstacle(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The condition TrafficApplied has the reason."""
    api = with_operator()
    manifest = stored(in_canary().rolling_back())
    condition = {
        "type": "TrafficApplied",
        "status": "False",
        "reason": "RouteMissing",
        "message": "No route.",
    }
    manifest["status"]["conditions"] = [condition | {"lastTransitionTime": "2026-08-01T00:00:00Z"}]
    api.put(manifest)

    assert not await run(api, seconds=0.05)
    assert ". No route. Correct this and run it again; or set" in capsys.readouterr().err


async def test_a_namespace_that_cannot_be_read_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What can be rolled back is rolled back, and the exit code reports the rest."""
    api = with_operator()
    api.put(stored(in_canary()))
    api.fail("locked", ForbiddenError("you may not list AgentRollouts in locked"))

    assert not await run(api, "locked", NAMESPACE)
    assert requests(api) == [(2, NEW)]
    assert capsys.readouterr().err == "you may not list AgentRollouts in locked\n"


async def test_a_right_that_is_lost_meanwhile_is_not_taken_for_a_deletion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A rollout that can no longer be listed is reported as it was last seen."""
    api = FakeCluster()
    api.put(stored(in_canary()))

    def lock(_: Manifest) -> None:
        api.fail(None, ForbiddenError("you may not list"))

    api.operator = lock

    assert not await run(api, seconds=0.05)
    done = capsys.readouterr()
    assert "was deleted" not in done.out
    assert "you may not list\n" in done.err
    assert f"{NAMESPACE}/{AGENT}: NOT rolled back" in done.err


async def test_a_status_that_cannot_be_read_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """It may be of a later version; no one knows where its traffic is."""
    api = with_operator()
    manifest = stored(in_canary())
    manifest["status"]["attempt"]["state"] = "Detouring"
    api.put(manifest)

    assert not await run(api)
    assert "its status cannot be read; use the version that wrote it" in capsys.readouterr().err


async def test_without_the_kinds_there_is_nothing_to_roll_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Someone deleted the CRDs before the uninstall."""
    api = with_operator()
    api.fail(None, NotServedError("not served"))

    assert await run(api)
    assert "AgentRollouts are not installed in this cluster" in capsys.readouterr().out


async def test_an_api_server_that_does_not_respond_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """It is tried again until the time is over, and then nothing is claimed."""
    api = with_operator()
    api.fail(None, UnavailableError("Failed to list: no response"))

    assert not await run(api, seconds=0.05)
    first, last = capsys.readouterr().err.splitlines()
    assert first == "Failed to list: no response. Trying again for at most 0.05 s."
    assert last.startswith("It is unknown where stable has all traffic")


@pytest.mark.parametrize(("flags", "code"), [([], 1), (["--best-effort"], 0)])
def test_an_unreachable_api_server_is_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    code: int,
) -> None:
    """No traceback; --best-effort changes the exit code and nothing else."""
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(file))

    assert main(["roll-back-all", "--timeout=1", *flags]) == code
    assert "the API server is not reachable" in capsys.readouterr().err


def test_a_wrong_timeout_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """The usage line says which argument is wrong."""
    with pytest.raises(SystemExit):
        main(["roll-back-all", "--timeout=soon"])
    assert "argument --timeout: must be a number of seconds, at least 1" in capsys.readouterr().err
