"""`sandbox.operator` on a running stack; run by `test_operator_process.py` inside a sandbox of its own.

By hand it is `python -m sandbox run -- python -m pytest tests/sandbox/inside_operator.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.errors import CommandError
from sandbox.identity import is_proved, wait_until_proved
from sandbox.operator import OperatorProcess
from sandbox.parts import parts
from sandbox.programs import web
from sandbox.programs.kubectl import Kubectl
from sandbox.stack import Stack


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for all tests of this file, without the Gateway API."""
    with Stack(with_gateway_api=False, quiet=True) as started:
        yield started


@pytest.fixture(scope="module")
def operator(stack: Stack) -> OperatorProcess:
    """The operator, installed and not started."""
    operator = OperatorProcess(stack)
    operator.install()
    return operator


def test_settings(stack: Stack, operator: OperatorProcess) -> None:
    """The operator reads what the chart rendered: Prometheus, its port, a log for people."""
    assert yaml.safe_load(operator.settings_file.read_text()) == {
        "prometheus": [{"name": "default", "url": stack.prometheus_url}],
        "log": {"format": "console"},
        "namespaces": [],
        "serve": {"address": "0.0.0.0", "port": 8090},  # noqa: S104  # the chart's, for a pod
        "lease": {"namespace": "agentrollouts", "name": "agentrollouts"},
        "authority": {"releaserIsStamped": False, "unproved": "BackOnly", "usernamePrefix": ""},
    }


def test_ends(operator: OperatorProcess) -> None:
    """It serves metrics, ends with 0 when asked to, starts again after a kill, and keeps one log."""
    operator.start()
    assert "agentrollouts_build_info" in web.get(operator.metrics_url)
    assert operator.stop() == 0
    assert not web.answers(operator.metrics_url)

    operator.start()
    operator.kill()
    assert not operator.process.running

    operator.start()
    assert operator.log_text().count("Activity 'start' succeeded") == 3
    operator.kill()


def test_identity(operator: OperatorProcess) -> None:
    """The running process is the chart's ServiceAccount: it may write our statuses, and read no Secret."""
    operator.start()
    variables = Path(f"/proc/{operator.process.pid}/environ").read_text().split("\0")
    kubeconfig = next(
        line.removeprefix("KUBECONFIG=") for line in variables if line.startswith("KUBECONFIG=")
    )
    whoever = Kubectl(parts.kubectl(), Path(kubeconfig))

    username = whoever("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")

    assert username == "system:serviceaccount:agentrollouts:agentrollouts"
    status = ("agentrollouts.agentrollouts.dev", "--subresource=status", "--all-namespaces")
    assert whoever("auth", "can-i", "update", *status) == "yes\n"
    with pytest.raises(CommandError, match='cannot list resource "secrets"'):
        whoever("get", "secrets")
    operator.kill()


def test_who_requests_an_action_is_proved(stack: Stack, operator: OperatorProcess) -> None:
    """Once installed, the operator sees that no one can request in the name of someone else."""
    operator.install()
    account = Kubectl(parts.kubectl(), stack.account_kubeconfig(operator.namespace, operator.name))

    assert is_proved(account, "default")
    assert is_proved(stack.kubectl, "default")


def test_nothing_is_proved_without_the_policies(stack: Stack, operator: OperatorProcess) -> None:
    """A chart whose policies are turned off is installed without waiting for them."""
    OperatorProcess(stack, values={"policies": {"authority": False}}).install()
    while is_proved(stack.kubectl, "default"):
        pass  # the former policy is in force for a moment; pytest-timeout ends a wait for nothing
    with pytest.raises(CommandError, match="still accepts actions in any name after 0 s"):
        wait_until_proved(stack.kubectl, "default", 0)

    operator.install()
    assert is_proved(stack.kubectl, "default")


def test_values_that_the_chart_refuses(stack: Stack) -> None:
    """A wrong value is an error with helm's own words."""
    with pytest.raises(CommandError, match="additional properties 'portt' not allowed"):
        OperatorProcess(stack, values={"portt": 1}).install()
