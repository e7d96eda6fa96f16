"""`agentrollouts_agent.load`: what is verified, what a refusal looks like, and that nothing changes later."""

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release import bundle as operator_bundle
from agentrollouts_agent import StartError, load, verify
from sandbox import scenarios
from tests.agent.snapshots import COMPONENTS, NAME, mount, snapshot
from tests.inside import ROOT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
START = "from agentrollouts_agent import load; load({!r}); print('started')"


def start(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run an agent that only loads its bundle, without any installed package."""
    return subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-S", "-c", START.format(str(folder))],
        env={"PYTHONPATH": str(ROOT / "agent")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bundle_has_the_components_and_the_identity(tmp_path: Path) -> None:
    """What the operator wrote arrives as it is, and equals plain JSON."""
    bundle = load(mount(tmp_path, snapshot()))

    assert dict(bundle) == COMPONENTS
    assert bundle["prompt"]["content"]["examples"] == ["Q: hi A: hello"]
    assert (bundle.identity.agent, bundle.identity.release) == ("support-agent", NAME)


@pytest.mark.parametrize("name", scenarios.names())
def test_library_and_operator_agree_on_the_digest(tmp_path: Path, name: str) -> None:
    """The identity of a bundle is the digest that the operator computed."""
    resolved = operator_bundle.resolve(AgentRelease.model_validate(scenarios.load_release(name)), {})
    assert isinstance(resolved, operator_bundle.Bundle)
    facts = {"agent": "a", "digest": resolved.digest, "name": name, "version": "1"}
    files = {"bundle.json": resolved.text.encode(), "release.json": json.dumps(facts).encode()}

    assert load(mount(tmp_path, files)).identity.digest == resolved.digest


@given(st.dictionaries(st.text(), JSON, max_size=3), st.data())
def test_a_changed_bundle_never_loads(components: dict[str, Any], data: st.DataObject) -> None:
    """Whatever bytes are inserted, removed or replaced, the digest no longer fits."""
    files = snapshot(components)
    text = files["bundle.json"]
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    changed = text[:begin] + data.draw(st.binary(max_size=8)) + text[end:]
    assume(changed != text)

    assert dict(verify(files, "here")) == components
    with pytest.raises(
        StartError, match=r"^here: bundle\.json has digest sha256:\w+, release\.json says sha"
    ):
        verify(files | {"bundle.json": changed}, "here")


@given(JSON | st.binary())
def test_a_file_without_a_digest_is_refused(content: object) -> None:
    """Any other `release.json` is refused in one sentence, and by no other error."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()

    with pytest.raises(StartError, match="here is not a snapshot") as caught:
        verify(snapshot() | {"release.json": text}, "here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bundle.json": b"{}"}, "bundle.json has digest sha256:44136fa355b3678a"),
        ({"release.json": b"{}"}, "is not a snapshot: it needs bundle.json, and release.json with digest"),
        ({"bundle.json": None}, "/bundle.json: No such file or directory"),
        ({"release.json": None}, "/release.json: No such file or directory"),
        (snapshot([1]), "bundle.json must be an object of components"),
    ],
)
def test_a_wrong_or_missing_digest_stops_the_start(
    tmp_path: Path, change: dict[str, bytes | None], sentence: str
) -> None:
    """The process ends with code 1 and one sentence; it shows no traceback and does not start."""
    files = {name: text for name, text in (snapshot() | change).items() if text is not None}

    done = start(mount(tmp_path, files))

    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_digest_of_the_workload_is_verified_too(tmp_path: Path) -> None:
    """A pod whose variable AGENT_DIGEST names another bundle than its volume has does not start."""
    folder = mount(tmp_path, snapshot())
    digest = load(folder).identity.digest

    assert start(folder, AGENT_DIGEST=digest).stdout == "started\n"
    done = start(folder, AGENT_DIGEST="sha256:0")
    assert (done.returncode, done.stderr) == (
        1,
        f"{folder}: bundle.json has digest {digest}, AGENT_DIGEST is sha256:0\n",
    )


def test_the_name_is_that_of_the_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over the variable AGENT_RELEASE, and that one over the file, which releases share."""
    folder = mount(tmp_path, snapshot())
    assert load(folder).identity.release == NAME
    monkeypatch.setenv("AGENT_RELEASE", "support-agent-4.2.1")
    assert load(folder).identity.release == "support-agent-4.2.1"
    assert load(folder, release="mine").identity.release == "mine"


CHANGES: list[Callable[[Any], object]] = [
    lambda bundle: bundle["prompt"].update(content={}),
    lambda bundle: bundle["prompt"]["content"].pop("system"),
    lambda bundle: bundle["prompt"]["content"].__setitem__("system", "Be rude."),
    lambda bundle: bundle["prompt"]["content"]["examples"].append("Q: hi A: go away"),
    lambda bundle: bundle["prompt"]["content"]["examples"].__iadd__(["more"]),
    lambda bundle: bundle.__setitem__("prompt", {}),
    lambda bundle: setattr(bundle, "components", {}),
    lambda bundle: setattr(bundle.identity, "release", "another"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_in_a_bundle_can_be_changed(change: Callable[[Any], object]) -> None:
    """At any depth."""
    bundle = verify(snapshot(), "here")

    with pytest.raises((TypeError, AttributeError)):
        change(bundle)
    assert dict(bundle) == COMPONENTS


def test_a_copy_can_be_changed() -> None:
    """Libraries that write into what they are given get a plain copy, and JSON of it is the same text."""
    files = snapshot()
    components = verify(files, "here").components

    for copied in (copy.deepcopy(components), pickle.loads(pickle.dumps(components))):  # noqa: S301 our own
        assert type(copied) is type(copied["prompt"]) is dict
        copied["prompt"]["content"]["examples"].append("more")
    text = json.dumps(components, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text.encode() == files["bundle.json"]
