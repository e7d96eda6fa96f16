"""`docs/getting-started.md` in pods, up to the rollback of its bad release; `tests/e2e` plays all of it.

The image holds the page's agent (`image/node.sh`). Replaced is the Prometheus operator alone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from sandbox.node.cluster import Cluster
from tests.docs.getting_started import BEFORE, FIRST_HOUR, HAPPENED, NAMESPACE, write_files
from tests.docs.reader import Reader
from tests.e2e import podmonitors
from tests.e2e.scene import now
from tests.node.pods import OperatorPods, restarts

WITHIN: Final = f"--namespace={NAMESPACE}"


class Scraping:
    """What the Prometheus operator does for the pods of the namespace that a PodMonitor selects."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pods: set[str] = set()

    def sync(self) -> None:
        """Have Prometheus scrape each pod that has an address and was not known yet."""
        for pod in self._list("pods"):
            name, address = pod["metadata"]["name"], pod["status"].get("podIP")
            if address and name not in self._pods:
                [monitor] = self._list("podmonitors")
                labels = podmonitors.target_labels(monitor, pod["metadata"]["labels"])
                [port] = pod["spec"]["containers"][0]["ports"]
                assert port["name"] == monitor["spec"]["podMetricsEndpoints"][0]["port"]
                target = f"{address}:{port['containerPort']}"
                self._cluster.add_target(name, target, {"namespace": NAMESPACE, **labels})
                self._pods.add(name)

    def stop(self) -> None:
        """Scrape none of them any longer."""
        for name in self._pods:
            self._cluster.remove_target(name)

    def _list(self, kind: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._cluster.kubectl.get(kind, WITHIN)["items"]
        return items


@pytest.fixture
def reader(stack: Cluster, operator: OperatorPods, tmp_path: Path) -> Iterator[Reader]:
    """Follows the page; the namespace is deleted at the end."""
    assert operator.leader()
    write_files(tmp_path)
    podmonitors.install(stack)
    scraping = Scraping(stack)
    person = Reader.of(stack, tmp_path, scraping.sync)
    yield person
    person.leave()
    scraping.stop()
    stack.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_first_hour_works_in_pods(stack: Cluster, reader: Reader, figures: dict[str, float]) -> None:
    """Each command prints what the page shows; the Deployments are those that the operator made."""
    began = now()
    reader.play(BEFORE)
    reader.play(FIRST_HOUR)
    reader.play(HAPPENED)

    figures["for the first hour of docs/getting-started.md"] = now() - began
    pods = stack.kubectl.get("pods", WITHIN)["items"]
    assert len(pods) == 2
    assert list(map(restarts, pods)) == [0, 0]
