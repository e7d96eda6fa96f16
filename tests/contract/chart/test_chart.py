"""The chart, rendered by the real helm and judged by the real API server."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentrollouts.adapters.cluster.resources import KINDS
from agentrollouts.settings.load import load
from sandbox.errors import CommandError
from sandbox.stack import Stack
from tests.contract.chart.rendering import (
    CHART,
    FULL_NAME,
    NAME,
    NAMESPACE,
    ROOT,
    dry_run,
    helm,
    hooks,
    of_kind,
    rendered,
    with_values,
)

EVERYWHERE: Mapping[str, Any] = {}
NAMESPACED: Mapping[str, Any] = {"namespaces": ["team-a", "team-b"]}

RULES = {
    ("agentrollouts.dev", "agentreleases"): {"get", "list", "watch"},
    ("agentrollouts.dev", "agentrollouts"): {"get", "list", "watch"},
    ("agentrollouts.dev", "agentrolloutactions"): {"get", "list", "watch", "create", "delete"},
    ("agentrollouts.dev", "agentfreezes"): {"get", "list", "watch"},
    ("agentrollouts.dev", "agentrolloutrecords"): {"get", "create", "update", "delete"},
    ("agentrollouts.dev", "agentreleases/status"): {"update"},
    ("agentrollouts.dev", "agentrollouts/status"): {"update"},
    ("agentrollouts.dev", "agentrolloutactions/status"): {"update"},
    ("agentrollouts.dev", "agentfreezes/status"): {"update"},
    ("", "configmaps"): {"get", "list", "watch", "create", "patch", "delete"},
    ("gateway.networking.k8s.io", "httproutes"): {"get", "list", "watch", "create", "patch", "delete"},
    ("gateway.networking.k8s.io", "grpcroutes"): {"get", "list", "watch", "create", "patch", "delete"},
    ("core.openfeature.dev", "featureflags"): {"get", "list", "watch", "create", "patch", "delete"},
    ("discovery.k8s.io", "endpointslices"): {"list", "watch"},
    ("", "events"): {"create"},
}
"""What the operator may do: get, list, watch for what kopf watches, create and patch for server-side apply,
update for a status, and create of an action for its dry run. A right that is added here needs a caller, and
its reason in templates/_rules.tpl."""
WORKLOADS = {
    ("apps", "deployments"): {"get", "create", "patch", "delete"},
    ("", "services"): {"get", "create", "patch", "delete"},
}
"""What it may also do where a namespace opts in to `spec.workload`."""
HOOKS = {
    ("batch", "jobs"): {"create", "get"},
    ("batch", "cronjobs"): {"get"},
}
"""What it may also do where a namespace opts in to `spec.hooks`."""


def rights(role: Mapping[str, Any]) -> dict[tuple[str, str], set[str]]:
    """A role's rules, by API group and resource; each pair may stand in one rule only."""
    pairs = [
        ((group, resource), set(rule["verbs"]))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    ]
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def operators_roles(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The roles that are for the operator and not for people."""
    return [role for role in of_kind(objects, "Role", "ClusterRole") if role["metadata"]["name"] == FULL_NAME]


def test_lint() -> None:
    """Helm finds nothing to say against the chart."""
    done = helm("lint", "--strict", str(CHART))

    assert done.returncode == 0, done.stdout + done.stderr


def test_rights_for_all_namespaces() -> None:
    """By default one ClusterRole has exactly the known rights, and is bound to the operator's account."""
    objects = rendered(EVERYWHERE)
    [role] = operators_roles(objects)
    [binding] = of_kind(objects, "ClusterRoleBinding")

    assert (role["kind"], rights(role)) == ("ClusterRole", RULES)
    assert (binding["roleRef"]["name"], binding["subjects"]) == (
        FULL_NAME,
        [{"kind": "ServiceAccount", "name": FULL_NAME, "namespace": NAMESPACE}],
    )


@pytest.mark.parametrize("values", [EVERYWHERE, NAMESPACED])
def test_the_lease_is_one_object_in_the_operators_namespace(values: Mapping[str, Any]) -> None:
    """Only the Lease that the settings name can be read and updated, and only where the operator is."""
    objects = rendered(values)
    name = f"{FULL_NAME}-lease"
    [role] = [manifest for manifest in of_kind(objects, "Role") if manifest["metadata"]["name"] == name]
    [binding] = [
        manifest for manifest in of_kind(objects, "RoleBinding") if manifest["metadata"]["name"] == name
    ]
    [config_map] = of_kind(objects, "ConfigMap")
    place = yaml.safe_load(config_map["data"]["settings.yaml"])["lease"]

    rules = [(rule["resources"], rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]]
    assert rules == [(["leases"], ["create"], None), (["leases"], ["get", "update"], [FULL_NAME])]
    assert place == {"namespace": NAMESPACE, "name": FULL_NAME}
    assert {role["metadata"]["namespace"], binding["metadata"]["namespace"]} == {NAMESPACE}
    assert binding["roleRef"]["name"] == name


def test_two_replicas_are_spread_and_never_drained_together() -> None:
    """By default two replicas are warm before an old one ends; one replica has no disruption budget."""
    [deployment] = of_kind(rendered(EVERYWHERE), "Deployment")
    [budget] = of_kind(rendered(EVERYWHERE), "PodDisruptionBudget")
    spec = deployment["spec"]

    assert (spec["replicas"], spec["strategy"]) == (
        2,
        {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
    )
    assert budget["spec"] == {"maxUnavailable": 1, "selector": spec["selector"]}
    spread = spec["template"]["spec"]["topologySpreadConstraints"]
    assert [part["topologyKey"] for part in spread] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    assert {part["whenUnsatisfiable"] for part in spread} == {"ScheduleAnyway"}
    assert of_kind(rendered({"replicas": 1}), "PodDisruptionBudget") == []


def test_rights_for_some_namespaces() -> None:
    """With namespaces named there is a Role in each and no right outside them."""
    objects = rendered(NAMESPACED)
    roles = operators_roles(objects)
    bindings = [
        manifest for manifest in of_kind(objects, "RoleBinding") if manifest["metadata"]["name"] == FULL_NAME
    ]

    assert [(role["kind"], role["metadata"]["namespace"], rights(role)) for role in roles] == [
        ("Role", "team-a", RULES),
        ("Role", "team-b", RULES),
    ]
    assert [binding["metadata"]["namespace"] for binding in bindings] == ["team-a", "team-b"]
    assert of_kind(objects, "ClusterRoleBinding") == []


@pytest.mark.parametrize("values", [EVERYWHERE, NAMESPACED])
def test_gateways_are_read_only_where_their_class_matters(values: Mapping[str, Any]) -> None:
    """With `gatewayClasses` one more ClusterRole may get Gateways and nothing else, in any namespace."""
    objects = rendered({**values, "settings": {"gatewayClasses": ["public"]}})
    without = rendered(values)
    name = f"{FULL_NAME}-gateways"

    [role] = [
        manifest for manifest in of_kind(objects, "ClusterRole") if manifest["metadata"]["name"] == name
    ]
    [binding] = [
        manifest
        for manifest in of_kind(objects, "ClusterRoleBinding")
        if manifest["metadata"]["name"] == name
    ]
    assert rights(role) == {("gateway.networking.k8s.io", "gateways"): {"get"}}
    assert (binding["roleRef"]["name"], binding["subjects"][0]["name"]) == (name, FULL_NAME)
    assert [manifest for manifest in without if manifest["metadata"]["name"] == name] == []


@pytest.mark.parametrize("values", [EVERYWHERE, NAMESPACED])
@pytest.mark.parametrize(("feature", "expected"), [("workloads", WORKLOADS), ("hooks", HOOKS)])
def test_the_rights_of_opt_in_features_are_bound_by_no_one(
    values: Mapping[str, Any], feature: str, expected: Mapping[tuple[str, str], set[str]]
) -> None:
    """A ClusterRole has exactly what the feature needs, and only a namespace's admin can bind it."""
    objects = rendered(values)
    name = f"{FULL_NAME}-{feature}"

    [role] = [
        manifest for manifest in of_kind(objects, "ClusterRole") if manifest["metadata"]["name"] == name
    ]
    bound = {
        manifest["roleRef"]["name"] for manifest in of_kind(objects, "RoleBinding", "ClusterRoleBinding")
    }
    assert rights(role) == expected
    assert name not in bound


@pytest.mark.parametrize("values", [EVERYWHERE, NAMESPACED])
def test_no_role_is_wide(values: Mapping[str, Any]) -> None:
    """No role has a wildcard, reads Secrets or hands on rights; few kinds can be deleted."""
    objects = [*rendered(values), *hooks(values)]
    named = {
        text
        for role in of_kind(objects, "Role", "ClusterRole")
        for rule in role["rules"]
        for key in ("apiGroups", "resources", "verbs")
        for text in rule[key]
    }
    deletable = {
        resource
        for role in operators_roles(objects)
        for resource, verbs in rights(role).items()
        if verbs & {"delete", "deletecollection"}
    }

    assert not {"*", "secrets", "escalate", "bind", "impersonate"} & named
    assert deletable == {
        ("agentrollouts.dev", "agentrolloutrecords"),
        ("agentrollouts.dev", "agentrolloutactions"),
        ("gateway.networking.k8s.io", "httproutes"),
        ("gateway.networking.k8s.io", "grpcroutes"),
        ("core.openfeature.dev", "featureflags"),
        ("", "configmaps"),
    }


def test_rights_are_for_kinds_that_the_operator_touches() -> None:
    """Each resource in the rules is one that the adapter for the cluster knows, in the same API group."""
    touched = {
        (kind.api_version.rpartition("/")[0].removesuffix("/"), kind.plural) for kind in KINDS.values()
    }

    assert {
        (group, resource.removesuffix("/status")) for group, resource in RULES | WORKLOADS | HOOKS
    } <= touched


def test_crds_are_those_of_the_repository() -> None:
    """The chart's copies are the generated files to the byte, and are rendered as they are, but kept."""
    files = {path.name: path.read_text() for path in (ROOT / "crds").glob("*.yaml")}
    copies = {path.name: path.read_text() for path in (CHART / "files" / "crds").glob("*.yaml")}
    assert copies == files

    crds = of_kind(rendered(EVERYWHERE), "CustomResourceDefinition")
    marks = [crd["metadata"].pop("annotations") for crd in crds]

    assert marks == [{"helm.sh/resource-policy": "keep"}] * len(files)
    assert sorted(map(json.dumps, crds)) == sorted(
        json.dumps(yaml.safe_load(text)) for text in files.values()
    )


def test_crds_can_be_left_out_or_given_up() -> None:
    """Without install there are none; without keep they go with the release."""
    assert of_kind(rendered({"crds": {"install": False}}), "CustomResourceDefinition") == []
    given_up = of_kind(rendered({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert [crd["metadata"].get("annotations") for crd in given_up] == [None] * 5


def test_the_notes_name_every_crd_that_an_uninstall_keeps() -> None:
    """The command that they show deletes the CRDs of the chart, and no other."""
    installed = helm("install", NAME, str(CHART), "--dry-run=client", f"--namespace={NAMESPACE}")
    command = next(line for line in installed.stdout.splitlines() if "kubectl delete crd" in line)

    crds = of_kind(rendered(EVERYWHERE), "CustomResourceDefinition")
    named = command.split("kubectl delete crd", 1)[1].split()
    assert sorted(named) == sorted(crd["metadata"]["name"] for crd in crds)


def test_settings_are_read_by_the_operator(tmp_path: Path) -> None:
    """The rendered file is one that the operator accepts, with the chart's namespaces and port in it."""
    prometheus = [{"name": "default", "url": "http://prometheus.example:9090"}]
    objects = rendered({**NAMESPACED, "port": 9000, "settings": {"prometheus": prometheus, "workers": 2}})
    [config_map] = of_kind(objects, "ConfigMap")
    [deployment] = of_kind(objects, "Deployment")
    file = tmp_path / "settings.yaml"
    file.write_text(config_map["data"]["settings.yaml"])

    read = load(file)

    assert (read.namespaces, read.serve.port, read.workers, read.prometheus[0].url) == (
        ("team-a", "team-b"),
        9000,
        2,
        "http://prometheus.example:9090",
    )
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": 9000}]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"replica": 2}, "replica"),
        ({"replicas": 0}, "replicas"),
        ({"settings": {"lease": {"namespace": "a"}}}, "settings"),
        ({"port": "8080"}, "port"),
        ({"namespaces": ["Team A"]}, "namespaces"),
        ({"settings": {"namespaces": ["a"]}}, "settings"),
        ({"settings": {"serve": {"port": 1}}}, "settings"),
        ({"image": {"repository": ""}}, "repository"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"policies": {"people": True}}, "policies"),
        ({"authority": {"separatePlans": True}}, "authority"),
        ({"authority": {"separatePlan": "yes"}}, "separatePlan"),
        ({"authority": {"unproved": "Believe"}}, "unproved"),
        ({"authority": {"usernamePrefix": None}}, "usernamePrefix"),
        ({"settings": {"authority": {"unproved": "Accept"}}}, "settings"),
        ({"uninstall": {"timeoutSeconds": 0}}, "timeoutSeconds"),
    ],
)
def test_wrong_values_are_refused(values: Mapping[str, Any], field: str) -> None:
    """A value that is unknown or has a wrong form is refused by the schema, by name."""
    done = helm("template", NAME, str(CHART), *with_values(values))

    assert (done.returncode != 0, field in done.stderr) == (True, True), done.stderr


def test_rules_are_off_by_default_and_link_to_runbooks() -> None:
    """With `alerts.enabled` the rules of the file are in a PrometheusRule, with links if they are set."""
    file = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    runbooks = "https://runbooks.example"
    [plain] = of_kind(rendered({"alerts": {"enabled": True}}), "PrometheusRule")
    [linked] = of_kind(rendered({"alerts": {"enabled": True, "runbooks": runbooks}}), "PrometheusRule")

    assert of_kind(rendered(EVERYWHERE), "PrometheusRule") == []
    assert plain["spec"] == file
    links = {
        rule["alert"]: rule["annotations"].pop("runbook_url")
        for group in linked["spec"]["groups"]
        for rule in group["rules"]
    }
    assert links == {name: f"{runbooks}/{name}.md" for name in links}
    assert linked["spec"] == file


def test_rules_about_rollouts_are_left_out_where_the_operator_posts_alerts() -> None:
    """With an Alertmanager in the settings, only the rules about the operator remain."""
    servers = [{"name": "default", "url": "http://alertmanager.monitoring:9093"}]
    values = {"alerts": {"enabled": True}, "settings": {"alertmanagers": servers}}
    file = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())
    [rules] = of_kind(rendered(values), "PrometheusRule")

    assert [group["name"] for group in file["groups"]] == ["agentrollouts-operator", "agentrollouts-rollouts"]
    assert rules["spec"]["groups"] == file["groups"][:1]


def test_a_network_policy_names_the_ports_of_the_settings() -> None:
    """Off by default; if on, pods reach DNS, the API server and the Prometheus servers, and nothing else."""
    urls = ("http://a.example:9090", "https://b.example", "http://c.example/prefix", "https://d.example")
    servers = [{"name": f"p{number}", "url": url} for number, url in enumerate(urls)]
    [policy] = of_kind(
        rendered({"networkPolicy": {"enabled": True}, "settings": {"prometheus": servers}}), "NetworkPolicy"
    )

    alertmanagers = [{"name": "a", "url": "http://alertmanager.monitoring:9093"}]
    endpoints = [{"name": "crm", "url": "https://crm.example:8443/x", "secretFile": "/secrets/crm/key"}]
    everything = {"prometheus": servers, "alertmanagers": alertmanagers, "hooks": {"endpoints": endpoints}}
    [wider] = of_kind(rendered({"networkPolicy": {"enabled": True}, "settings": everything}), "NetworkPolicy")

    assert of_kind(rendered(EVERYWHERE), "NetworkPolicy") == []
    assert [part["port"] for part in wider["spec"]["egress"][0]["ports"]][4:] == [9090, 443, 80, 9093, 8443]
    [egress] = policy["spec"]["egress"]
    assert [part["port"] for part in egress["ports"]] == [53, 53, 443, 6443, 9090, 443, 80]
    assert policy["spec"]["ingress"] == [{"ports": [{"port": "http"}]}]


def test_image() -> None:
    """The tag is the chart's version unless named, and a digest wins."""
    digest = "sha256:" + "ab" * 32
    images = [
        of_kind(rendered({"image": image}), "Deployment")[0]["spec"]["template"]["spec"]["containers"][0][
            "image"
        ]
        for image in ({"repository": "a/b"}, {"tag": "main"}, {"tag": "main", "digest": digest})
    ]

    assert images == ["a/b:0.1.0", "agentrollouts:main", f"agentrollouts@{digest}"]


@pytest.fixture
def namespaces(stack: Stack) -> Iterator[Stack]:
    """The namespaces that the chart is for; the operator's own admits restricted pods only."""
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name, labels in ((NAMESPACE, restricted), ("team-a", {}), ("team-b", {})):
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield stack
    kinds, ours = (
        "clusterrole,clusterrolebinding,role,rolebinding,serviceaccount",
        "app.kubernetes.io/instance",
    )
    stack.kubectl("delete", kinds, "--all-namespaces", f"--selector={ours}={NAME}")


@pytest.mark.parametrize("values", [EVERYWHERE, NAMESPACED])
def test_api_server_accepts_all_of_it(namespaces: Stack, values: Mapping[str, Any]) -> None:
    """Every rendered object passes the validation and admission of the real API server."""
    done = dry_run(namespaces, rendered(values))

    assert "agentrollouts.agentrollouts.dev serverside-applied (server dry run)" in done


def test_pod_is_restricted(namespaces: Stack) -> None:
    """The Deployment's pod is admitted where only restricted pods are, and one that is less so is not."""
    objects = rendered(EVERYWHERE)
    namespaces.apply(of_kind(objects, "ServiceAccount"))
    pod = of_kind(objects, "Deployment")[0]["spec"]["template"]
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    pod["metadata"] |= {"name": "operator", "namespace": NAMESPACE}
    create = ("create", "--dry-run=server", "--validate=strict", "-f", "-")

    assert namespaces.kubectl(*create, stdin=json.dumps(pod)) == "pod/operator created (server dry run)\n"

    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(CommandError, match="violates PodSecurity"):
        namespaces.kubectl(*create, stdin=json.dumps(pod))


@pytest.mark.parametrize(
    ("values", "elsewhere"), [(EVERYWHERE, "yes"), (NAMESPACED, "no")], ids=["everywhere", "namespaced"]
)
@pytest.mark.usefixtures("api_server")  # kubectl asks only about kinds that exist
def test_what_the_account_may_do(namespaces: Stack, values: Mapping[str, Any], elsewhere: str) -> None:
    """The real authorizer allows what is needed; no specs, no Secrets, no deletion, no other namespace."""
    namespaces.apply(
        of_kind(
            rendered(values), "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"
        )
    )

    def may(verb: str, resource: str, namespace: str, part: str = "") -> str:
        user = f"--as=system:serviceaccount:{NAMESPACE}:{FULL_NAME}"
        arguments = ["auth", "can-i", verb, resource, f"--namespace={namespace}", user]
        try:
            return namespaces.kubectl(*arguments, *([f"--subresource={part}"] if part else [])).strip()
        except CommandError:  # kubectl says no by its exit code
            return "no"

    def answers() -> dict[str, str]:
        return {
            "status": may("update", "agentrollouts.agentrollouts.dev", "team-a", "status"),
            "spec": may("update", "agentrollouts.agentrollouts.dev", "team-a"),
            "snapshot": may("create", "configmaps", "team-a"),
            "delete": may("delete", "agentrollouts.agentrollouts.dev", "team-a"),
            "secrets": may("get", "secrets", "team-a"),
            "elsewhere": may("list", "configmaps", "default"),
        }

    expected = {
        "status": "yes",
        "spec": "no",
        "snapshot": "yes",
        "delete": "no",
        "secrets": "no",
        "elsewhere": elsewhere,
    }
    deadline = time.monotonic() + 60  # the authorizer hears of new roles by a watch of its own
    while (heard := answers()) != expected and time.monotonic() < deadline:
        pass

    assert heard == expected


@pytest.mark.usefixtures("api_server")
def test_install_and_uninstall(namespaces: Stack) -> None:
    """Helm installs where somebody applied the CRDs before, upgrades, and leaves the CRDs on uninstall."""
    where = [NAME, f"--namespace={NAMESPACE}"]
    install = helm("install", *where, str(CHART), "--take-ownership", kubeconfig=namespaces.kubeconfig)
    assert install.returncode == 0, install.stderr
    assert "helm uninstall first rolls back every canary in progress" in install.stdout
    assert "Identity is proved: an action is accepted only in the name of its creator" in install.stdout
    assert "The API server fills in that name. See docs/security.md" in install.stdout
    values = with_values({**NAMESPACED, "policies": {"authority": False}})
    upgrade = helm("upgrade", *where, str(CHART), *values, kubeconfig=namespaces.kubeconfig)
    assert upgrade.returncode == 0, upgrade.stderr
    assert "Identity is not proved, because policies.authority is false." in upgrade.stdout

    # No node runs the Job of the hook here; tests/node uninstalls with it.
    uninstall = helm("uninstall", *where, "--no-hooks", kubeconfig=namespaces.kubeconfig)

    assert uninstall.returncode == 0, uninstall.stderr
    kept = namespaces.kubectl("get", "agentreleases,agentrollouts", where[1], "--output=name")
    left = namespaces.kubectl("get", "deployments,serviceaccounts", where[1], "--output=name")
    assert (kept, left.split()) == ("", ["serviceaccount/default"])
