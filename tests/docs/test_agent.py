"""`docs/agent.md`: its series, its names and its examples beside the catalog and the library."""

import re
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.api.names import LABEL_AGENT, LABEL_RELEASE
from agentrollouts.api.rollout import DEFAULT_GATES
from agentrollouts.core.gates.templates import STARTED, TEMPLATES
from agentrollouts_agent import conformance, verify
from tests.agent.snapshots import mount, snapshot
from tests.docs.blocks.shown import command_of
from tests.docs.pages import blocks, page, section

PAGE = page("agent.md")
SERIES = section(PAGE, "Series")
SUFFIXES = ("_bucket", "_count", "_sum")


def exported(series: str) -> str:
    """The name by which a client library knows a series: a histogram without the suffix of its parts."""
    return next((series.removesuffix(suffix) for suffix in SUFFIXES if series.endswith(suffix)), series)


def default_templates(convention: MetricConvention) -> set[str]:
    """The templates of the default gates that a convention has series for."""
    names = {str(gate.template) for gate in DEFAULT_GATES}
    return {name for name in names if convention in TEMPLATES[name].sources}


def test_the_page_names_the_series_of_the_default_gates() -> None:
    """For our own convention and OpenTelemetry, the table has each metric that a default gate reads."""
    shown = set(re.findall(r"`([a-z_]{8,})`", SERIES))
    for convention in (MetricConvention.AGENT_ROLLOUTS, MetricConvention.OPEN_TELEMETRY):
        sources = [TEMPLATES[name].sources[convention] for name in default_templates(convention)]
        needed = {exported(selector.metric) for source in sources for selector in (source.bad, source.total)}
        assert needed - shown == set()
    assert {selector.metric for selector in STARTED.values()} - shown == set()


def test_the_page_says_which_default_gates_a_convention_lacks() -> None:
    """Each row of a convention, and the sentence about missing series, agree with the catalog."""
    rows = [line.split("|")[1:] for line in SERIES.splitlines() if line.startswith("| ")]
    gates: dict[str, set[str]] = {}
    convention = ""
    for first, _, *rest in rows:
        convention = first.split()[0] if first.strip() else convention
        gates.setdefault(convention, set()).update(re.findall(r"`([\w-]+)`", rest[0]))

    assert {str(each): gates[str(each)] for each in MetricConvention} == {
        str(each): default_templates(each) for each in MetricConvention
    }


def test_the_table_has_every_name_that_the_library_sends() -> None:
    """Headers, baggage, attributes of the resource and fields of logs."""
    identity = verify(snapshot(), "here").identity
    table = set(re.findall(r"`([\w.-]+)`", PAGE.partition("\n## ")[0]))

    for names in (identity.headers(), identity.baggage(), identity.otel_resource(), identity.log_fields()):
        assert names.keys() - table == set()


def test_both_pages_wire_the_labels_alike() -> None:
    """The tutorial has the same relabelings, and they read the labels that the operator gives to pods."""
    [reference] = monitors(PAGE)
    [tutorial] = monitors(page("getting-started.md"))
    endpoints = [monitor["spec"]["podMetricsEndpoints"][0] for monitor in (reference, tutorial)]
    [relabeling] = endpoints[0]["relabelings"]
    meta = [
        f"__meta_kubernetes_pod_label_{re.sub(r'[./]', '_', name)}" for name in (LABEL_AGENT, LABEL_RELEASE)
    ]

    assert endpoints[0]["relabelings"] == endpoints[1]["relabelings"]
    assert [re.sub(relabeling["regex"], r"\1", name) for name in meta] == ["agent", "release"]


def monitors(text: str) -> list[dict[str, Any]]:
    """The PodMonitors on a page."""
    objects = [manifest for block in blocks(text, "yaml") for manifest in yaml.safe_load_all(block)]
    return [manifest for manifest in objects if manifest["kind"] == "PodMonitor"]


def test_the_first_example_runs(tmp_path: Path) -> None:
    """As it is written, with the files of a release at the path that it names."""
    example = blocks(PAGE, "python")[0].replace("/etc/agent", str(mount(tmp_path, snapshot())))
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 the example of our own page

    assert names["system"] == "Be kind."


def test_the_example_of_the_split_runs(tmp_path: Path) -> None:
    """As it is written, with `flags.json` as `docs/files.md` shows it."""
    flags = tmp_path / "flags.json"
    flags.write_text(blocks(section(page("files.md"), "flags.json"), "json")[0])
    names: dict[str, Any] = {}
    [example] = blocks(section(PAGE, "Split inside the agent"), "python")
    exec(example.replace("/etc/agent-traffic/flags.json", str(flags)), names)  # noqa: S102 as above

    assert names["choice"].release.startswith("support-agent-4.")
    assert names["choice"].snapshot.startswith("support-agent-")


@pytest.mark.parametrize("example", blocks(section(PAGE, "With a framework"), "python"))
def test_an_example_with_a_framework_takes_all_from_the_bundle(example: str) -> None:
    """Prompt and model, the baggage of its calls, and the names of its traces, by methods that exist."""
    identity = verify(snapshot(), "here").identity
    methods = set(re.findall(r"bundle\.identity\.(\w+)\(\)", example))

    assert methods == {"call_headers", "log_fields"}
    assert all(getattr(identity, name)() for name in methods)
    assert set(re.findall(r'bundle\["(\w+)"\]', example)) == {"prompt", "model"}


@pytest.mark.parametrize("example", blocks(PAGE, "python"))
def test_every_example_is_python(example: str) -> None:
    """That of FastAPI has no more than the line of the middleware beside what every application has."""
    compile(example, "docs/agent.md", "exec")
    assert len(example.splitlines()) <= 20


def test_the_conformance_test_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For an agent that keeps the contract and makes no call, as a process in place of a container."""
    command = command_of("docs/agent.md", "python -m agentrollouts_agent.conformance")
    (tmp_path / "snapshot").mkdir()
    mount(tmp_path / "snapshot", snapshot())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    options, _, container = command.text.partition(" -- ")
    words = shlex.split(options.replace(":8080/", f":{port}/"))[3:]
    agent = [sys.executable, "-m", "tests.agent.candidate", "{bundle}", port, "", "none"]

    assert conformance.main([*words, "--", *agent]) == 0
    assert "{bundle}" in container
    assert "{calls}" in container
    assert capsys.readouterr().out.splitlines() == command.output
