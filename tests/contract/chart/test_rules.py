"""The alerts of the chart: each fires when it should, and leads to a page that says what to do."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import CollectorRegistry

from agentrollouts.insight.alerts.alert import AlertName
from agentrollouts.shell.rollout_metrics import RolloutMetrics
from agentrollouts.telemetry import Telemetry
from sandbox.parts import parts

ROOT: Final = Path(__file__).parents[3]
RULES: Final = ROOT / "charts" / "agentrollouts" / "files" / "rules.yaml"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
SECTIONS: Final = ("What it means", "What customers notice", "What to look at", "What to do", "Whom to wake")


def alerts() -> list[dict[str, Any]]:
    """All rules."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_each_alert_fires_when_it_should_and_only_then(tmp_path: Path) -> None:
    """Promtool plays a healthy pair of replicas, where nothing fires, and each fault, with its summary."""
    content = yaml.safe_load(RULES.read_text())
    for group in content["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]["description"]  # a fixed text
    rules, tests = tmp_path / "rules.yaml", tmp_path / "test.yaml"
    rules.write_text(yaml.safe_dump(content))
    cases = yaml.safe_load(Path(__file__).with_name("rules.test.yaml").read_text())
    tests.write_text(yaml.safe_dump({**cases, "rule_files": [str(rules)]}))

    done = subprocess.run(  # noqa: S603 ours
        [parts.promtool(), "test", "rules", str(tests)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    played = [case for test in cases["tests"] for case in test["alert_rule_test"]]
    names = {rule["alert"] for rule in alerts()}
    assert {case["alertname"] for case in played if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in played if not case.get("exp_alerts")} == names


def series() -> Iterator[str]:
    """The names of all series that the operator can export."""
    registry = Telemetry().registry
    registry.register(RolloutMetrics(lambda: True))
    assert isinstance(registry, CollectorRegistry)
    for family in registry.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}
        yield from (family.name + suffix for suffix in suffixes.get(family.type, ("",)))


def test_alerts_use_series_that_exist() -> None:
    """A renamed metric would silence its alert."""
    used = {name for rule in alerts() for name in re.findall(r"\bagentrollouts_\w+", rule["expr"])}
    assert used <= set(series())


NAMES: Final = sorted({rule["alert"] for rule in alerts()} | set(AlertName))
"""Of the rules, and of the alerts that the operator posts itself."""


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_a_runbook(name: str) -> None:
    """It has all sections, at least three commands, and no page is left over."""
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(SECTIONS)
    assert text.startswith(f"# {name}\n")
    commands = [line for line in text.splitlines() if line.startswith(("    kubectl ", "    curl "))]
    assert len(commands) >= 3
    assert {page.stem for page in RUNBOOKS.glob("Agent*.md")} == set(NAMES)
