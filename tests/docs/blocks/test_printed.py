"""What pages show of the output of commands that need no cluster, beside what these print now.

Each output of a page and each block of text is in one of the tables below.
"""

import io
import json
import re
import shlex
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.api.crd.manifest import crds
from agentrollouts.cli.judge import answer_lines
from agentrollouts.cli.online.deps import deps
from agentrollouts.core.recovery.group.member import Change, Harm
from agentrollouts.core.recovery.group.rollback import Due
from agentrollouts.main import main
from agentrollouts_agent import StartError, verify
from testkit.builders.names import NAMESPACE
from tests.cli.evals.test_evals import RECORDED
from tests.cli.release.test_deps import billing, having, support
from tests.docs.blocks.found import ROOT, of
from tests.docs.blocks.shown import agrees, command_of, commands_with_output, text_of
from tests.docs.pages import blocks, page, section

PLAYED: Final[Mapping[str, str]] = {
    "docs/authority.md": "tests/e2e/rollouts/test_authority.py",
    "docs/files.md": "tests/docs/test_files.py",
    "docs/freezes.md": "tests/e2e/rollouts/test_freezes.py",
    "docs/getting-started.md": "tests/e2e/rollouts/test_getting_started.py",
    "docs/reports.md": "tests/docs/test_reports.py",
    "docs/verifying-records.md": "tests/docs/test_verifying_records.py",
    "docs/workloads.md": "tests/docs/test_workloads.py",
}
"""Pages whose outputs another test compares, and that test."""
HERE: Final = {
    ("README.md", "echo"),
    ("docs/lint.md", "agentrollouts lint"),
    ("docs/readiness.md", "agentrollouts plan"),
    ("docs/simulate.md", "agentrollouts simulate"),
}
"""Outputs that are compared here."""
ELSEWHERE: Final[Mapping[tuple[str, str], str]] = {
    ("README.md", "kubectl get aro"): "tests/contract/docs/test_outputs.py",
    ("docs/agent.md", "agentrollouts who-served"): "tests/docs/blocks/test_answers.py",
    ("docs/agent.md", "python -m agentrollouts_agent.conformance"): "tests/docs/test_agent.py",
    ("docs/drills.md", "agentrollouts drill"): "tests/docs/blocks/test_answers.py",
    ("docs/gitops.md", "agentrollouts roll-back"): "tests/docs/blocks/test_answers.py",
    ("docs/gitops.md", "kubectl get aro"): "tests/contract/docs/test_outputs.py",
    ("docs/gitops.md", "kubectl kustomize"): "tests/contract/docs/test_outputs.py",
    ("docs/gitops.md", "kubectl create rolebinding"): "tests/contract/docs/test_outputs.py",
    ("docs/gitops.md", "kubectl wait"): "tests/contract/docs/test_outputs.py",
    ("docs/kubectl-plugin.md", "kubectl agentrollout check"): "tests/docs/blocks/test_checked.py",
    ("docs/page.md", "kubectl agentrollout dashboard"): "tests/contract/docs/test_outputs.py",
    ("docs/readiness.md", "kubectl get agentrollout"): "tests/docs/blocks/test_answers.py",
    ("docs/security.md", "kubectl apply"): "tests/contract/test_policies.py",
    ("docs/security.md", "kubectl create"): "tests/contract/authority/test_actions.py",
    ("docs/states.md", "agentrollouts roll-back"): "tests/docs/blocks/test_answers.py",
}
"""Outputs that another test compares, by page and beginning of the command, and that test."""
TEXTS: Final[Mapping[tuple[str, str], str]] = {
    ("README.md", "0:38"): "here",
    ("README.md", "kopf's"): "a picture",
    ("docs/agent.md", "/etc/agent:"): "here",
    ("docs/concepts.md", "watch"): "a picture",
    ("docs/demo.md", "A"): "copied from a run of `make demo`",
    ("docs/deriving.md", "stable:"): "here",
    ("docs/deriving.md", "support-agent-4.2.2"): "here",
    ("docs/groups.md", "support-agent-4.2.0"): "here",
    ("docs/requirements.md", "billing-agent"): "here",
}
"""Each block of text, by page and first word, and what it is beside."""


def test_every_output_is_compared() -> None:
    """By a test that a table names, and no entry of a table outlives its page."""
    outputs = [(block.page, command.text) for block, command in commands_with_output()]
    single = HERE | ELSEWHERE.keys()
    found = {key for key in single for name, text in outputs if name == key[0] and text.startswith(key[1])}
    left = [
        (name, text)
        for name, text in outputs
        if name not in PLAYED and not any(name == page and text.startswith(start) for page, start in single)
    ]

    assert left == []
    assert found == single
    assert PLAYED.keys() <= {name for name, _ in outputs}


def test_every_text_is_in_the_table() -> None:
    """Once, and nothing else is."""
    assert sorted((block.page, block.text.split()[0]) for block in of("text")) == sorted(TEXTS)


@pytest.mark.parametrize(("name", "test"), PLAYED.items())
def test_a_played_page_is_read_by_its_test(name: str, test: str) -> None:
    """Itself, or a module beside this one that it imports."""
    text = (ROOT / test).read_text()
    assert "tests.docs" in text
    assert Path(name).name in text


@pytest.mark.parametrize(("output", "test"), ELSEWHERE.items())
def test_an_output_is_read_by_its_test(output: tuple[str, str], test: str) -> None:
    """By the names of its page and its command."""
    text = (ROOT / test).read_text()
    assert [each for each in output if f'"{each}' not in text] == []


COLUMNS: Final[Mapping[str, list[str]]] = {
    word: ["NAME", *(each["name"].upper() for each in columns if not each.get("priority"))]
    for crd in crds()
    for names, columns in [(crd["spec"]["names"], crd["spec"]["versions"][0]["additionalPrinterColumns"])]
    for word in (names["plural"], names["singular"], *names.get("shortNames", ()))
}


def test_every_table_of_kubectl_has_the_columns_of_its_kind() -> None:
    """As `kubectl get` prints them without `--output`."""
    tables = [
        (block.place, words[2], command.output[0].split())
        for block, command in commands_with_output()
        for words in [shlex.split(command.text)]
        if words[:2] == ["kubectl", "get"] and command.output[0].startswith("NAME ")
    ]

    assert len(tables) >= 8
    assert [each for each in tables if each[2] != COLUMNS[each[1]]] == []


def test_the_judge_prints_what_the_readme_shows() -> None:
    """Verdict and message, as jq takes them from the answer."""
    command = command_of("README.md", "echo")
    line = " ".join(shlex.split(command.text.partition(" | ")[0])[1:])
    out = io.StringIO()

    answer_lines([line], out)

    answer = json.loads(out.getvalue())
    assert command.text.endswith("| agentrollouts judge | jq -r .verdict,.message")
    assert command.output == [answer["verdict"], answer["message"]]


def test_lint_prints_what_its_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the file of the page."""
    command = command_of("docs/lint.md", "agentrollouts lint")
    [text] = [text for text in blocks(page("lint.md"), "yaml") if text.startswith("# rollout.yaml")]
    (tmp_path / "rollout.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    assert main(shlex.split(command.text)[1:]) == 1
    assert capsys.readouterr().out.splitlines() == command.output


@pytest.mark.timeout(900)  # it computes for half a minute, beside others
def test_the_simulation_prints_what_its_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For the files of the example; the same seed gives the same day."""
    command = command_of("docs/simulate.md", "agentrollouts simulate")
    shutil.copytree(ROOT / "examples" / "simulate", tmp_path / "simulate")
    monkeypatch.chdir(tmp_path / "simulate")

    assert main(shlex.split(command.text)[1:]) == 0
    assert agrees(command.output, capsys.readouterr().out)


def a_release(name: str, prompt: str, model: str, *tools: str) -> dict[str, Any]:
    """A release of the support agent, with tools that act."""
    items = [{"name": tool, "version": "1.0.0", "externalAction": True} for tool in tools]
    components = {
        "prompt": {"version": prompt, "inline": {"system": f"Prompt {prompt}"}},
        "model": {"version": model, "provider": "openai", "name": f"gpt-x-{model}"},
        **({"tools": {"version": "1.0.0", "items": items}} if tools else {}),
    }
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRelease",
        "metadata": {"name": name, "namespace": "support"},
        "spec": {"agent": "support-agent", "version": name.rpartition("-")[2], "components": components},
    }


def test_the_plan_prints_what_the_page_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a rollout with a cap and a hook for one of two tools."""
    command = command_of("docs/readiness.md", "agentrollouts plan")
    repair = {
        "name": "reverse",
        "at": "AfterRollback",
        "job": {"cronJob": "reverse"},
        "forTools": ["issue_refund"],
    }
    rollout = {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"name": "support-agent", "namespace": "support"},
        "spec": {
            "agent": "support-agent",
            "releaseRef": {"name": "support-agent-4.2.0"},
            "caps": [{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "50"}],
            "hooks": [repair],
        },
    }
    release = a_release("support-agent-4.2.0", "3.2.0", "2.0.0", "issue_refund", "send_mail")
    (tmp_path / "support-agent.yaml").write_text(yaml.safe_dump_all([rollout, release]))
    words = shlex.split(command.text.replace("support-agent.yaml", str(tmp_path / "support-agent.yaml")))

    assert main(words[1:]) == 0
    assert agrees(command.output, capsys.readouterr().out)


def test_derive_prints_what_its_page_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a release with a new prompt and a new model, whose prompt is rolled back."""
    releases = [
        a_release("support-agent-4.1.0", "3.1.0", "2.0.0"),
        a_release("support-agent-4.2.1", "3.2.0", "2.1.0"),
    ]
    (tmp_path / "releases.yaml").write_text(yaml.safe_dump_all(releases))
    [command] = re.findall(r"^    agentrollouts (derive .*) > .*$", page("deriving.md"), re.MULTILINE)

    assert main([*shlex.split(command), f"--file={tmp_path / 'releases.yaml'}"]) == 0
    assert capsys.readouterr().err.splitlines() == text_of("docs/deriving.md", "support-agent-4.2.2")


def test_evals_prints_what_its_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """For the recorded files."""
    files = [str(RECORDED / f"promptfoo-{side}.json") for side in ("stable", "canary")]

    assert main(["evals", "promptfoo", *files]) == 0
    assert capsys.readouterr().err.splitlines() == text_of("docs/deriving.md", "stable:")


async def test_deps_prints_what_its_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """For two agents, of which one requires the other."""
    assert await deps(having(support(), billing("2.1.0", "1.9.0")), NAMESPACE, as_json=False) == 0
    assert capsys.readouterr().out.splitlines() == text_of("docs/requirements.md", "billing-agent")


def test_the_library_says_what_its_page_shows() -> None:
    """For a bundle without content and the facts of `docs/files.md`; the page shortens the digests."""
    [facts] = blocks(section(page("files.md"), "release.json"), "json")

    with pytest.raises(StartError) as caught:
        verify({"bundle.json": b"{}", "release.json": facts.encode()}, "/etc/agent")
    short = re.sub(r"(sha256:\w{12})\w+", r"\1...", str(caught.value))
    assert [short] == text_of("docs/agent.md", "/etc/agent")


def test_the_message_of_a_group_is_what_its_page_shows() -> None:
    """Apart from the cause."""
    start = datetime(2026, 11, 21, tzinfo=UTC)
    harm = Harm(3, "billing-agent-2.0.0", start, start, "errors: ...")

    sentence = Due(Change("support-agent-4.2.0", start), "billing-agent", harm).sentence("checkout")

    assert [sentence] == text_of("docs/groups.md", "support-agent-4.2.0")


def test_the_excerpt_of_the_readme_is_part_of_the_demo() -> None:
    """Each line, in this order."""
    demo = iter(text_of("docs/demo.md", "A bad release"))

    assert [line for line in text_of("README.md", "0:38") if line not in demo] == []
