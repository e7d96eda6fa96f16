"""Input: files as people and tools write them. Output: the lines and exit code of `agentrollouts lint`."""

import io
import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.main import main

EXAMPLES: Final = Path(__file__).parents[3] / "crds" / "examples"
VALID: Final = sorted((EXAMPLES / "valid").glob("*.yaml"))
INVALID: Final = sorted((EXAMPLES / "invalid").glob("*.yaml"))
MARK: Final = "# expect: "
"""Before what the API server says of an invalid example; tests/contract shows that it does."""

RELEASE: Final = """\
apiVersion: agentrollouts.dev/v1alpha1
kind: AgentRelease
metadata: {name: support-1.0.0, namespace: shop}
spec:
  agent: support
  version: 1.0.0
  components:
    prompt: {version: 1.0.0, inline: {system: Be kind.}}
    model: {version: 1.0.0, provider: openai, name: gpt-x}
"""
ROLLOUT: Final = """\
apiVersion: agentrollouts.dev/v1alpha1
kind: AgentRollout
metadata: {name: support, namespace: shop}
spec:
  agent: support
  releaseRef: {name: support-1.0.0}
  gates:
  - name: errors
    template: error-rate
"""
FREEZE: Final = """\
apiVersion: agentrollouts.dev/v1alpha1
kind: AgentFreeze
metadata: {name: a}
spec:
  reason: It is a test
"""
LIST: Final = "kind: List\nitems:\n- {kind: Service}\n- "
CRON_JOB: Final = "kind: CronJob\nmetadata: {name: undo, namespace: shop}\n"
USED: Final = "{deploymentRef: {name: it}, port: 8080}"
DEPLOYMENT: Final = "kind: Deployment\nmetadata: {name: it, namespace: shop}\nspec: {replicas: 2}\n"
ROUTE: Final = "  traffic: {httpRoute: {parentRefs: [{name: public}], hostnames: [support.example.com]}}\n"


def lint(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[str]]:
    """The exit code and the lines on standard output; nothing is on the other one."""
    code = main(["lint", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out.splitlines()


def lint_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, *arguments: str | Path
) -> tuple[int, list[str]]:
    """The same of a file with this text, without the name of the file."""
    file = tmp_path / "objects.yaml"
    file.write_text(text)
    code, lines = lint(capsys, "-f", file, *arguments)
    return code, [line.removeprefix(f"{file}:") for line in lines]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_is_a_finding(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One names the kind, and the field that the API server names."""
    comment, _, text = path.read_text().partition("\n")
    named = comment.removeprefix(MARK).strip('"').replace(":", " ").replace('"', " ").split()[0]

    code, lines = lint(capsys, "-f", path)

    kind = yaml.safe_load(text)["kind"]
    words = [line.removeprefix(f"{path}:").split(" ", 3) for line in lines]
    found = [(title.partition("/")[0], field) for _, title, field, _ in words]
    assert (code, any(title == kind and field.startswith(named) for title, field in found)) == (1, True), (
        lines
    )


def test_valid_examples_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them together, with the manifests of `gitops` and `examples`, and without a warning."""
    root = EXAMPLES.parents[1]
    assert lint(capsys, "-f", EXAMPLES / "valid", root / "gitops", root / "examples") == (0, [])


WRONG: Final = {
    "an unknown field": (
        ROLLOUT + "    maxratio: '1.1'\n",
        "10 AgentRollout/support spec.gates[0].maxratio unknown field; did you mean maxRatio?",
    ),
    "an absent field": (
        ROLLOUT.replace("    template: error-rate\n", ""),
        "8 AgentRollout/support spec.gates[0] Invalid value: must have exactly one of `template` ",
    ),
    "the second document": (
        f"# of the shop\n{RELEASE}--- # next\n{ROLLOUT.replace('error-rate', 'mood')}",
        "20 AgentRollout/support spec.gates[0].template there is no template mood; one of: ",
    ),
    "an item of a List": (
        LIST + FREEZE.replace("It is a test", "short").replace("\n", "\n  "),
        "8 AgentFreeze/a spec.reason Invalid value: say why in at least 8 characters",
    ),
    "a kind that does not exist": (
        ROLLOUT.replace("AgentRollout", "AgentRolout"),
        "2 AgentRolout/support kind unknown kind; write one of AgentRelease, ",
    ),
    "a version that does not exist": (
        ROLLOUT.replace("v1alpha1", "v2"),
        "1 AgentRollout/support apiVersion Invalid value: agentrollouts.dev/v2; write ",
    ),
    "a label whose name has dots and colons": (
        RELEASE.replace("namespace: shop", 'namespace: shop, labels: {"a.b/c: d": 5}'),
        "3 AgentRelease/support-1.0.0 metadata.labels.a.b/c: d Invalid value: must be of type string",
    ),
    "a selector": (
        ROLLOUT.replace("template: error-rate", "source: {bad: 'sum(a)', total: b}"),
        "9 AgentRollout/support spec.gates[0].source.bad must be one metric with matchers",
    ),
    "a field that its gate does not serve": (
        ROLLOUT + "    maxCount: 5\n",
        "10 AgentRollout/support spec.gates[0].maxCount ",
    ),
    "a watch of nothing": (
        f"{ROLLOUT}  watch:\n    gates:\n    - errors\n    - other\n",
        "13 AgentRollout/support spec.watch.gates[1] no gate other in spec.gates has a limit",
    ),
    "tools that do not fit": (
        RELEASE + '    tools: {version: 1.0.0, compatiblePrompt: ">=2.0.0"}\n',
        "10 AgentRelease/support-1.0.0 spec.components.tools.compatiblePrompt accepts >=2.0.0, but ",
    ),
    "a bundle that no ConfigMap holds": (
        RELEASE.replace("Be kind.", "Be kind - " * 110_000),
        "8 AgentRelease/support-1.0.0 spec.components.prompt The bundle has 1,100,",
    ),
    "a credential": (
        RELEASE.replace("Be kind.", "AKIAQWERTYUIOPASDFGH"),
        "8 AgentRelease/support-1.0.0 spec.components.prompt.inline.system looks like an AWS access key",
    ),
    "a release of another agent": (
        f"{RELEASE.replace('agent: support', 'agent: other')}---\n{ROLLOUT}",
        "16 AgentRollout/support spec.releaseRef.name support-1.0.0 is a release of agent other",
    ),
    "a hook that is not one": (
        f"{ROLLOUT}  hooks: [{{name: undo, at: AfterRollback, job: {{cronJob: undo}}}}]\n---\n{CRON_JOB}",
        "10 AgentRollout/support spec.hooks[0].job.cronJob CronJob undo of hook undo is not labeled",
    ),
    "a template with pods": (
        f"{RELEASE}---\n{ROLLOUT}{ROUTE}  workload: {USED}\n---\n{DEPLOYMENT}",
        "21 AgentRollout/support spec.workload.deploymentRef Deployment it has to be marked as a template",
    ),
    "a time zone of no place": (
        FREEZE + "  windows: [{schedule: 0 0 * * *, timeZone: Mars/City, durationSeconds: 60}]\n",
        "6 AgentFreeze/a spec.windows[0] time zone Mars/City is unknown; correct it",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=list(WRONG))
def test_a_mistake_is_one_line(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line, object, field and sentence; what the operator would refuse is found as well."""
    code, [line] = lint_text(capsys, tmp_path, text)
    assert (code, line[: len(expected)]) == (1, expected)


SWITCH_OFF: Final = ROLLOUT + "    action: SwitchOff\n" + ROUTE
DOUBTS: Final = {
    "nothing answers": (SWITCH_OFF, (), ["10 AgentRollout/support spec.gates[0].action warning: SwitchOff "]),
    "a fallback": (SWITCH_OFF + "  fallback: {service: {name: people, port: 8080}}\n", (), []),
    "another agent": (SWITCH_OFF + "  fallback: {rollout: {name: faq}}\n", (), []),
    "each other": (
        f"{SWITCH_OFF}  fallback: {{rollout: {{name: faq}}}}\n---\n"
        + SWITCH_OFF.replace("name: support,", "name: faq,").replace("agent: support", "agent: faq")
        + "  fallback: {rollout: {name: support}}\n",
        (),
        [
            "12 AgentRollout/support spec.fallback.rollout.name warning: faq falls back to this rollout; ",
            "25 AgentRollout/faq spec.fallback.rollout.name warning: support falls back to this rollout; ",
        ],
    ),
    "agents that split": (SWITCH_OFF.replace(ROUTE, ""), (), []),
    "what may be a credential": (
        RELEASE.replace("Be kind.", "postgres://app:support@db"),
        (),
        ["8 AgentRelease/support-1.0.0 spec.components.prompt.inline.system warning: might contain "],
    ),
    "too few runs": (
        ROLLOUT + "  phases:\n  - {name: first, weight: 5, durationSeconds: 3600}\n",
        ("--runs-per-hour", "1000"),
        [
            "8 AgentRollout/support spec.gates[0] warning: errors: 1.2% to 8.4% is caught in no phase",
            "11 AgentRollout/support spec.phases[0] warning: first: about 50 of the 100 canary runs",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments", "expected"), DOUBTS.values(), ids=list(DOUBTS))
def test_a_doubt_is_a_warning(
    text: str,
    arguments: tuple[str, ...],
    expected: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is printed, and the exit code stays 0."""
    code, lines = lint_text(capsys, tmp_path, text, *arguments)
    assert code == 0
    assert [line[: len(wanted)] for line, wanted in zip(lines, expected, strict=True)] == expected


CHANGES: Final = {
    "nothing": ("", "", None),
    "the agent of a release": ("agent: support", "agent: sales", "4 AgentRelease/support-1.0.0 spec "),
    "a component": ("gpt-x", "gpt-y", "9 AgentRelease/support-1.0.0 spec.components.model "),
    "content": ("Be kind.", "Be curt.", "8 AgentRelease/support-1.0.0 spec.components.prompt differs "),
    "the name": ("support-1.0.0", "support-1.0.1", None),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES.values(), ids=list(CHANGES))
def test_immutable_fields_are_compared_with_an_earlier_tree(
    old: str, new: str, expected: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A release of the same namespace and name is the one before; without --against none is."""
    before = tmp_path / "before"
    before.mkdir()
    (before / "release.yaml").write_text(RELEASE)
    text = RELEASE.replace(old, new) if old else RELEASE

    code, lines = lint_text(capsys, tmp_path, text, "--against", before)

    assert (code, [line[: len(expected or "")] for line in lines]) == (
        (1, [expected]) if expected else (0, [])
    )
    assert lint_text(capsys, tmp_path, text) == (0, [])


def test_the_tools_of_a_release_are_compared_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rules of an item see the item of that name before, wherever it is in the list."""
    tools = "    tools: {version: 1.0.0, items: [{name: a, version: 1.0.0}, {name: b, version: 1.0.0}]}\n"
    before = tmp_path / "before.yaml"
    before.write_text(RELEASE + tools)
    changed = tools.replace("b, version: 1.0.0", "b, version: 1.0.1")

    code, [line] = lint_text(capsys, tmp_path, RELEASE + changed, "--against", before)

    assert (code, line[:54]) == (1, "10 AgentRelease/support-1.0.0 spec.components.tools.it")


def test_an_action_that_was_created_cannot_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its whole spec is compared."""
    text = (EXAMPLES / "valid" / "action-hold.yaml").read_text()
    before = tmp_path / "before.yaml"
    before.write_text(text)
    changed = text.replace("reason: ", "reason: Again, ")
    assert changed != text

    code, [line] = lint_text(capsys, tmp_path, changed, "--against", before)

    assert (code, " spec " in line) == (1, True)


def test_github_shows_findings_beside_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors and warnings are workflow commands, in which no text of a file begins another command."""
    file = tmp_path / "a, b:100%.yaml"
    text = SWITCH_OFF.replace("support,", '"sup\\n::error::port",')
    file.write_text(f"{text}---\n{SWITCH_OFF}")

    assert main(["lint", "-f", str(file), "-o", "github"]) == 1
    first, second = capsys.readouterr().out.splitlines()

    where = str(file).replace("a, b:100%", "a%2C b%3A100%25")
    title = "title=AgentRollout/sup\\n%3A%3Aerror%3A%3Aport"
    assert first.startswith(f"::error file={where},line=3,{title}::metadata.name Invalid value: ")
    second_title = "title=AgentRollout/support"
    assert second.startswith(
        f"::warning file={where},line=22,{second_title}::spec.gates[0].action SwitchOff "
    )


def test_the_output_of_a_tool_is_read_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From standard input; other objects are counted on request, and not looked into."""
    other = "# Source: chart\nkind: Service\n---\n---\n# nothing\n---\nkind: {{ .Values.kind }}\n"
    text = f"{other}---\n{ROLLOUT}"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    code = main(["lint", "-f", "-", "-v"])

    assert (code, *capsys.readouterr()) == (0, "", "Objects: 1 checked, 2 of other kinds skipped\n")


def test_a_directory_is_read_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML and JSON at any depth, in the order of their names; hidden files and others are left alone."""
    wrong = ROLLOUT.replace("error-rate", "mood")
    for name in ("b/rollout.yml", ".git/rollout.yaml", "a.md", "c.yaml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(wrong)
    (tmp_path / "a.json").write_text(json.dumps(yaml.safe_load(wrong), indent="\t"))

    code, lines = lint(capsys, "-f", tmp_path)

    files = [line.removeprefix(f"{tmp_path}/").partition(" ")[0] for line in lines]
    assert (code, files) == (1, ["a.json:16", "b/rollout.yml:9", "c.yaml:9"])


MISUSE: Final[dict[str, tuple[list[str], str]]] = {
    "no file": ([], "the following arguments are required: -f/--file"),
    "a file that is not there": (["-f", "nothing.yaml"], "nothing.yaml: cannot be read: No such file"),
    "a tree that is not there": (["-f", "/dev/null", "--against", "no"], "no: cannot be read: No such file"),
    "no traffic": (["-f", "/dev/null", "--runs-per-hour", "0"], "must be a number above 0"),
    "no number": (["-f", "/dev/null", "--runs-per-hour", "x"], "must be a number above 0"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), MISUSE.values(), ids=list(MISUSE))
def test_wrong_usage_is_a_two(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Also if there are findings, so that a pipeline does not take a typing error for a clean run."""
    try:
        code: Any = main(["lint", *arguments])
    except SystemExit as error:
        code = error.code
    out, err = capsys.readouterr()
    assert (code, out, message in err) == (2, "", True), err
