"""The checks of `make kind`, on the node that needs no image registry."""

import subprocess

from sandbox.node.cluster import Cluster
from tests.inside import ROOT
from tests.node.pods import IMAGE, OperatorPods


def test_the_checks_of_make_kind_pass(stack: Cluster, operator: OperatorPods) -> None:
    """The script is run as it is: chart, replicas, a rollout, and the loss of its leader."""
    image = f"{IMAGE['repository']}:{IMAGE['tag']}"
    done = subprocess.run(  # noqa: S603  # our own
        [ROOT / "image" / "check.sh", image],
        env=stack.environment, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    operator.install()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "the chart is installed, and two replicas are Ready",
        "a rollout has its traffic ConfigMap",
        "the other replica leads after the leader's pod was deleted",
        "the weights are as they were",
    ]
