"""`agentrollouts derive`: what it prints from files, from a cluster, and from a snapshot alone.

The digest of what is printed is computed from its text, as the operator would read it.
"""

import copy
import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.components import COMPONENTS
from agentrollouts.api.release import AgentRelease
from agentrollouts.cli.admission import refusals
from agentrollouts.cli.arguments import parse
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.cli.reading import read_objects
from agentrollouts.cli.release.derive import derive_online, run_derive
from agentrollouts.cli.release.written import as_yaml
from agentrollouts.core.release.bundle import Bundle, resolve
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.snapshot import snapshot_write
from testkit.builders.names import NAMESPACE
from tests.cli.cluster import FakeCluster

EXAMPLES: Final = Path(__file__).parents[3] / "crds" / "examples" / "valid"
BASE, OTHER, NEXT = (f"support-agent-{version}" for version in ("4.2.1", "4.1.0", "4.2.2"))
CONFIG_MAPS: Final = {"support-guardrails": {"a": "b"}}


def a_release(name: str, **components: Any) -> Manifest:  # noqa: ANN401 any component
    """The example that has every field, by that name and with these components; None for one without."""
    manifest = yaml.safe_load((EXAMPLES / "release-full.yaml").read_text())
    manifest["metadata"] |= {"name": name, "namespace": NAMESPACE}
    spec = manifest["spec"]
    spec |= {"version": name.removeprefix("support-agent-"), "agent": "support-agent"}
    spec["serving"]["service"]["name"] = name.replace(".", "-")
    for key, value in components.items():
        spec["components"].pop(key, None)
        if value is not None:
            spec["components"][key] = value
    return dict(json.loads(json.dumps(manifest, default=str)))


PROMPT: Final = {
    "version": "3.0.5",
    "inline": {"system": "Line 1\n  Line 2\n", "odd": ["1e3", "on", "0x1", ""]},
}
BASE_RELEASE: Final = a_release(BASE)
OTHER_RELEASE: Final = a_release(OTHER, prompt=PROMPT, tools=None, knowledge=None)


def bundle_of(manifest: Manifest) -> Bundle:
    """The bundle of a release."""
    maps = {name: ConfigMapData(data) for name, data in CONFIG_MAPS.items()}
    whole = {**manifest, "metadata": manifest["metadata"] | {"uid": "u", "generation": 1}}
    bundle = resolve(AgentRelease.model_validate(whole), maps)
    assert isinstance(bundle, Bundle), bundle
    return bundle


def snapshot_of(manifest: Manifest) -> Manifest:
    """Its snapshot, as the operator writes it."""
    whole = {**manifest, "metadata": manifest["metadata"] | {"uid": "u", "generation": 1}}
    release = AgentRelease.model_validate(whole)
    return copy.deepcopy(dict(snapshot_write(release, bundle_of(manifest)).manifest))


def files(folder: Path, *objects: Manifest) -> str:
    """A file with these objects, and the ConfigMaps that they refer to."""
    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        for name, data in CONFIG_MAPS.items()
    ]
    path = folder / "objects.yaml"
    path.write_text("---\n".join(map(as_yaml, [*objects, *maps])))
    return str(path)


def run(*arguments: str) -> int:
    """The command with these arguments, as the process would run it."""
    _, options = parse(["derive", *arguments])
    return run_derive(options)


def told(capsys: pytest.CaptureFixture[str], folder: Path) -> tuple[Manifest, str]:
    """The release that was printed, as kubectl reads it and the API server accepts it; and the notes."""
    output = capsys.readouterr()
    path = folder / "printed.yaml"
    path.write_text(output.out)
    [manifest] = yaml.safe_load_all(output.out)
    assert refusals(manifest) == ()
    read_objects(str(path))
    return manifest, output.err


def test_one_component_comes_from_another_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All else is the base's; the parent, the description, the version and the Service are the new one's."""
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE)
    assert run(BASE, "--version=4.2.2", f"--take=prompt={OTHER}", "-f", path) == 0
    derived, notes = told(capsys, tmp_path)

    assert bundle_of(derived) == bundle_of(a_release(NEXT, prompt=PROMPT))
    assert derived["spec"]["components"].keys() == BASE_RELEASE["spec"]["components"].keys()
    old = BASE_RELEASE["spec"]["components"]["prompt"]["version"]
    assert {key: value for key, value in derived["spec"].items() if key != "components"} == {
        "agent": "support-agent",
        "version": "4.2.2",
        "parent": {"name": BASE},
        "description": f"Derived from {BASE}: prompt 3.0.5 of {OTHER} instead of {old}",
        "riskTier": BASE_RELEASE["spec"]["riskTier"],
        "requires": BASE_RELEASE["spec"]["requires"],
        "serving": {"service": {"name": "support-agent-4-2-2", "port": 8080}},
    }
    assert derived["metadata"]["name"] == NEXT
    bundle = bundle_of(derived)
    assert notes.splitlines() == [
        f"{NEXT} differs from {BASE}:",
        f"  prompt {old} to 3.0.5 (Minor)",
        f"digest {bundle.digest}, snapshot support-agent-{bundle.digest[7:23]}",
    ]


@pytest.mark.parametrize("way", ["all", "each"])
def test_all_components_of_a_release_give_its_digest(
    way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So it is known as healthy, and switched to at once; what that release lacks is removed."""
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE)
    names = (
        ["all"]
        if way == "all"
        else [name for name in COMPONENTS if name in BASE_RELEASE["spec"]["components"]]
    )
    assert run(BASE, "--version=4.2.2", *(f"--take={name}={OTHER}" for name in names), "-f", path) == 0
    derived, notes = told(capsys, tmp_path)

    assert bundle_of(derived).digest == bundle_of(OTHER_RELEASE).digest
    assert f"{OTHER} has the same digest" in notes
    assert "(Removed)" in notes


async def online(api: FakeCluster, *arguments: str) -> int:
    """The command against an API server in memory."""
    _, options = parse(["derive", *arguments])
    return await derive_online(api, NAMESPACE, options)


def cluster(*, without: str = "") -> FakeCluster:
    """Both releases with their snapshots; one of them is deleted, and its ConfigMap has changed since."""
    api = FakeCluster()
    for manifest in (BASE_RELEASE, OTHER_RELEASE):
        snapshot = snapshot_of(manifest)
        api.put(snapshot)
        status = {"digest": bundle_of(manifest).digest, "snapshot": {"name": snapshot["metadata"]["name"]}}
        if manifest["metadata"]["name"] != without:
            api.put(manifest | {"status": status})
    return api


@pytest.mark.parametrize("gone", ["", OTHER, BASE])
async def test_a_release_that_is_gone_is_read_from_its_snapshot(
    gone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The derived bundle is the same, whether the base or the other release was deleted."""
    assert await online(cluster(without=gone), BASE, "--version=4.2.2", f"--take=prompt={OTHER}") == 0
    derived, notes = told(capsys, tmp_path)

    assert bundle_of(derived) == bundle_of(a_release(NEXT, prompt=PROMPT))
    assert "configMapRef" not in str(derived), (
        "what a ConfigMap had is in the snapshot, and may differ by now"
    )
    assert bundle_of(derived).digest in notes
    assert ("serving" in derived["spec"]) is (gone != BASE)


async def test_a_name_that_exists_or_does_not_is_refused() -> None:
    """Nothing is guessed, and nothing is overwritten."""
    taken = cluster()
    taken.put(a_release(NEXT))
    with pytest.raises(WrongUseError, match=r"AgentRelease support-agent-4\.2\.2 exists"):
        await online(taken, BASE, "--version=4.2.2", f"--take=prompt={OTHER}")
    with pytest.raises(WrongUseError, match="faq-1: no AgentRelease, and no snapshot of it"):
        await online(cluster(), BASE, "--version=4.2.2", "--take=prompt=faq-1")


async def test_a_snapshot_that_someone_altered_is_refused() -> None:
    """Its name says which digest it had."""
    api = cluster(without=OTHER)
    for each in api.objects.values():
        if each["kind"] == "ConfigMap":
            each["data"]["bundle.json"] = each["data"]["bundle.json"].replace("Line 1", "Line 9")
    with pytest.raises(WrongUseError, match="is not its snapshot as the operator wrote it"):
        await online(api, BASE, "--version=4.2.2", f"--take=prompt={OTHER}")


OF_ANOTHER: Final = a_release("support-agent-1.0.0")
OF_ANOTHER["spec"]["agent"] = "faq-agent"
BREAKING: Final = a_release("support-agent-5.0.0", prompt={"version": "9.0.0", "inline": {"system": "New."}})
PROMPT_RANGE: Final = BASE_RELEASE["spec"]["components"]["tools"]["compatiblePrompt"]
UNFIT: Final = (
    f"spec.components.tools.compatiblePrompt accepts {PROMPT_RANGE}, but spec.components.prompt.version is "
    "9.0.0; change one of them"
)
FOREIGN: Final = (
    f"--take: support-agent-1.0.0 is of agent faq-agent, but {BASE} is of support-agent; take it from a "
    "release of support-agent"
)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([f"--take=prompt={BASE}"], f"--take: nothing changes: prompt is as in {BASE} already"),
        ([f"--take=model={OTHER}"], f"--take: nothing changes: model is as in {BASE} already"),
        ([], "--take: is missing; name a component and a release, as prompt=support-agent-4.1.0"),
        ([f"--take=promt={OTHER}"], f"--take: promt is not a component; name one of {', '.join(COMPONENTS)}"),
        ([f"--take=prompt={OTHER}", f"--take=prompt={OTHER}"], "--take: prompt is taken twice; remove one"),
        (
            ["--take=prompt=support-agent-1.0.0"],
            FOREIGN,
        ),
        (
            ["--take=prompt=support-agent-5.0.0"],
            UNFIT,
        ),
        (["--set=color=red"], "--set: color cannot be set; use model, or a version such as prompt.version"),
        (
            ["--set=model=gpt-y"],
            "--set: model: must be a provider and a name, such as openai/gpt-x-2026-08-01",
        ),
        (["--set=prompt.version=3"], "--set: prompt.version: is not a semantic version; write it as 3.2.1"),
        (
            [f"--take=prompt={OTHER}", f"--name={OTHER}"],
            f"--name: AgentRelease {OTHER} exists, and cannot be changed; give another one",
        ),
    ],
)
def test_what_cannot_be_derived_is_refused_by_a_sentence(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed to standard output, and the exit code is 2."""
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE, OF_ANOTHER, BREAKING)
    code = run(BASE, "--version=4.2.2", *arguments, "-f", path)
    output = capsys.readouterr()
    assert (code, output.out, output.err) == (2, "", f"{sentence}\n")


def test_a_version_that_is_not_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the option that is wrong."""
    path = files(tmp_path, BASE_RELEASE, OTHER_RELEASE)
    assert run(BASE, "--version=4.2", f"--take=prompt={OTHER}", "-f", path) == 2
    assert capsys.readouterr().err.startswith("--version: is not a semantic version")


def test_another_model_is_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its version rises by a minor one unless it is given, and the date of the old model is dropped."""
    path = files(tmp_path, BASE_RELEASE)
    old = BASE_RELEASE["spec"]["components"]["model"]
    assert "releaseDate" in old
    for more, version in ((), None), (("--set=model.version=7.0.0",), "7.0.0"):
        assert run(BASE, "--version=4.2.2", "--set=model=some/m/n", *more, "-f", path) == 0
        derived, notes = told(capsys, tmp_path)
        model = derived["spec"]["components"]["model"]
        assert (model["provider"], model["name"], "releaseDate" in model) == ("some", "m/n", False)
        assert version in {None, model["version"]}
        assert model["version"] != old["version"]
        assert f"{old['provider']}/{old['name']} to some/m/n" in notes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "- 1",
        "kind: AgentRelease",
        "apiVersion: agentrollouts.dev/v1alpha1\nkind: AgentRelease\nmetadata: []\nspec: 5",
        "a: &a [*a]",
        "{" * 3000,
        "\x00",
        "kind: ConfigMap\nmetadata: {name: x, labels: 5}\ndata: 7",
        "kind: ConfigMap\nmetadata: 5",
    ],
)
def test_a_malformed_file_gives_a_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a traceback; the exit code is 2."""
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    assert run(BASE, "--version=4.2.2", f"--take=prompt={OTHER}", "-f", str(path)) == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["../x", "--version=1.0.0"],
        [BASE, "--version=1.0.0", "--take=prompt"],
        [BASE, "--version=1.0.0", "--take=prompt=a/b"],
        [BASE, "--version=1.0.0", f"--take=prompt={'a' * 64}"],
    ],
)
def test_a_name_that_is_not_one_is_refused(arguments: list[str]) -> None:
    """By argparse, before anything is read."""
    with pytest.raises(SystemExit) as refused:
        parse(["derive", *arguments])
    assert refused.value.code == 2


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-(2.0**53), 2.0**53)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x85"), max_size=8)
    | st.sampled_from(
        ["on", "1e3", "0o7", "12:30", "~", "=", "2026-01-01", "a: b", "#x", " a", "a\n", "\n b"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_any_content_is_read_again_as_it_was(value: object) -> None:
    """By a reader of YAML 1.1; text that a newer reader would take for a number is quoted."""
    text = as_yaml({"value": value})
    assert yaml.safe_load(text) == {"value": value}
    for line in as_yaml({"v": "1e3"}), as_yaml({"v": "0o7"}), as_yaml({"v": "No"}):
        assert line.count('"') == 2
