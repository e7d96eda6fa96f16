"""Input: what `gitops/` ships. Output: what the real kustomize and a real API server make of it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from agentrollouts.api.crd.manifest import crds
from sandbox.errors import CommandError
from sandbox.parts import parts
from sandbox.stack import Stack
from tests.contract.server import ApiServer

GITOPS: Final = Path(__file__).parents[2] / "gitops"
APPLIED: Final = (
    "flux/support-agent.yaml",
    "flux/git-owned-route.yaml",
    "argocd/application.yaml",
    "argocd/git-owned-route.yaml",
)
"""Objects of Flux and Argo CD."""
NAMESPACES: Final = ("agents", "argocd", "flux-system")

Manifest = dict[str, Any]


def built(folder: Path) -> list[Manifest]:
    """The objects that `kubectl kustomize` makes of a folder."""
    done = subprocess.run(  # noqa: S603 ours
        [parts.kubectl(), "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def named(objects: list[Manifest], kind: str) -> set[str]:
    """The names of all objects of a kind."""
    return {each["metadata"]["name"] for each in objects if each["kind"] == kind}


def at(node: Any, path: list[str]) -> Iterator[str]:  # noqa: ANN401 any JSON
    """The texts at a path; every item of a list on the way is followed."""
    if isinstance(node, list):
        for item in node:
            yield from at(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from at(node[path[0]], path[1:])


def references() -> Iterator[tuple[str, str, str]]:
    """Each name reference that we ship: the kind that it names, the kind that has it, and where."""
    content = yaml.safe_load((GITOPS / "kustomize" / "name-reference.yaml").read_text())
    for each in content["nameReference"]:
        yield from ((each["kind"], field["kind"], field["path"]) for field in each["fieldSpecs"])


def declared(schema: Manifest, path: str = "") -> Iterator[str]:
    """Where a schema has the name of another object of the namespace."""
    for key, child in schema.get("items", schema).get("properties", {}).items():
        here = f"{path}/{key}"
        if key == "cronJob":
            yield here.removeprefix("/")
        if "name" in child.get("properties", {}) and (
            key.endswith("Ref") or key in {"parent", "rollout", "routePatch", "service"}
        ):
            yield f"{here}/name".removeprefix("/")
        yield from declared(child, here)


def test_every_reference_of_our_kinds_is_known_to_kustomize() -> None:
    """A new reference field needs a line in name-reference.yaml, or a prefix would break it in silence."""
    expected = {
        (crd["spec"]["names"]["kind"], path)
        for crd in crds()
        for path in declared(
            {
                "properties": {
                    "spec": crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
                }
            }
        )
    }
    ours = {kind for kind, _ in expected}

    assert {(kind, path) for _, kind, path in references() if kind in ours} == expected


OWN_ROUTE: Final = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: public, namespace: gateways}]
  rules:
  - name: agent
    backendRefs: [{name: support-agent-4-1-0, port: 8080}, {name: support-agent-4-2-0, port: 8080, weight: 0}]
"""


def everything(folder: Path) -> list[Manifest]:
    """Our example with a reference of every kind, built with a prefix, a suffix and hashed ConfigMaps."""
    for file in (GITOPS / "kustomize").iterdir():
        (folder / file.name).write_text(file.read_text())
    names = ("prompt", "config", "permissions", "knowledge", "memory", "routing")
    first, second = yaml.safe_load_all((folder / "releases.yaml").read_text())
    for name in names:
        second["spec"]["components"][name] = {"version": "1.0.0", "configMapRef": {"name": f"support-{name}"}}
    (folder / "releases.yaml").write_text(yaml.safe_dump_all([first, second]))
    rollout = yaml.safe_load((folder / "rollout.yaml").read_text())
    rollout["spec"]["traffic"] = {"routePatch": {"name": "shop", "rule": "agent"}}
    rollout["spec"]["workload"] = {"deploymentRef": {"name": "support-agent"}, "port": 8080}
    rollout["spec"]["gates"] = [{"name": "tool", "template": "error-rate", "action": "Standby"}]
    rollout["spec"]["watch"] = {}
    rollout["spec"]["standby"] = [{"releaseRef": {"name": "support-agent-4.1.0"}, "gates": ["tool"]}]
    rollout["spec"]["fallback"] = {"service": {"name": "support-agent-4-1-0", "port": 8080}}
    rollout["spec"]["hooks"] = [{"name": "undo", "at": "AfterRollback", "job": {"cronJob": "undo"}}]
    template = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "support-agent"}}
    hook = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "undo"}}
    faq = json.loads(json.dumps(rollout)) | {"metadata": {"name": "faq-agent"}}
    faq["spec"]["fallback"] = {"rollout": {"name": "support-agent"}}
    documents = yaml.safe_dump_all([rollout, faq, template, hook])
    (folder / "rollout.yaml").write_text(documents + "---" + OWN_ROUTE)
    content = yaml.safe_load((folder / "kustomization.yaml").read_text())
    content["nameSuffix"] = "-eu"
    content["configMapGenerator"] += [{"name": f"support-{name}", "literals": ["a=b"]} for name in names]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return built(folder)


def test_names_follow_prefix_suffix_and_hash(tmp_path: Path) -> None:
    """Each reference names an object of the output; a Gateway of another team keeps its name."""
    objects = everything(tmp_path)

    for target, kind, path in references():
        referenced = {name for each in objects if each["kind"] == kind for name in at(each, path.split("/"))}
        assert referenced, path
        assert referenced <= named(objects, target), path
    assert named(objects, "AgentRollout") == {"staging-support-agent-eu", "staging-faq-agent-eu"}
    assert {name for each in objects for name in at(each, ["spec", "parentRefs", "name"])} == {"public"}
    assert {name for each in objects for name in at(each, ["spec", "agent"])} == {"support-agent"}


def test_without_our_file_kustomize_leaves_references_alone(tmp_path: Path) -> None:
    """The file is what does it, not kustomize by itself."""
    for file in (GITOPS / "kustomize").iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    content = yaml.safe_load((tmp_path / "kustomization.yaml").read_text())
    del content["configurations"]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    [rollout] = [each for each in built(tmp_path) if each["kind"] == "AgentRollout"]

    assert rollout["spec"]["releaseRef"] == {"name": "support-agent-4.2.0"}


def test_no_git_tool_prunes_the_rollout_or_blanks_a_prompt() -> None:
    """The annotations reach every object of each kind, and nothing asks for replacement by force."""
    objects = built(GITOPS / "kustomize")
    annotations = {
        kind: [each["metadata"]["annotations"] for each in objects if each["kind"] == kind]
        for kind in ("AgentRollout", "AgentRelease")
    }

    kept = {
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    }
    assert annotations == {
        "AgentRollout": [kept],
        "AgentRelease": [{"kustomize.toolkit.fluxcd.io/substitute": "disabled"}] * 2,
    }
    for file in GITOPS.rglob("*.yaml"):
        content = list(yaml.safe_load_all(file.read_text()))
        assert "force" not in json.dumps(content).lower(), file
        assert "Replace=true" not in json.dumps(content), file


@pytest.fixture(scope="module")
def tools(stack: Stack, api_server: ApiServer) -> Stack:  # noqa: ARG001 it installs our kinds
    """The sandbox with our kinds, and those of Flux and Argo CD."""
    stack.apply(parts.gitops_tools())
    stack.kubectl.wait_kinds()
    stack.apply(
        [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]
    )
    return stack


STRICT: Final = ("apply", "--server-side", "--validate=strict", "--filename")


@pytest.mark.parametrize("name", APPLIED)
def test_an_example_is_accepted_as_it_is(name: str, tools: Stack) -> None:
    """By the API server with the tool's own CRD, which knows each field, and keeps what was written."""
    for written in yaml.safe_load_all((GITOPS / name).read_text()):
        tools.kubectl(*STRICT, "-", stdin=json.dumps(written))
        crd = f"{written['kind'].lower()}s.{written['apiVersion'].partition('/')[0]}".replace("ys.", "ies.")
        metadata = written["metadata"]
        stored = tools.kubectl.get(crd, metadata["name"], f"--namespace={metadata['namespace']}")
        assert contains(stored["spec"], written["spec"])


def contains(stored: Any, written: Any) -> bool:  # noqa: ANN401 any JSON
    """Whether all that was written is stored, defaults aside."""
    if isinstance(written, dict):
        return all(key in stored and contains(stored[key], value) for key, value in written.items())
    if isinstance(written, list):
        pairs = zip(stored, written, strict=False)
        return len(stored) == len(written) and all(contains(*pair) for pair in pairs)
    return bool(stored == written)


def test_a_field_that_flux_does_not_know_is_refused(tools: Stack) -> None:
    """So that the test above can fail."""
    [_, written] = yaml.safe_load_all((GITOPS / APPLIED[0]).read_text())
    written["spec"]["healthCheckExpr"] = []

    with pytest.raises(CommandError, match="healthCheckExpr"):
        tools.kubectl(*STRICT, "-", stdin=json.dumps(written))


def test_the_example_agent_is_accepted_as_kustomize_builds_it(tools: Stack) -> None:
    """Rollout, releases, Services and ConfigMap, in their namespace."""
    objects = built(GITOPS / "kustomize")
    tools.kubectl(*STRICT, "-", stdin=yaml.safe_dump_all(objects))

    for each in objects:
        kind, metadata = each["kind"].lower(), each["metadata"]
        assert tools.kubectl.get(kind, metadata["name"], f"--namespace={metadata['namespace']}")


def test_health_checks_and_actions_are_added_to_the_settings_of_argo_cd(tools: Stack) -> None:
    """By the command of the file; the other keys of argocd-cm stay."""
    names = ("agentrelease.lua", "agentrollout-serving.lua", "agentrollout-actions.yaml")
    scripts = [(GITOPS / "argocd" / name).read_text() for name in names]
    tools.kubectl("create", "configmap", "argocd-cm", "--namespace=argocd", "--from-literal=url=https://here")
    [config] = built(GITOPS / "argocd")

    apply = ("apply", "--server-side", "--field-manager=agentrollouts-health", "--filename", "-")
    tools.kubectl(*apply, stdin=json.dumps(config))

    prefix = "resource.customizations"
    assert tools.kubectl.get("configmap", "argocd-cm", "--namespace=argocd")["data"] == {
        "url": "https://here",
        f"{prefix}.health.agentrollouts.dev_AgentRelease": scripts[0],
        f"{prefix}.health.agentrollouts.dev_AgentRollout": scripts[1],
        f"{prefix}.actions.agentrollouts.dev_AgentRollout": scripts[2],
    }
