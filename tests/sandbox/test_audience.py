"""`sandbox.demo.audience` and `sandbox.people.onlooker`: what counts as seen, and what as missed."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from sandbox.demo.audience import Audience, MissedError
from sandbox.demo.screen import Screen
from sandbox.people.load import Answer, Ledger
from sandbox.people.onlooker import Seen, Stretch, Weights, stretches, version_of, weights_of

FOREVER = float("inf")


class Versions:
    """An object of which these versions were seen."""

    def __init__(self, *versions: Seen) -> None:
        self.versions: Sequence[Seen] = versions

    @property
    def latest(self) -> Mapping[str, Any]:
        """The newest one."""
        return self.versions[-1].manifest if self.versions else {}


def route(at: float, **weights: int) -> Seen:
    """A version of a route; `v4_1_0=95` is the weight of 4.1.0."""
    backends = [
        {"name": f"support-agent-{version[1:].replace('_', '-')}", "port": 8080, "weight": weight}
        for version, weight in weights.items()
    ]
    return Seen(
        at, {"metadata": {"resourceVersion": f"{at}"}, "spec": {"rules": [{"backendRefs": backends}]}}
    )


def audience_of(*versions: Seen, canary_every: int, status: Mapping[str, Any] | None = None) -> Audience:
    """An audience of 100 requests a second for 10 s, of which every so-and-so-manieth goes to 4.2.0."""
    ledger = Ledger()
    for number in range(1000):
        release = "support-agent-4.2.0" if number % canary_every == 0 else "support-agent-4.1.0"
        sent = number / 100
        ledger.record(Answer(number, "user", release, "completed", 200, sent, sent + 0.005))
    rollout = Versions(Seen(0, {"status": status or {}}))
    return Audience(Screen(io.StringIO()), Versions(*versions), rollout, ledger)


def test_stretches() -> None:
    """A segment lasts until the weights change; other writes to the route and weights of 0 are no change."""
    versions = [
        route(1, v4_1_0=100),
        route(2, v4_1_0=100),
        route(3, v4_1_0=95, v4_2_0=5),
        route(4, v4_1_0=100, v4_2_0=0),
        route(5, v4_1_0=100),
    ]

    stable: Weights = {"4.1.0": 100}
    assert stretches(versions) == [
        Stretch(stable, 1, 3),
        Stretch({"4.1.0": 95, "4.2.0": 5}, 3, 4),
        Stretch(stable, 4, FOREVER),
    ]


def test_names() -> None:
    """A route without rules has no weights; release and service names tell the same version."""
    assert weights_of({"spec": {}}) == {}
    assert (version_of("support-agent-4-2-0"), version_of("support-agent-4.2.0")) == ("4.2.0", "4.2.0")


def test_share() -> None:
    """A share that follows its weight is seen, also after the weight has gone."""
    sentence = "5% on the route; 5.0% of 400 requests at the customers"
    weights = route(0, v4_1_0=95, v4_2_0=5)

    assert audience_of(weights, route(4.5, v4_1_0=100), canary_every=20).share("4.2.0", 5) == sentence


@pytest.mark.parametrize(
    ("versions", "canary_every"),
    [
        pytest.param([route(0, v4_1_0=95, v4_2_0=5)], 10, id="the gateway sends twice as many"),
        pytest.param([route(0, v4_1_0=75, v4_2_0=25)], 20, id="another weight"),
        pytest.param([route(9, v4_1_0=95, v4_2_0=5)], 20, id="too few requests since"),
        pytest.param([], 20, id="no route"),
    ],
)
def test_share_that_is_not_seen(versions: list[Seen], canary_every: int) -> None:
    """Weights on the route alone are not enough, nor are requests alone."""
    assert audience_of(*versions, canary_every=canary_every).share("4.2.0", 5) is None


def test_deviation() -> None:
    """All segments are compared; one that does not sum to 100, or whose shares are off, counts."""
    good = route(0, v4_1_0=95, v4_2_0=5)
    sentence = "1 splits of 100%; each share within 0.1 points of its weight"

    assert audience_of(good, canary_every=20).deviation() == sentence
    assert audience_of(good, canary_every=10).deviation() is None
    assert audience_of(good, route(9.9, v4_1_0=95, v4_2_0=6), canary_every=20).deviation() is None


def test_step_that_is_missed() -> None:
    """A missed step says what was expected, and what was seen instead of it."""
    status = {"conditions": [{"type": "Ready", "reason": "Healthy", "message": "All is well"}]}
    audience = audience_of(route(0, v4_1_0=100), canary_every=20, status=status)

    with pytest.raises(MissedError) as missed:
        audience.see("4.2.0 gets 5%", "5% of the requests", lambda: None, 0)

    assert str(missed.value) == (
        "4.2.0 gets 5%: expected 5% of the requests within 0 s; saw the route at 4.1.0 100%, served in "
        "the last 5 s: none; the operator says Healthy: All is well"
    )
    assert audience.steps == []
