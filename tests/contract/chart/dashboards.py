"""The dashboards of the chart, and what they ask Prometheus."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.contract.chart.rendering import CHART

FILES: Final = sorted((CHART / "files" / "dashboards").glob("*.json"))
_VARIABLES: Final = {"$__rate_interval": "1m", "$namespace": ".*", "$rollout": ".*"}


def queries(file: Path) -> Iterator[tuple[str, set[str]]]:
    """Each expression of a dashboard as Prometheus sees it, with the labels that its legend shows."""
    dashboard = json.loads(file.read_text())
    pairs = [(target["expr"], target["legendFormat"]) for p in dashboard["panels"] for target in p["targets"]]
    pairs += [(item["expr"], item["titleFormat"]) for item in dashboard["annotations"]["list"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            selector, _, label = variable["query"]["query"][len("label_values(") : -1].rpartition(", ")
            pairs.append((selector, f"{{{{{label}}}}}"))
    for expression, legend in pairs:
        text = expression
        for name, value in _VARIABLES.items():
            text = text.replace(name, value)
        yield text, set(re.findall(r"{{(\w+)}}", legend))
