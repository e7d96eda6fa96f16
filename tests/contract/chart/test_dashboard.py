"""The page in the cluster, as the chart installs it: it has no rights, and reaches the API server alone."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from agentrollouts.dashboard.incluster.__main__ import main
from tests.contract.chart.policies import policies
from tests.contract.chart.rendering import CHART, FULL_NAME, NAME, helm, hooks, of_kind, rendered, with_values

PAGE: Final = f"{FULL_NAME}-dashboard"
ON: Final[Mapping[str, Any]] = {
    "dashboard": {"enabled": True, "hosts": ["page.example", "localhost:8080"]},
    "networkPolicy": {"enabled": True},
    "namespaces": ["team-a"],
}
RIGHTS: Final = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def page(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The object of the page of a kind."""
    [found] = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == PAGE]
    return found


def test_it_is_off_by_default() -> None:
    """Nothing of the chart is about the page unless someone enables it."""
    assert [each for each in policies() if each["metadata"]["name"] == PAGE] == []


def test_it_has_no_token_and_no_rights() -> None:
    """Its pod mounts no token, projected or of an account, and whoever has rights is not its account."""
    without = policies({**ON, "dashboard": {"enabled": False}})
    objects = policies(ON)
    pod = page(objects, "Deployment")["spec"]["template"]["spec"]

    assert pod["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in pod
    assert [sorted(volume) for volume in pod["volumes"]] == [["configMap", "name"]]
    assert pod["volumes"][0]["configMap"]["name"] == "kube-root-ca.crt"
    added = [(each["kind"], each["metadata"]["name"]) for each in objects if each not in without]
    assert sorted(added) == [("Deployment", PAGE), ("NetworkPolicy", PAGE), ("Service", PAGE)]
    subjects = [
        subject["name"]
        for binding in of_kind([*objects, *hooks(ON)], "RoleBinding", "ClusterRoleBinding")
        for subject in binding["subjects"]
    ]
    assert set(subjects) == {FULL_NAME, f"{NAME}-agentrollouts-uninstall"}


def test_its_pod_is_restricted() -> None:
    """As every pod of the chart: another user than root, no capability, a root file system for reading."""
    objects = rendered(ON)
    pod = page(objects, "Deployment")["spec"]["template"]["spec"]
    [operator] = [each for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == FULL_NAME]
    theirs = operator["spec"]["template"]["spec"]

    assert pod["securityContext"] == theirs["securityContext"]
    assert pod["containers"][0]["securityContext"] == theirs["containers"][0]["securityContext"]
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_no_selector_of_the_operator_takes_its_pod() -> None:
    """Neither Deployment, budget nor monitor of the operator; and its own Service takes no other pod."""
    objects = rendered({**ON, "podMonitor": {"enabled": True}})
    labels = page(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    theirs = [
        each["spec"]["selector"]["matchLabels"]
        for each in of_kind(objects, "Deployment", "PodDisruptionBudget", "PodMonitor")
        if each["metadata"]["name"] == FULL_NAME
    ]
    selector = page(objects, "Service")["spec"]["selector"]

    assert len(theirs) == 3
    assert [each for each in theirs if each.items() <= labels.items()] == []
    assert selector.items() <= labels.items()
    assert page(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == selector
    assert page(objects, "Deployment")["spec"]["selector"]["matchLabels"] == selector


def test_it_reaches_the_api_server_alone() -> None:
    """The NetworkPolicy lets it out to DNS and the API server, and not to Prometheus."""
    [egress] = page(rendered(ON), "NetworkPolicy")["spec"]["egress"]

    assert [part["port"] for part in egress["ports"]] == [53, 53, 443, 6443]


def test_the_program_takes_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that the chart writes are understood: it goes as far as the file with the authority."""
    [container] = page(rendered(ON), "Deployment")["spec"]["template"]["spec"]["containers"]

    assert container["command"][-1] == "agentrollouts.dashboard.incluster"
    assert container["args"][-2:] == ["--host=page.example", "--host=localhost:8080"]
    assert main(container["args"]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("dashboard", "field"),
    [
        ({"enabled": True}, "dashboard.hosts is required"),
        ({"enabled": True, "hosts": ["https://page.example"]}, "/dashboard/hosts/0"),
        ({"enabled": True, "hosts": ["page.example"], "token": "x"}, "token"),
    ],
)
def test_wrong_values_are_refused(dashboard: Mapping[str, Any], field: str) -> None:
    """Hosts are needed and are no addresses; and there is no value for a credential."""
    done = helm("template", NAME, str(CHART), *with_values({"dashboard": dashboard}))

    assert (done.returncode != 0, field in done.stderr) == (True, True), done.stderr
