"""Input: every field that a user can write. Output: who reads it, or that its description says: nobody.

A field that is accepted, looks active and does nothing is worse than none. A new field fails here until
something reads it, or until it is listed below and says so in `kubectl explain`.
"""

import ast
import re
import sys
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic import BaseModel

import agentrollouts
from agentrollouts.api.attempt import State
from agentrollouts.api.components import Components
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.release import AgentRelease, AgentReleaseSpec
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.traffic import ParentRef
from agentrollouts.core.release.bundle import Bundle, resolve
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.decide import ReleaseObservation, decide_release
from agentrollouts.core.rollout.decide import decide
from agentrollouts.settings.settings import Settings
from testkit.builders.names import AGENT, NEW, OLD, OLDEST, START, digest_of, service_of
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_FLAG
from testkit.requirements import BILLING, requiring
from testkit.workloads import TEMPLATE, WORKLOAD
from testkit.world import Behavior, a_world, a_world_at_rest

PACKAGE: Final = Path(agentrollouts.__file__).parent
EXAMPLES: Final = PACKAGE.parents[1] / "crds" / "examples" / "valid"
Field = tuple[str, str]
"""Name of the model, and of its attribute."""

RECORDED: Final = frozenset(
    {
        ("AgentReleaseSpec", "description"),
        ("AgentReleaseSpec", "source"),
        ("Source", "repository"),
        ("Source", "revision"),
        ("AgentReleaseSpec", "approved_by"),
        ("AgentReleaseSpec", "risk_tier"),
        ("MemoryComponent", "snapshot"),
        ("MemorySnapshot", "uri"),
    }
)
"""For people and for agents; the operator does nothing with them. The description says so."""
BY_KEY: Final = {("ServiceRef", "kind"), ("ServiceRef", "group")}
"""Read by `ServiceRef.key`; `tests/core/traffic/test_other_backends.py` shows what they do."""
WORDS: Final = re.compile(r"\brecord(ed)?\b.*\bthe\s+operator\b", re.IGNORECASE | re.DOTALL)


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models(part)


def fields(model: type[BaseModel]) -> dict[Field, str]:
    """Every field of a model and of all models in it, with its description."""
    descriptions: dict[Field, str] = {}
    for name, field in model.model_fields.items():
        descriptions[model.__name__, name] = field.description or ""
        for inner in models(field.annotation):
            descriptions |= fields(inner)
    return descriptions


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[Field]:
    """The fields that the operator's modules read while the test runs; what models do is left out."""
    fields_read: set[Field] = set()
    original = ApiModel.__getattribute__

    def watched(self: ApiModel, name: str) -> Any:  # noqa: ANN401 any field
        if not name.startswith("_") and name in type(self).model_fields:
            caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 nothing else knows the caller
            if caller.startswith(("agentrollouts.core", "agentrollouts.shell")):
                fields_read.add((type(self).__name__, name))
        return original(self, name)

    monkeypatch.setattr(ApiModel, "__getattribute__", watched)
    return fields_read


SOURCES: Final = (
    {"type": "Shift", "source": {"total": "agent_runs_total", "label": "outcome"}},
    {"type": "Histogram", "source": {"buckets": "agent_run_duration_seconds_bucket"}},
    {"type": "Mean", "source": {"bad": "agent_run_cost_usd_sum", "total": "agent_runs_total"}},
)
FULL: Final[dict[str, Any]] = {
    "gates": [
        {"name": "errors", "template": "error-rate", "limit": {"value": "0.5"}},
        {"name": "completion", "template": "task-completion", "minRatio": "0.98"},
        {"name": "violations", "template": "violations", "maxCount": 5},
        *({"name": f"own-{index}", **gate} for index, gate in enumerate(SOURCES)),
    ],
    "phases": [
        {"name": "ramp", "weight": 50, "durationSeconds": 600, "rampSeconds": 300},
        {"name": "asked", "weight": 80, "durationSeconds": 600, "approval": "Required"},
    ],
    "caps": [
        {"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "1000000"},
        {"name": "each", "metric": "agent_run_cost_usd_sum", "maxPerRun": "1000"},
    ],
    "watch": {"gates": ["errors"]},
    "rollback": {"afterHoldSeconds": 60, "verify": {"gates": ["errors"]}},
}
BY_KIND: Final[dict[str, Any]] = {
    "cohorts": [
        {"name": "testers", "headers": [{"name": "x-tester", "value": "yes"}], "gets": "Canary"},
        {"name": "loans", "pathPrefix": "/loans", "gets": "Stable"},
    ],
    "bucketHeader": "x-user-bucket",
}
LIMITED: Final = {
    "name": "limited",
    "type": "Limit",
    "source": {"bad": 'agent_runs_total{outcome="failed"}', "total": "agent_runs_total"},
    "limit": {"value": "0.1", "forSeconds": 60},
}
REPAIR: Final = {"name": "reverse", "at": "AfterRollback", "job": {"cronJob": "reverse"}}
COURSES: Final[tuple[tuple[dict[str, Any], float, float], ...]] = (
    (FULL, 0.02, 2.0),
    (FULL, 0.6, 2.0),
    ({"gates": [LIMITED]}, 0.6, 2.0),
    ({"caps": [{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "0.01"}]}, 0.02, 2.0),
    ({"analysis": {"maxExtensions": 0, "onTimeout": "RollBack"}}, 0.02, 0.0),
    ({"hooks": [{"name": "keep", "at": "BeforeTraffic", "job": {"cronJob": "keep"}}]}, 0.02, 0.0),
    ({"hooks": [{"name": "tell", "at": "BeforeTraffic", "webhook": {"endpoint": "crm"}}]}, 0.02, 0.0),
    ({"hooks": [{**REPAIR, "forTools": ["issue_refund"]}]}, 0.6, 2.0),
)
"""Plans, the share of the canary's runs that fail, and runs per second."""


def test_each_field_of_a_rollout_is_read(read: set[Field]) -> None:
    """By courses that end well, in a breach or undecided, and by every state with each kind of traffic.

    Also where no gateway reports and where nobody answers.
    """
    for spec, failed, runs in COURSES:
        world = a_world(a_rollout(**spec).serving(OLD), OLD, NEW)
        world.agents[NEW], world.runs_per_second = Behavior(failed=failed), runs
        world.jobs.succeeds = lambda _: False
        world.run(3600)
    for traffic in (
        {"httpRoute": {"parentRefs": [{"name": "public"}], "hostnames": ["here"], **BY_KIND}},
        {"grpcRoute": {"parentRefs": [{"name": "public"}], "hostnames": ["here"]}},
        {"routePatch": {"name": "shop", "rule": "agent"}},
        BY_FLAG,
    ):
        for state in State:
            obs = an_observation(a_rollout(**FULL, traffic=traffic).in_state(state))
            unreported = {key: {**manifest, "status": {}} for key, manifest in obs.traffic.items()}
            decide(obs)
            decide(replace(obs, traffic=unreported, endpoints=dict.fromkeys(obs.endpoints, False)))
            decide(replace(obs, endpoints={service_of(NEW): False}))
    for template in (None, TEMPLATE):
        managed = (
            a_rollout(workload={**WORKLOAD, "keepWarm": 0}).asking_for(NEW).remembering(OLDEST).serving(OLD)
        )
        made = [
            {"name": service_of(name), "release": name, "digest": digest_of(name)} for name in (OLDEST, NEW)
        ]
        pending = managed.having(workloads=made).in_state(State.PENDING)
        obs = an_observation(pending, release=a_ready_release(NEW, service=None), endpoints_ready=False)
        unread = decide(obs).unread
        workloads = {key: template if key == ("Deployment", AGENT) else None for key in unread}
        obs = replace(obs, workloads=workloads)
        settled = decide(obs).status
        assert settled is not None
        decide(replace(obs, rollout=obs.rollout.replace(status=settled)))
    decide(an_observation(a_rollout(paused=True).serving(OLD).trying(NEW)))
    drilled = {"everySeconds": 1200, "weight": 5, "durationSeconds": 60}
    a_world_at_rest(OLDEST, OLD, drill=drilled).run(1300)
    healthy = a_rollout().asking_for(NEW).serving(OLD).serving(NEW).trying(NEW).having(canary=None)
    healthy = healthy.changing(state=State.HEALTHY)
    decide(an_observation(healthy.requesting(ActionType.ROLL_BACK, 3, release=NEW)))

    failing = {"name": "leak", "template": "error-rate", "limit": {"value": "0.1", "forSeconds": 0}}
    last = a_world_at_rest(
        OLD,
        traffic={"httpRoute": {"parentRefs": [{"name": "public"}]}},
        fallback={"service": {"name": "queue", "port": 80}},
        gates=[failing],
        watch={"intervalSeconds": 60},
        rollback={"lastResort": "Fallback"},
    )
    last.agents[OLD] = Behavior(failed=0.9)
    last.run(1200)
    a_world_at_rest(OLD, fallback={"rollout": {"name": "faq-agent"}}).settle()
    standby = {"releaseRef": {"name": OLDEST}, "gates": ["leak"], "returnAfterSeconds": 60}
    spare = a_world_at_rest(
        OLDEST, OLD, gates=[{**failing, "action": "Standby"}], watch={}, standby=[standby]
    )
    spare.agents[OLD] = Behavior(failed=0.9)
    spare.run(1200)

    whole = {(ParentRef.__name__, name) for name in ParentRef.model_fields}  # written to the route as it is
    assert fields(AgentRolloutSpec).keys() - read - whole - BY_KEY == set()


CONFIG_MAPS: Final = {"support-guardrails": ConfigMapData({"a": "b"}, ())}


def a_release() -> dict[str, Any]:
    """The example that has every field."""
    content = yaml.safe_load((EXAMPLES / "release-full.yaml").read_text())
    content["metadata"] |= {"namespace": "support", "uid": "1", "generation": 1}
    return dict(content)


def digest(manifest: dict[str, Any]) -> str:
    """The identity of a release."""
    bundle = resolve(AgentRelease.model_validate(manifest), CONFIG_MAPS)
    assert isinstance(bundle, Bundle), bundle
    return bundle.digest


def test_each_field_of_a_release_is_read_content_or_says_that_it_is_a_record(read: set[Field]) -> None:
    """Content goes to the agent with the snapshot; what is neither read nor content is listed above."""
    release = AgentRelease.model_validate(a_release())
    decide_release(ReleaseObservation(now=START, release=release, config_maps=CONFIG_MAPS, snapshots=()))
    decide(an_observation(a_rollout().serving(OLD).asking_for(NEW)))
    decide(an_observation(a_rollout().serving(OLD).asking_for(NEW), release=requiring(NEW), others=()))
    decide(an_observation(a_rollout().serving(OLD).asking_for(NEW), release=requiring(NEW), others=BILLING))
    signed = a_ready_release(NEW).replace(spec=release.spec)
    decide(an_observation(a_rollout().serving(OLD).trying(NEW), release=signed))
    content = fields(Components).keys()
    every = fields(AgentReleaseSpec)

    whole = {("ServiceRef", name) for name in ("name", "port")}  # written to the route as it is
    assert every.keys() - content - read - whole - BY_KEY == RECORDED - content - read
    assert {field: every[field] for field in RECORDED if not WORDS.search(every[field])} == {}


def test_descriptions_say_what_is_a_record() -> None:
    """In the CRDs as well, where `kubectl explain` finds it."""
    crd = (EXAMPLES.parents[1] / "agentrollouts.dev_agentreleases.yaml").read_text()
    for name in ("riskTier", "snapshot", "approvedBy"):
        text = " ".join(crd.partition(f"{name}:\n")[2][:600].split())
        assert WORDS.search(text), name


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 any JSON
    """The path of every value."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from leaves(child, (*path, key))
    if not isinstance(node, dict | list):
        yield path


OTHER: Final[dict[str, Any]] = {
    "version": "9.9.9",
    "releaseDate": "2020-01-01",
    "digest": "sha256:" + "0" * 64,
    "compatiblePrompt": ">=2.0.0",
}


def test_each_field_of_a_component_is_part_of_the_digest() -> None:
    """So that nothing that an agent reads can change without a release; the rest of the spec is not in it."""
    original = a_release()
    before = digest(original)
    for path in leaves(original["spec"]["components"]):
        if path[-1] == "name" and path[-2] == "configMapRef":
            continue  # its content counts, not its name
        changed = a_release()
        place = changed["spec"]["components"]
        for part in path[:-1]:
            place = place[part]
        old = place[path[-1]]
        other = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"
        place[path[-1]] = OTHER.get(path[-1], other)
        if path == ("prompt", "version"):
            place[path[-1]] = "3.2.0"
        assert digest(changed) != before, path
    for key, value in (("riskTier", "Stateless"), ("requires", []), ("description", "x"), ("approvedBy", [])):
        assert digest({**original, "spec": {**original["spec"], key: value}}) == before, key


def test_each_setting_is_read() -> None:
    """Outside the module that declares it, by name."""
    texts = [path for path in PACKAGE.rglob("*.py") if path.name != "settings.py"]
    attributes = {
        node.attr
        for path in texts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert {name for _, name in fields(Settings)} - attributes == set()
