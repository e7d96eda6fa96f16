"""What the plugin loads, and what it says when kubectl does not do its part."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentrollouts.api.people.action import OF_NO_ATTEMPT, ActionType
from agentrollouts.cli.arguments import Command
from agentrollouts.cli.online.arguments import SUMMARIES, command_of
from agentrollouts.kubectl_agentrollout import ACTIONS, HIDDEN, OWN, PASSED, VERBS, plugin
from agentrollouts.plugin import kubectl
from agentrollouts.plugin.commands import act
from agentrollouts.plugin.options import GLOBALS, SWITCHES
from tests.plugin.fake import environment, fake, run
from tests.plugin.rollouts import healthy, in_canary

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
DRAWN = "agentrollouts.plugin.lean, agentrollouts.plugin.shown, agentrollouts.insight.view.view"


LISTED = "agentrollouts.plugin.lean, agentrollouts.plugin.screens.listed"
DECIDING = (
    "agentrollouts.api.record.entry",
    "agentrollouts.core.action.facts",
    "agentrollouts.core.attempt.moves",
    "agentrollouts.core.effects",
    "agentrollouts.core.recovery.hooks",
    "agentrollouts.core.rollout",
    "agentrollouts.core.traffic.gateways",
)


def printed(code: str) -> list[str]:
    """What a process prints that runs this code."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 ours
    return done.stdout.split()


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a process has after this code."""
    return printed(code + f"; import sys; print(*[name for name in {names!r} if name in sys.modules])")


def test_a_screen_loads_no_client_of_a_cluster() -> None:
    """Kopf and the clients take most of a second; only kubectl speaks to the cluster."""
    assert loaded(f"import agentrollouts.kubectl_agentrollout, {DRAWN}", HEAVY) == []


def test_kubectl_starts_before_the_models_are_loaded() -> None:
    """The entry and the options need neither pydantic nor rich, so kubectl waits for neither."""
    code = "from agentrollouts.kubectl_agentrollout import plugin; plugin().get_command(None, 'status')"
    assert loaded(code, ("pydantic", "rich", "agentrollouts.api.status")) == []


def test_completion_loads_no_model() -> None:
    """Neither the verbs nor the names of rollouts need pydantic, rich, or the other commands."""
    code = "import sys; from agentrollouts.kubectl_agentrollout import complete; sys.stdout = sys.stderr; {}"
    for arguments in (["st"], ["status", ""], ["status", "x", "-"]):
        call = f"complete({arguments!r}); sys.stdout = sys.__stdout__"
        assert loaded(code.format(call), ("pydantic", "rich", "agentrollouts.cli", "argparse")) == []


@pytest.mark.parametrize("drawn", [DRAWN, LISTED])
def test_a_screen_loads_no_part_of_a_decision(drawn: str) -> None:
    """The view reads what was decided; what decides, moves traffic or runs hooks takes as long to load."""
    assert loaded(f"import {drawn}", DECIDING) == []


def test_models_are_built_when_they_are_read() -> None:
    """A view builds what reads a rollout, and no other kind that its modules import."""
    code = (
        f"import {DRAWN}; from agentrollouts.api import release, rollout; "
        "from agentrollouts.insight.view.reading import NAMELESS; "
        "rollout.AgentRollout.model_validate(NAMELESS); "
        "kinds = (release.AgentRelease, rollout.AgentRollout); "
        "print(*[kind.__name__ for kind in kinds if kind.__pydantic_complete__])"
    )
    assert printed(code) == ["AgentRollout"]


def test_the_operator_builds_its_models_at_its_start() -> None:
    """No decision waits until a schema is built, least of all a rollback."""
    code = (
        "import agentrollouts.process; from agentrollouts.api.model.base import ApiModel; "
        "kinds = [ApiModel]; [kinds.extend(kind.__subclasses__()) for kind in kinds]; "
        "print(len(kinds) > 50, *[kind.__name__ for kind in kinds if not kind.__pydantic_complete__])"
    )
    assert printed(code) == ["True"]


def test_one_module_runs_kubectl() -> None:
    """`kubectl.py` starts it and `watch.py` reads from it; no other module of the plugin runs anything."""
    folder = Path(kubectl.__file__).parent
    running = [each for each in folder.rglob("*.py") if re.search(r"\bsubprocess\b", each.read_text())]
    starting = [
        each.name for each in running if re.search(r"subprocess\.(Popen\(|run|call)", each.read_text())
    ]

    assert sorted(each.name for each in running) == ["kubectl.py", "watch.py"]
    assert starting == ["kubectl.py"]


def test_each_other_command_is_passed_on() -> None:
    """Every command of `agentrollouts` that creates no action, except those for the operator."""
    taken = {command_of(kind) for kind in SUMMARIES} | HIDDEN | set(OWN)
    assert sorted({str(each) for each in Command} - taken) == list(PASSED)


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


def test_every_flag_of_kubectl_that_names_a_cluster_passes_through() -> None:
    """The list of kubectl itself, without what is about kubectl as a program."""
    text = subprocess.run(  # noqa: S603 that of the sandbox
        [Path(sys.executable).with_name("kubectl"), "options"], capture_output=True, text=True, check=True
    ).stdout
    found = set(re.findall(r"--([a-z-]+)=", text))
    program = {"log-flush-frequency", "match-server-version", "profile", "profile-output", "v", "vmodule"}
    ours = {"namespace", "server"}

    assert found - program - {"warnings-as-errors"} == {*GLOBALS, *SWITCHES, *ours}


def test_a_context_reaches_the_other_commands(tmp_path: Path) -> None:
    """They read a kubeconfig themselves, so they get one; it is gone afterward."""
    text = "apiVersion: v1\nkind: Config\n"
    folder = fake(tmp_path, f"echo \"$@\" > {tmp_path}/call; printf '{text}'")
    done = run(folder, "--context=prod", "report", "a", "-n", "support")

    assert (tmp_path / "call").read_text().split() == [
        *("config", "view", "--minify", "--flatten", "--raw", "--context=prod")
    ]
    assert (done.returncode, done.stdout) == (1, "")
    [file] = set(re.findall(r"/\S+\.yaml", done.stderr))
    assert not Path(file).exists()


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


def test_status_reads_twice_and_the_second_time_before_it_can_draw(tmp_path: Path) -> None:
    """One kubectl for the rollout; one for its releases and bundles, while the models are loaded."""
    manifest, _ = in_canary()
    (tmp_path / "rollout.json").write_text(json.dumps(manifest))
    script = f"""echo "$@" >> {tmp_path}/calls
case "$2" in agentrollout) cat {tmp_path}/rollout.json;; *) echo '{{"items": []}}';; esac"""
    code = (
        "import sys; from agentrollouts.plugin.commands import status; "
        "from agentrollouts.plugin.reading import Releases; begin = Releases.begin; "
        "Releases.begin = lambda *given: (begin(*given), sys.stderr.write(str('rich' in sys.modules)));"
        "status.load = lambda *names: lambda: sys.stderr.write(' loaded'); "
        "status.command(['x'], standalone_mode=False)"
    )
    done = subprocess.run(  # noqa: S603 ours
        [sys.executable, "-c", code],
        env=environment(fake(tmp_path, script), {}),
        capture_output=True,
        text=True,
        check=True,
    )

    first, second = (line.split() for line in (tmp_path / "calls").read_text().splitlines())
    assert first == ["get", "agentrollout", "x", "--output=json"]
    assert sorted({each.partition("/")[0] for each in second[1:-3]}) == ["agentrelease", "configmap"]
    assert second[-2:] == ["--ignore-not-found", "--output=json"]
    assert done.stderr == "False loaded"
    assert "canary-25" in done.stdout


def test_at_rest_one_kubectl_is_enough(tmp_path: Path) -> None:
    """Stable is compared with nothing, so neither releases nor bundles are read."""
    manifest, _ = healthy()
    (tmp_path / "rollout.json").write_text(json.dumps(manifest))
    done = run(
        fake(tmp_path, f'echo "$1 $2" >> {tmp_path}/calls; cat {tmp_path}/rollout.json'), "status", "x"
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "calls").read_text() == "get agentrollout\n"
