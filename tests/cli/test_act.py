"""The commands that create an action: what they create, print and end with, by what an API server shows.

`tests/contract/test_act.py` runs them as processes against a real one.
"""

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.adapters.cluster.credentials import current_namespace
from agentrollouts.adapters.cluster.errors import ForbiddenError, NotFoundError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.status import Quarantined
from agentrollouts.cli.admission import refusals
from agentrollouts.cli.arguments import Command, parse
from agentrollouts.cli.online.act import NO_ANSWER, REFUSED, WRONG_USE, act, request_of
from agentrollouts.cli.online.arguments import command_of
from agentrollouts.core.action.request import OpenRequestError
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.main import main
from testkit.builders.names import AGENT, NAMESPACE, NEW, NEXT, OLD, OLDEST, START
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from tests.cli.cluster import USER, FakeCluster, stored

REASON: Final = "Refunds are sent twice, INC-77"
ACTION: Final = Ref("AgentRolloutAction", NAMESPACE, f"{AGENT}-x")
IN_CANARY: Final = a_rollout().serving(OLD).trying(NEW).in_phase(1)
DRILLABLE: Final = (
    a_rollout().serving(OLD).serving(NEW).trying(NEW, number=2, state=State.HEALTHY).having(canary=None)
)
AT_REST: Final = IN_CANARY.changing(state=State.ROLLED_BACK).having(canary=None)
KUBECONFIG: Final = """
apiVersion: v1
kind: Config
current-context: {current}
contexts:
- {{name: a, context: {{cluster: a, user: a, namespace: shop}}}}
- {{name: b, context: {{cluster: a, user: a}}}}
clusters: [{{name: a, cluster: {{server: "https://127.0.0.1:9"}}}}]
users: [{{name: a, user: {{token: a}}}}]
"""


def quarantining(*entries: tuple[str, int]) -> RolloutBuilder:
    """In mid-canary, with these releases of these attempts in quarantine."""
    quarantined = tuple(
        Quarantined(
            digest=f"sha256:{attempt:064}", release=release, reason="GateFailed", time=START, attempt=attempt
        )
        for release, attempt in entries
    )
    return IN_CANARY.having(quarantined=quarantined)


def serving(builder: RolloutBuilder) -> FakeCluster:
    """An API server with this rollout."""
    api = FakeCluster()
    api.put(stored(builder, NAMESPACE))
    return api


async def run(api: FakeCluster, *arguments: str, wait: float = 0) -> int:
    """Run a command on the rollout of `api`."""
    command, *more = arguments
    _, options = parse([command, AGENT, f"--namespace={NAMESPACE}", f"--reason={REASON}", *more])
    request = request_of(options, options.namespace)
    return await act(api, request, wait=wait, is_dry_run=options.dry_run, interval=0)


def answering(reason: str, *, is_yes: bool = False, is_open: bool = False) -> dict[str, Any]:
    """The status of an action with this answer."""
    conditions = {"Ready": is_yes, "Reconciling": is_open, "Stalled": not (is_yes or is_open)}
    return {
        "conditions": [
            {"type": kind, "status": str(is_true), "reason": reason, "message": "a sentence"}
            for kind, is_true in conditions.items()
        ]
    }


SPECS: Final[dict[str, tuple[RolloutBuilder, list[str], dict[str, Any]]]] = {
    "the current phase": (IN_CANARY, ["approve"], {"type": "Approve", "attempt": 2, "phase": "canary-25"}),
    "a phase that is not reached": (
        IN_CANARY,
        ["approve", "--phase=ramp", "--attempt=2"],
        {"type": "Approve", "attempt": 2, "phase": "ramp"},
    ),
    "a phase that waits for approval": (
        IN_CANARY.awaiting_approval(),
        ["approve"],
        {"type": "Approve", "attempt": 2, "phase": "canary-25"},
    ),
    "the bake": (IN_CANARY.baking(), ["promote"], {"type": "Promote", "attempt": 2, "phase": "bake"}),
    "the first release": (
        a_rollout().in_state(State.INITIAL),
        ["promote"],
        {"type": "Promote", "attempt": 1, "phase": "bake"},
    ),
    "a hold": (IN_CANARY, ["hold"], {"type": "Hold", "attempt": 2}),
    "the end of a hold": (IN_CANARY, ["resume"], {"type": "Resume", "attempt": 2}),
    "the canary": (IN_CANARY, ["roll-back"], {"type": "RollBack", "attempt": 2, "release": NEW}),
    "stable": (
        AT_REST,
        ["roll-back", f"--target={OLDEST}", "--force"],
        {"type": "RollBack", "attempt": 2, "release": OLD, "target": OLDEST, "force": True},
    ),
    "a named release": (
        IN_CANARY,
        ["roll-back", f"--release={OLD}", "--attempt=1"],
        {"type": "RollBack", "attempt": 1, "release": OLD},
    ),
    "the one in quarantine": (
        quarantining((OLDEST, 1)),
        ["retry"],
        {"type": "Retry", "attempt": 1, "release": OLDEST},
    ),
    "one of those in quarantine": (
        quarantining((OLDEST, 1), (NEXT, 3)),
        ["retry", f"--release={NEXT}"],
        {"type": "Retry", "attempt": 3, "release": NEXT},
    ),
    "the newest of its attempts": (
        quarantining((OLDEST, 1), (OLDEST, 3), (NEXT, 4)),
        ["retry", f"--release={OLDEST}"],
        {"type": "Retry", "attempt": 3, "release": OLDEST},
    ),
    "a release that is not in quarantine": (
        IN_CANARY,
        ["retry", f"--release={NEW}"],
        {"type": "Retry", "attempt": 2, "release": NEW},
    ),
    "the release that a rollback would choose": (
        DRILLABLE,
        ["drill"],
        {"type": "Drill", "attempt": 2, "release": OLD},
    ),
    "some hours": (
        IN_CANARY,
        ["acknowledge", "--for=3600"],
        {"type": "Acknowledge", "attempt": 2, "forSeconds": 3600},
    ),
}
"""A rollout, a command, and what it creates."""


@pytest.mark.parametrize("name", SPECS)
async def test_an_action_says_who_requests_what_and_why(name: str) -> None:
    """What the command leaves open is completed by what the rollout shows; the CRD accepts it."""
    builder, arguments, spec = SPECS[name]
    api = serving(builder)

    assert await run(api, *arguments) == 0

    (action,) = api.actions
    assert action["spec"] == {"rollout": AGENT, **spec, "reason": REASON, "requestedBy": USER}
    assert action["metadata"] == {"namespace": NAMESPACE, "generateName": f"{AGENT}-", "name": f"{AGENT}-x"}
    assert refusals(action) == ()


WRONG: Final[dict[str, tuple[RolloutBuilder, list[str], str]]] = {
    "no attempt": (a_rollout(), ["hold"], "the rollout has had no attempt yet"),
    "no release": (a_rollout(), ["roll-back"], "the rollout serves no release that could be rolled back"),
    "no quarantine": (
        IN_CANARY,
        ["retry"],
        "name the release, unless exactly one is in quarantine; there is none",
    ),
    "two in quarantine": (
        quarantining((OLDEST, 1), (NEXT, 3)),
        ["retry"],
        f"name the release, unless exactly one is in quarantine; there are {OLDEST}, {NEXT}",
    ),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_the_rollout_does_not_show_must_be_given(name: str) -> None:
    """Nothing is guessed and nothing is created; the sentence names the option."""
    builder, arguments, sentence = WRONG[name]
    api = serving(builder)

    with pytest.raises(OpenRequestError, match=re.escape(sentence)):
        await run(api, *arguments)
    assert not api.actions


async def test_a_complete_request_does_not_depend_on_the_status() -> None:
    """A status of another version stops no rollback that names attempt and release."""
    api = serving(IN_CANARY)
    api.objects[Ref("AgentRollout", NAMESPACE, AGENT)]["status"]["attempt"]["state"] = "Detouring"

    with pytest.raises(OpenRequestError, match="it is of another version"):
        await run(api, "roll-back")
    assert await run(api, "roll-back", "--attempt=2", f"--release={NEW}") == 0


@pytest.mark.parametrize(
    ("status", "line", "code"),
    [
        (answering("Done", is_yes=True), "Done: a sentence", 0),
        (answering("Counted", is_yes=True), "Counted: a sentence", 0),
        (answering("Refused"), "Refused: a sentence", REFUSED),
        (answering("IdentityNotProved"), "IdentityNotProved: a sentence", REFUSED),
        (answering("RollingBack", is_open=True), "RollingBack: a sentence", NO_ANSWER),
    ],
)
async def test_the_answer_is_one_line_and_decides_the_exit_code(
    status: dict[str, Any], line: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer that another one follows is printed when the time is over."""
    api = serving(IN_CANARY)
    api.operator = lambda action: action.update(status=status)

    assert await run(api, "roll-back", wait=0.05 if code == NO_ANSWER else 60) == code
    assert capsys.readouterr().out == f"{AGENT}-x: {line}\n"


async def test_the_last_answer_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    """First the rollback begins, then it is done; a look that fails in between changes nothing."""
    api, looks = serving(IN_CANARY), iter(("RollingBack", None, "Done"))
    get = api.get

    async def changing(ref: Ref) -> Manifest | None:
        if ref.kind == "AgentRollout":
            return await get(ref)
        reason = next(looks)
        if reason is None:
            raise UnavailableError("no response")
        is_yes = reason == "Done"
        return {"status": answering(reason, is_yes=is_yes, is_open=not is_yes)}

    api.get = changing  # type: ignore[method-assign]

    assert await run(api, "roll-back", wait=60) == 0
    assert capsys.readouterr().out == f"{AGENT}-x: Done: a sentence\n"


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (None, "Check that the operator runs"),
        (ForbiddenError("you may not get actions"), "you may not get actions"),
        (UnavailableError("no response"), "no response"),
    ],
)
async def test_without_an_answer_the_action_remains(
    fault: Exception | None, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence says that it was created, and why nothing more is known."""
    api = serving(IN_CANARY)
    if fault:
        api.fail(f"get {ACTION.kind}", fault)

    assert await run(api, "hold", wait=0.05) == NO_ANSWER
    assert capsys.readouterr().err == f"{AGENT}-x: created; no answer within 0.05 s. {line}\n"
    assert ACTION in api.objects


async def test_a_dry_run_prints_the_action_and_creates_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is what would be created."""
    api = serving(IN_CANARY)

    assert await run(api, "approve", "--dry-run") == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert not api.actions
    assert await run(api, "approve") == 0
    assert api.actions[0]["spec"] == printed["spec"]


async def test_the_same_request_under_the_same_name_is_created_once() -> None:
    """A double click gets the answer of the first one; another request of that name is an error."""
    api = serving(IN_CANARY)
    api.operator = lambda action: action.update(status=answering("Done", is_yes=True))

    assert await run(api, "hold", "--name=message-7", wait=60) == 0
    assert await run(api, "hold", "--name=message-7", wait=60) == 0
    with pytest.raises(Exception, match="message-7: it already exists"):
        await run(api, "resume", "--name=message-7")
    assert [each["metadata"]["name"] for each in api.actions] == ["message-7"]


async def test_a_rollout_that_is_not_there_is_a_sentence() -> None:
    """With its namespace, which may be the wrong one."""
    sentence = f"There is no AgentRollout {AGENT} in namespace {NAMESPACE}"
    with pytest.raises(NotFoundError, match=sentence):
        await run(FakeCluster(), "hold")


async def test_a_refusal_of_the_api_server_is_passed_on() -> None:
    """Its message says which verb a Role must allow."""
    api = serving(IN_CANARY)
    api.fail("create AgentRolloutAction", ForbiddenError("dana may not approve"))
    with pytest.raises(ForbiddenError, match="dana may not approve"):
        await run(api, "approve")


def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, current: str) -> None:
    """A kubeconfig with this context, of an API server that is away."""
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(current=current))
    monkeypatch.setenv("KUBECONFIG", str(path))


@pytest.mark.parametrize(("current", "namespace"), [("a", "shop"), ("b", "default")])
def test_the_namespace_is_that_of_the_current_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, current: str, namespace: str
) -> None:
    """As for kubectl."""
    file(tmp_path, monkeypatch, current)
    assert current_namespace() == namespace


def test_an_unreachable_api_server_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names what was looked for, and where."""
    file(tmp_path, monkeypatch, "a")
    assert main(["hold", AGENT, f"--reason={REASON}"]) == REFUSED
    assert capsys.readouterr().err == (
        f"Failed to get AgentRollout shop/{AGENT}: the API server is not reachable (ClientConnectorError)\n"
    )


@pytest.mark.parametrize("content", [None, "a: [", "kind: Config\n"])
def test_a_kubeconfig_that_cannot_be_used_is_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
) -> None:
    """Whether it is missing, no YAML, or without a context, and whether or not a namespace is given."""
    path = tmp_path / "kubeconfig"
    if content:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))

    for options in ([], ["--namespace=shop"]):
        assert main(["hold", AGENT, f"--reason={REASON}", *options]) == REFUSED
        error = capsys.readouterr().err
        assert error.startswith("Failed to read ")
        assert str(path) in error


def test_a_name_that_no_object_can_have_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It never becomes part of a path."""
    file(tmp_path, monkeypatch, "a")
    assert main(["hold", "../x", f"--reason={REASON}"]) == REFUSED
    assert capsys.readouterr().err == "'../x' cannot be the name of a Kubernetes object\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--reason=..."], "argument --reason: say why in at least 8 characters"),
        (["--reason=       x "], "argument --reason: say why in at least 8 characters"),
        ([f"--reason={'x' * 1025}"], "argument --reason: must be at most 1024 characters"),
        ([], "the following arguments are required: --reason"),
        ([f"--reason={REASON}", "--attempt=0"], "argument --attempt: must be a number, at least 1"),
        ([f"--reason={REASON}", "--wait=soon"], "argument --wait: must be a number of seconds"),
        ([f"--reason={REASON}", "--phase=x"], "unrecognized arguments: --phase=x"),
    ],
)
def test_a_wrong_argument_is_a_sentence(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage line says which one is wrong; an option of another type of action is none."""
    with pytest.raises(SystemExit) as ended:
        main(["hold", AGENT, *options])
    assert ended.value.code == WRONG_USE
    assert sentence in capsys.readouterr().err


def test_there_is_a_command_for_each_type_of_action() -> None:
    """Its name is that of the type."""
    assert {command_of(kind) for kind in ActionType} < set(Command)


@pytest.mark.parametrize(
    ("command", "options"),
    [("approve", {"phase": "canary-5"}), ("retry", {"release": NEW}), ("roll-back", {"release": NEW})],
)
def test_a_command_in_a_message_of_the_operator_works_as_it_stands(
    command: str, options: dict[str, str]
) -> None:
    """It is copied, and only the reason is filled in."""
    text = create_action(IN_CANARY.build(), command, 2, **options)
    program, *arguments = shlex.split(text.replace("...", "'it is fine'"))

    parsed, values = parse(arguments)

    assert (program, parsed) == ("agentrollouts", command)
    request = request_of(values, values.namespace)
    assert (request.rollout, request.namespace, request.attempt) == (AGENT, NAMESPACE, 2)
    assert options.items() <= vars(values).items()
