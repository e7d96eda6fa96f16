"""Input: files that are no plain YAML. Output of `lint`: a sentence with a line, and all other findings."""

import io
import json
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.cli.lint.documents import Found
from agentrollouts.cli.lint.finding import Finding
from agentrollouts.main import main
from tests.cli.lint.test_lint import RELEASE, ROLLOUT

WRONG: Final = ROLLOUT.replace("error-rate", "mood")
"""The template, in line 9, does not exist."""
LEVELS: Final = 9
LAUGHS: Final = "".join(
    f"l{level}: &l{level} [{', '.join([f'*l{level - 1}' if level else 'ha'] * 10)}]\n"
    for level in range(LEVELS)
)
"""A billion of them."""
DEEP: Final = 20_000
DEEP_YAML: Final = 10_000
"""Also more than Python nests, even where Hypothesis has raised the limit; PyYAML takes quadratic time."""

LAUGHED: Final = "1 is not YAML: found aliases that repeat more than "
TOO_DEEP: Final = "1 is nested too deeply to be read; make it flatter"
FALSE_TAG: Final = "10 is not YAML: found a value that is not"
UNREADABLE: Final[dict[str, tuple[bytes, str]]] = {
    "a repeated key": (f"{ROLLOUT}spec: {{}}\n".encode(), "10 is not YAML: found the key"),
    "tabs": (ROLLOUT.replace("  agent", "\tagent").encode(), "5 is not YAML: found character "),
    "a billion laughs": (f"{ROLLOUT}{LAUGHS}".encode(), LAUGHED),
    "merged laughs": (
        f"{ROLLOUT}{LAUGHS.replace('[', '{<<: [').replace(']', ']}').replace('ha', '{a: 1}')}".encode(),
        LAUGHED,
    ),
    "a loop": (f"{ROLLOUT}x: &x [*x]\n".encode(), "1 contains itself, a key that is not text, or a number"),
    "an anchor that is not there": (f"{ROLLOUT}x: *y\n".encode(), "10 is not YAML: found undefined"),
    "lists in lists": (f"{ROLLOUT}x: {'[' * DEEP_YAML}".encode(), TOO_DEEP),
    "maps in JSON": (
        b'{"kind": "AgentRollout", "spec": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        TOO_DEEP,
    ),
    "halves of a character": (f'{ROLLOUT}x: "\\ud83d\\ude42"\n'.encode(), "10 is not YAML: found half of a "),
    "an escape of JSON": (f'{ROLLOUT}x: "\\/"\n'.encode(), "10 is not YAML: found unknown escape"),
    "a null key": (f"{ROLLOUT}~: x\n".encode(), "10 is not YAML: found null as a key"),
    "a tag of Python": (f"{ROLLOUT}x: !!python/name:os.system\n".encode(), "10 is not YAML: could not "),
    "infinity": (f"{ROLLOUT}x: .inf\n".encode(), "10 is not YAML: found .inf, a number that JSON "),
    **{
        f"{value} as {tag}": (f"{ROLLOUT}x: {tag} {value}\n".encode(), f"{FALSE_TAG} {tag}")
        for tag, value in (
            ("!!bool", "maybe"), ("!!float", "x"), ("!!timestamp", "x"), ("!!timestamp", "2026-13-45"),
            ("!!binary", "/w=="),
        )
    },
    "a list as a map": (f"{ROLLOUT}x: !!map [a]\n".encode(), "10 is not YAML: expected a mapping node"),
    "another encoding": (RELEASE.replace("kind.", "nü").encode("latin1"), "8 is not UTF-8; save it"),
    "two bytes a character": (ROLLOUT.encode("utf-16"), "1 is not UTF-8; save it as UTF-8"),
    "a control character": (RELEASE.replace("kind.", "\x1b[2J").encode(), "8 is not YAML: has "),
    "half of JSON": (b'\n{"kind": "AgentRollout"', "2 is not YAML: expected ',' or '}'"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_read_is_a_sentence(
    data: bytes, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its line and an exit code of 1, and without a traceback."""
    file = tmp_path / "objects.yaml"
    file.write_bytes(data)

    code = main(["lint", "-f", str(file)])

    [line] = capsys.readouterr().out.removeprefix(f"{file}:").splitlines()
    assert (code, line[: len(expected)]) == (1, expected)


def test_a_broken_document_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ones before and after it are checked; a broken one of another kind does not matter."""
    file = tmp_path / "objects.yaml"
    file.write_text(f"{WRONG}---\nkind: AgentRollout: x\n---\nkind: {{{{\n---\n\n---\n{WRONG}")

    code = main(["lint", "-f", str(file)])

    lines = [line.removeprefix(f"{file}:") for line in capsys.readouterr().out.splitlines()]
    assert (code, [line.partition(" ")[0] for line in lines]) == (1, ["9", "11", "25"])


READ_AS_USUAL: Final = {
    "a byte order mark": "\ufeff" + WRONG,
    "lines of Windows": WRONG.replace("\n", "\r\n"),
    "lines of old": WRONG.replace("\n", "\r"),
    "ends of documents": f"---\n...\n---\n{WRONG}...\n",
    "anchors": WRONG.replace("name: errors", "name: &name errors") + "  watch: {gates: [*name]}\n",
    "a merge": WRONG.replace("- name: errors", "- <<: {name: errors}"),
    "a document on the line of its separator": "--- " + json.dumps({"kind": "Service"}) + f"\n---\n{WRONG}",
}


@pytest.mark.parametrize("text", READ_AS_USUAL.values(), ids=list(READ_AS_USUAL))
def test_other_forms_of_the_same_file_are_read(text: str) -> None:
    """The line is the one that an editor shows."""
    found = Found()
    found.add("file", text.encode())

    [document] = found.ours
    lines = text.replace("\r\n", "\n").replace("\r", "\n").splitlines()
    shown = document.finding("spec.gates[0].template: is wrong").line
    assert (found.findings, "template: mood" in lines[shown - 1]) == ([], True)


STREAM: Final = "\n".join(json.dumps(yaml.safe_load(each), indent=1) for each in (RELEASE, WRONG, WRONG))
LISTS: Final = {
    "a list of one kind": {"kind": "AgentRolloutList"},
    "a list of anything": {"apiVersion": "v1", "kind": "List"},
    "a list for functions of kustomize": {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList"},
}


def test_objects_of_json_follow_each_other() -> None:
    """As `jq` writes them, and kubectl reads them; each line is the one that an editor shows."""
    found = Found()
    found.add("file", f"\n{STREAM}\n".encode())

    lines = f"\n{STREAM}".splitlines()
    wrong = [each.finding("spec.gates[0].template: is wrong").line for each in found.ours[1:]]
    assert (len(found.ours), found.findings) == (3, [])
    assert [number + 1 for number, line in enumerate(lines) if "mood" in line] == wrong


@pytest.mark.parametrize("head", LISTS.values(), ids=list(LISTS))
def test_a_list_is_its_items(head: dict[str, str]) -> None:
    """Also one of the API server, whose items say neither their kind nor their version."""
    whole = yaml.safe_load(WRONG)
    shown = whole if head["kind"] != "AgentRolloutList" else {k: whole[k] for k in ("metadata", "spec")}
    listed = {"apiVersion": whole["apiVersion"], **head, "items": [shown, {**head, "items": [whole]}]}
    found = Found()
    found.add("file", json.dumps(listed).encode())

    assert (found.findings, [each.manifest for each in found.ours]) == ([], [whole, whole])


def test_standard_input_can_be_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that are not text are a finding as well."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: b\n\xff")))

    assert main(["lint", "-f", "-"]) == 1
    assert capsys.readouterr().out == "stdin:2 is not UTF-8; save it as UTF-8\n"


MARKS: Final = (
    "---\n",
    "- ",
    "  ",
    "&a ",
    "*a",
    "<<: ",
    "!!x ",
    "|\n",
    ": ",
    "\t",
    "\r",
    "? ",
    "%Y\n",
    *"'\"#{[",
)
PIECES: Final = st.sampled_from(
    [*ROLLOUT.splitlines(keepends=True), *RELEASE.splitlines(keepends=True), *MARKS, "kind: List\nitems:\n"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join))
@example(f"{ROLLOUT.replace('AgentRollout', '[AgentRollout]')}")
@example("kind: List\nitems: [[agentrollouts.dev/]]")
@example("apiVersion: agentrollouts.dev/v1\n")
@example("{kind: AgentRollout, metadata: 5, spec: {gates: [{name: {}}]}}")
@example("kind: AgentRollout\n? [a]\n: b")
def test_any_text_is_read_or_is_a_finding(text: str) -> None:
    """No text ends the command with a traceback, and every line is within the file."""
    found = Found()
    found.add("file", text.encode(errors="surrogatepass"))

    last = max(1, text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1)
    assert all(1 <= each.line <= last for each in found.findings)


@given(st.text(), st.text(), st.text(), st.text())
def test_a_finding_is_one_line_of_text(file: str, title: str, field: str, sentence: str) -> None:
    """Whatever its parts are: printable, and for GitHub one workflow command."""
    finding = Finding(file, 7, title, field, sentence)

    for line in (finding.as_text(), finding.as_github()):
        assert (line.isprintable(), line.encode().decode()) == (True, line)
    level, _, rest = finding.as_github().removeprefix("::").partition(" ")
    properties = dict(each.split("=", 1) for each in rest.partition("::")[0].split(","))
    assert (level, properties["line"]) == ("error", "7")
    assert properties.keys() <= {"file", "line", "title"}
