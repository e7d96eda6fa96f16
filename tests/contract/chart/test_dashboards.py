"""The dashboards of the chart: each query reads series that exist, and Grafana's sidecar finds them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.contract.chart.dashboards import FILES, queries
from tests.contract.chart.exported import exported
from tests.contract.chart.promql import reads
from tests.contract.chart.rendering import CHART, FULL_NAME, of_kind, rendered

RULES = CHART / "files" / "rules.yaml"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_query_reads_series_and_labels_that_are_exported(file: Path) -> None:
    """It parses, and its selectors, groups and legend use only what a scrape contains."""
    series = exported()

    used = [(text, name, labels) for text, shown in queries(file) for name, labels in reads(text, shown)]

    assert [name for _, name, _ in used if name not in series] == []
    wrong = [(text, labels - series[name]) for text, name, labels in used if not labels <= series[name]]
    assert wrong == []


def test_each_series_of_the_operator_is_looked_at() -> None:
    """What the operator counts is in a dashboard or an alert; nothing is exported for no one."""
    texts = [file.read_text() for file in FILES] + [RULES.read_text()]
    counted = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in exported()}

    ours = {name for name in counted if name.startswith("agentrollouts_")}

    assert {name for name in ours if not any(name in text for text in texts)} == set()


@pytest.mark.parametrize(
    ("expression", "shown", "problem"),
    [
        ("sum by (kind (x)", (), "unclosed"),
        ("sum by (kind) (x)", ("code",), "drops code"),
        ("sum(rate(x[1m]))", ("kind",), "drops kind"),
        ("histogram_quantile(0.99, sum by (kind) (rate(x_bucket[1m])))", (), "drops le"),
        ('{job="a"}', (), "no series by name"),
    ],
)
def test_a_wrong_query_is_found(expression: str, shown: tuple[str, ...], problem: str) -> None:
    """A query that does not parse, or whose legend stays empty, is an error."""
    with pytest.raises(ValueError, match=problem):
        reads(expression, shown)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_lie_beside_each_other_and_say_what_they_show(file: Path) -> None:
    """Each panel has an id of its own, a sentence, and a place that no other panel covers."""
    panels: list[dict[str, Any]] = json.loads(file.read_text())["panels"]
    cells = [
        (x, y)
        for p in panels
        for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
        for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])
    ]

    assert len({p["id"] for p in panels}) == len(panels)
    assert [p["title"] for p in panels if not p["description"]] == []
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def test_dashboards_are_off_by_default_and_found_by_the_sidecar() -> None:
    """If enabled, each file is in a ConfigMap with the label and the folder of the values."""
    names = {"label": "team/grafana", "folderAnnotation": "team/folder", "folder": "Agents: all"}
    plain = rendered({"grafana": {"dashboards": {"enabled": True}}})
    named = rendered({"grafana": {"dashboards": {"enabled": True, **names}}})

    [settings] = of_kind(rendered({}), "ConfigMap")
    assert settings["metadata"]["name"] == f"{FULL_NAME}-settings"
    for objects, label, annotations in (
        (plain, "grafana_dashboard", {"grafana_folder": "Agent rollouts"}),
        (named, "team/grafana", {"team/folder": "Agents: all"}),
    ):
        maps = [
            config_map
            for config_map in of_kind(objects, "ConfigMap")
            if label in config_map["metadata"]["labels"]
        ]
        assert [config_map["metadata"]["labels"][label] for config_map in maps] == ["1"] * len(FILES)
        assert [config_map["metadata"]["annotations"] for config_map in maps] == [annotations] * len(FILES)
        contents = {
            name: json.loads(text) for config_map in maps for name, text in config_map["data"].items()
        }
        assert contents == {f"agentrollouts-{file.name}": json.loads(file.read_text()) for file in FILES}
