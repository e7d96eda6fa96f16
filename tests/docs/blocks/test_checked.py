"""What `docs/kubectl-plugin.md` shows of `check`, beside what the plugin prints for such a cluster."""

from importlib.metadata import version
from typing import Any, Final

import pytest

from agentrollouts.api.release import SnapshotRef
from agentrollouts.insight.check.check import check
from agentrollouts.insight.check.installation import CREATE, OPERATOR, PLURALS, VERSION
from agentrollouts.insight.check.lines import Answer, Found, Probe, Seen
from agentrollouts.insight.check.release import CONFIRMING, SERVICE_OF
from agentrollouts.plugin.screens.checked import print_check
from testkit.builders.names import AGENT, OLD, START, digest_of
from testkit.builders.releases import a_ready_release, a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from tests.docs.blocks.shown import agrees, command_of

PAGE: Final = "docs/kubectl-plugin.md"
COMMAND: Final = f"kubectl agentrollout check {AGENT} -n support"
FIRST: Final = f"{AGENT}-1.0.0"
FIXED: Final = f"{AGENT}-4.2.1"
SNAPSHOT: Final = f"{AGENT}-9715d42ddc20bb3d"
PARENT: Final = {"name": "public", "namespace": "default"}
CONDITIONS: Final = [{"type": each, "status": "True"} for each in CONFIRMING]
ACCEPTED: Final = {"parents": [{"parentRef": PARENT, "conditions": CONDITIONS}]}


def found(*objects: dict[str, Any]) -> Found:
    """These objects, by name."""
    return Found({each["metadata"]["name"]: each for each in objects})


def an_object(name: str, **content: object) -> dict[str, Any]:
    """One that has little but its name."""
    return {"metadata": {"name": name}, **content}


def seen(rollout: RolloutBuilder, release: dict[str, Any], probe: Probe | None = None) -> Seen:
    """An installation in order, and a rollout whose objects exist; its route is accepted if it is probed."""
    built = rollout.having(observed_generation=rollout.generation).build()
    records = [each for each in (built.status.canary, built.status.stable) if each]
    rights = {CREATE: True, "hold": True, "rollback": True, "acknowledge": True, "approve": False}
    plugin = version("agentrollouts")
    services = [str(each.service_name) for each in records]
    endpoints = [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}]
    kinds = {
        "AgentRelease": found(release),
        "ConfigMap": found(*(an_object(each.snapshot) for each in records), an_object(SNAPSHOT)),
        "EndpointSlice": found(
            *(
                {"metadata": {"name": f"{each}-1", "labels": {SERVICE_OF: each}}, "endpoints": endpoints}
                for each in services
            )
        ),
        "HTTPRoute": found(an_object(AGENT, spec={"parentRefs": [PARENT]}, status=ACCEPTED if probe else {})),
        "Lease": found(an_object(OPERATOR, spec={"holderIdentity": f"{OPERATOR}-0"})),
        "Operator": found({"metadata": {"name": OPERATOR, "labels": {VERSION: plugin}}}),
        "Service": found(*(an_object(each) for each in services)),
    }
    return Seen(START, built.to_json(), rights, frozenset(PLURALS), plugin, kinds, probe)


def test_a_check_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """For a first release that serves behind a route which no controller has accepted."""
    command = command_of(PAGE, COMMAND)
    release = a_ready_release(FIRST)
    status = release.status.replace(snapshot=SnapshotRef(name=SNAPSHOT))
    rollout = a_rollout().asking_for(FIRST).serving(FIRST).having(stable=a_record(FIRST, snapshot=SNAPSHOT))

    print_check(check(seen(rollout, release.replace(status=status).to_json())), None)

    assert capsys.readouterr().out.splitlines() == command.output


def test_a_probe_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """For a canary that names itself, and a stable release that names only itself and not its digest."""
    command = command_of(PAGE, f"{COMMAND} --probe /healthz")
    answers = {FIXED: Answer(200, (FIXED,), (digest_of(FIXED),)), OLD: Answer(200, (OLD,))}
    rollout = a_rollout().asking_for(FIXED).serving(OLD).trying(FIXED)

    print_check(check(seen(rollout, a_ready_release(FIXED).to_json(), Probe("/healthz", answers))), None)

    assert agrees(command.output, capsys.readouterr().out)
