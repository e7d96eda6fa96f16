"""`kubectl agentrollout version`: the versions of the plugin, the operator, the API and kubectl."""

from collections.abc import Iterator
from importlib.metadata import version

import click

from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Manifest
from agentrollouts.plugin.options import Session, Verb, output

HELP = """\
Print the versions of the plugin, the operator, the served API, kubectl and the API server. What you may not
read is printed as ?.

\b
Examples:
  kubectl agentrollout version
  kubectl agentrollout version --context prod -o json"""
LABEL = "app.kubernetes.io/version"
OPERATOR = "--selector=app.kubernetes.io/name=agentrollouts"
GROUP = "/apis/agentrollouts.dev"
UNKNOWN = "?"


@click.command(cls=Verb, help=HELP, short_help="Print the versions of plugin, operator and API.")
@output("json", "yaml")
def command(*, output: str | None) -> None:
    """Run it."""
    found = dict(versions(click.get_current_context().ensure_object(Session).kubectl))
    if output:
        from agentrollouts.plugin.screens.printed import document  # noqa: PLC0415 only this form needs it

        click.echo(document(found, output), nl=False)
        return
    for what, which in found.items():
        click.echo(f"{what:<9} {which}")


def versions(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """Each part and its version."""
    deployments = kubectl.start("get", "deployments", "--all-namespaces", OPERATOR, "--output=json")
    group = kubectl.start("get", "--raw", GROUP)
    yield "plugin", version("agentrollouts")
    yield "operator", _labels(deployments.list())
    try:
        served = [each["version"] for each in group.json()["versions"]]
    except KubectlError:
        served = []
    yield "API", ", ".join(served) or UNKNOWN
    both = _kubectl(kubectl)
    for name, part in (("kubectl", "clientVersion"), ("server", "serverVersion")):
        yield name, (both.get(part) or {}).get("gitVersion") or UNKNOWN


def _labels(deployments: list[Manifest]) -> str:
    found = {(each["metadata"].get("labels") or {}).get(LABEL) for each in deployments}
    return ", ".join(sorted(each for each in found if each)) or UNKNOWN


def _kubectl(kubectl: Kubectl) -> Manifest:
    try:
        return kubectl.json("version")
    except KubectlError:
        return kubectl.json("version", "--client")
