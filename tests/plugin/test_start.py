"""What the plugin loads, and what it says when kubectl does not do its part."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentrollouts.api.people.action import OF_NO_ATTEMPT, ActionType
from agentrollouts.kubectl_agentrollout import ACTIONS, VERBS, others, plugin
from agentrollouts.plugin import kubectl
from agentrollouts.plugin.commands import act
from tests.plugin.fake import fake, run

HEAVY = (
    "kopf",
    "kubernetes",
    "prometheus_client",
    "aiohttp",
    "requests",
    "agentrollouts.adapters",
    "yaml",
    "cel",
)
DRAWN = "agentrollouts.plugin.shown"


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a process has after this code."""
    ending = f"; import sys; print(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + ending], capture_output=True, text=True, check=True)  # noqa: S603 ours
    return done.stdout.split()


def test_a_screen_loads_no_client_of_a_cluster() -> None:
    """Kopf and the clients take most of a second; only kubectl speaks to the cluster."""
    assert loaded(f"import agentrollouts.kubectl_agentrollout, {DRAWN}", HEAVY) == []


def test_kubectl_starts_before_the_models_are_loaded() -> None:
    """The entry and the options need neither pydantic nor rich, so kubectl waits for neither."""
    code = "from agentrollouts.kubectl_agentrollout import plugin; plugin().get_command(None, 'status')"
    assert loaded(code, ("pydantic", "rich", "agentrollouts.api.status")) == []


def test_one_module_runs_kubectl() -> None:
    """`kubectl.py` starts it and `watch.py` reads from it; no other module of the plugin runs anything."""
    folder = Path(kubectl.__file__).parent
    running = [each for each in folder.rglob("*.py") if re.search(r"\bsubprocess\b", each.read_text())]
    starting = [
        each.name for each in running if re.search(r"subprocess\.(Popen\(|run|call)", each.read_text())
    ]

    assert sorted(each.name for each in running) == ["kubectl.py", "watch.py"]
    assert starting == ["kubectl.py"]


def test_each_type_of_action_has_one_verb() -> None:
    """Every AgentRolloutAction can be requested, and no verb is listed that does nothing."""
    assert tuple(act.VERBS) == ACTIONS
    assert {each.type for each in act.VERBS.values()} == set(ActionType)
    assert len(act.VERBS) == len(ActionType)
    assert set(OF_NO_ATTEMPT) == act.OF_NO_ATTEMPT


@pytest.mark.parametrize("verb", [*VERBS, *ACTIONS])
def test_each_help_has_two_examples(verb: str) -> None:
    """`-h` shows two commands that can be copied."""
    command = plugin().get_command(None, verb)  # type: ignore[arg-type]
    assert command is not None
    lines = [line.strip() for line in (command.help or "").splitlines()]
    assert sum(line.startswith(f"kubectl agentrollout {verb}") for line in lines) == 2


def test_other_commands_get_their_arguments_untouched(tmp_path: Path) -> None:
    """`kubectl agentrollout judge` is `agentrollouts judge`."""
    empty = fake(tmp_path, "exit 7")
    ours = run(empty, "judge", "--help")
    flags = run(empty, "-n", "shop", "judge")

    assert "plannedPhases" in ours.stdout
    assert ours.returncode == 0
    assert (flags.returncode, "put the flags of `judge` after it" in flags.stderr) == (2, True)
    assert "judge" in others()
    assert not {"operator", "crds", "roll-back", "hold"} & set(others())


def test_no_kubectl_is_one_sentence(tmp_path: Path) -> None:
    """Who has the plugin alone is told what is missing."""
    done = run(tmp_path, "list", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kubectl is not on the PATH; install it, since this command runs it\n"


def test_an_error_is_the_sentence_of_kubectl_without_its_log(tmp_path: Path) -> None:
    """Lines that a library logs are for `--debug`, and a token is never printed."""
    script = (
        'echo "E1130 10:00:00.0 1 memcache.go:265] couldn\'t get list" >&2; '
        "echo 'error: You must be logged in to the server' >&2; exit 1"
    )
    folder = fake(tmp_path, script)
    done = run(folder, "list")
    debug = run(folder, "list", "--debug", "--token=secret")

    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "error: You must be logged in to the server\n",
    )
    assert "memcache.go" in debug.stderr
    assert "secret" not in debug.stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["status"], "name the rollout, or its agent with --agent"),
        (["status", "a", "--agent", "b"], "name the rollout, or its agent with --agent"),
        (["status", "Not_a_name"], "is not a valid name"),
        (["status", "--", "--all"], "is not a valid name"),
        (["status", "pods/a"], "is not an object of the kind agentrollouts"),
        (["status", "a", "-w", "--wait"], "give --watch or --wait, not both"),
        (["acknowledge", "a", "--for", "soon", "--reason", "it is a test"], "is not a duration"),
        (["rollback", "a"], "Missing option '--reason'"),
        (["rolback", "a"], "No such command 'rolback'"),
    ],
)
def test_wrong_usage_is_two(tmp_path: Path, arguments: list[str], problem: str) -> None:
    """Nothing was requested, and the sentence says what to write instead."""
    done = run(fake(tmp_path, "exit 7"), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr


def test_flags_of_kubectl_pass_through_untouched(tmp_path: Path) -> None:
    """Before and after the command, once or several times."""
    folder = fake(tmp_path, f"echo \"$@\" >> {tmp_path}/calls; echo '{json.dumps({'items': []})}'")
    done = run(
        folder,
        "--context=prod",
        "list",
        "-A",
        "--as",
        "dana",
        "--as-group=a",
        "--as-group=b",
        "-s",
        "https://x",
    )

    assert done.returncode == 0
    assert (tmp_path / "calls").read_text().split() == [
        *("get", "agentrollouts", "--all-namespaces", "--output=json"),
        *("--context=prod", "--as=dana", "--as-group=a", "--as-group=b", "--server=https://x"),
    ]
