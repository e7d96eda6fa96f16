"""The demo: a bad release is caught and taken back, what failed stays out, the fix ships. All on real parts.

Every step has to be observed: weights are read back from the route, requests are counted at the customers.
What the operator says of itself is printed, and of its words only `Ready` is waited for. A step that is
missed ends the demo with exit code 1.
"""

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import yaml

from sandbox import scenarios
from sandbox.agents.fleet import Fleet
from sandbox.demo.audience import Audience
from sandbox.demo.screen import Screen
from sandbox.errors import SandboxError
from sandbox.operator import OperatorProcess
from sandbox.people.load import Answer, LoadGenerator, LoadPlan
from sandbox.people.onlooker import AGENT, ROLLOUTS, ROUTES, Follower, version_of
from sandbox.programs import web
from sandbox.stack import Stack

NAMESPACE: Final = "support"
HOST: Final = "support.example.com"
RATE: Final = 200
"""Requests a second of all customers together."""

_ROLLOUT: Final = Path(__file__).with_name("demo-rollout.yaml")
_QUIET_SECONDS: Final = 4.0
"""How long nothing may happen before it is believed that nothing will."""
_LATE_SECONDS: Final = 2.0
"""How long after 100/0 on the route the canary may still get a request: what the gateway needs to follow."""

_INTRODUCTION: Final = f"""\
A bad release of an AI agent is detected and rolled back, then the fix ships. This takes about two minutes.
Real parts: Kubernetes API server, Prometheus, Traefik as the gateway, the operator installed by its chart,
agents that do what their bundle says, and {RATE} customer requests a second.
All figures are independent of the operator: weights are read from the route, requests are counted at
the customers."""


def run() -> int:
    """Tell the story inside a sandbox; the exit code is 0 if every step of it was observed."""
    stack, keep_logs = Stack(quiet=True), True
    with Screen() as screen:
        try:
            _Story(screen, stack).tell()
            keep_logs = False
        except SandboxError as error:
            screen.bad(str(error))
            screen.plain(f"\nThe logs of all programs are in {stack.logs}")
            return 1
        except KeyboardInterrupt:
            keep_logs = False
            raise
        finally:
            stack.close(keep_logs=keep_logs)
    return 0


class _Story:
    def __init__(self, screen: Screen, stack: Stack) -> None:
        self._screen = screen
        self._stack = stack
        self._fleet = Fleet(stack, namespace=NAMESPACE)

    def tell(self) -> None:
        self._screen.plain(_INTRODUCTION)
        self._set_up()
        with self._audience() as audience:
            self._serves(audience)
            self._is_caught(audience)
            self._stays_out(audience)
            self._ships(audience)
            self._everybody_was_served(audience)
            self._conclude(audience)

    def _set_up(self) -> None:
        self._screen.heading("The stack, the operator, and release 4.1.0")
        self._screen.live("starting the control plane, Prometheus and the gateway")
        self._stack.start()
        self._screen.say("stack   Kubernetes API, Prometheus and gateway are up")
        OperatorProcess(self._stack).start()
        self._screen.say("helm    chart agentrollouts installed; the operator runs with its ServiceAccount")
        self._fleet.prepare()
        self._stack.add_gateway(NAMESPACE)
        self._deploy(scenarios.HEALTHY)

    def _serves(self, audience: Audience) -> None:
        audience.see("4.1.0 serves everyone", "100%", lambda: audience.share("4.1.0", 100), 30)
        audience.see("4.1.0 is healthy", "Ready", lambda: _ready(audience, "4.1.0"), 30)
        self._print_rollout()

    def _is_caught(self, audience: Audience) -> None:
        self._screen.heading(
            "Release 4.2.0: its prompt says order_id where the tool issue_refund takes order_number"
        )
        self._deploy(scenarios.BAD_PROMPT)
        audience.see("4.2.0 gets 5%", "5% of the requests", lambda: audience.share("4.2.0", 5), 30)
        self._print_rollout()
        audience.see("4.2.0 is rolled back", "100/0 on the route", lambda: self._went_back(audience), 60)
        self._print_rollout()
        audience.see("customers are safe", "no more requests to 4.2.0", lambda: _is_left_alone(audience), 20)
        self._screen.quote(self._timeline(audience))
        audience.see("4.1.0 has recovered", "Recovered", lambda: _recovered(audience), 45)

    def _stays_out(self, audience: Audience) -> None:
        self._screen.heading("Git syncs 4.2.0 once more")
        before, began = audience.route.latest["metadata"]["resourceVersion"], time.monotonic()
        number = audience.attempt["number"]
        self._ask_for(scenarios.BAD_PROMPT, {"example.com/synced": "again"})

        def nothing_happened() -> str | None:
            if time.monotonic() - began < _QUIET_SECONDS:
                return None
            answers = audience.sent(began)
            got = sum(version_of(answer.release) == "4.2.0" for answer in answers)
            now = audience.route.latest["metadata"]["resourceVersion"]
            if got or now != before or audience.attempt["number"] != number or not answers:
                return None
            return (
                f"the route is still version {now} after {_QUIET_SECONDS:g} s; "
                f"4.2.0 got 0 of {len(answers)} requests"
            )

        audience.see("4.2.0 stays out", "no write to the route, no request", nothing_happened, 10)
        ready = audience.condition("Ready")
        self._screen.say(f"says    {ready['reason']}: {ready['message'].split('. ')[0]}")
        self._print_rollout()

    def _ships(self, audience: Audience) -> None:
        self._screen.heading("Release 4.2.1: the fix")
        began = time.monotonic()
        self._deploy(scenarios.FIXED)
        for weight, seconds in ((5, 30), (25, 60), (95, 150)):
            look = functools.partial(audience.share, "4.2.1", weight)
            audience.see(f"4.2.1 gets {weight}%", f"{weight}% of the requests", look, seconds)
            self._print_rollout()
        self._screen.quote("\n".join(audience.passes))
        audience.see("4.2.1 is healthy", "Ready", lambda: _ready(audience, "4.2.1"), 120)
        audience.see("4.2.1 serves everyone", "100%", lambda: audience.share("4.2.1", 100), 15)
        audience.see("4.2.1 only rose", "rising weights", lambda: _rise(audience, "4.2.1", began), 1)

    def _everybody_was_served(self, audience: Audience) -> None:
        def none_lost() -> str | None:
            counts = audience.ledger.counts()
            return f"{counts.total()} requests, all answered by an agent" if not counts[""] else None

        audience.see("no request was lost", "an agent's answer to every request", none_lost, 1)
        expected = "weights that sum to 100, and shares that follow them"
        audience.see("shares followed weights", expected, audience.deviation, 1)

    def _conclude(self, audience: Audience) -> None:
        self._screen.quote(
            f"$ kubectl get arel,aro\n{self._stack.kubectl('get', 'arel,aro', f'--namespace={NAMESPACE}')}"
        )
        self._screen.heading("Every step was observed")
        rows = [(step.what, f"{step.seconds:.1f}", step.observed) for step in audience.steps]
        self._screen.table(("step", "seconds", "observed"), rows)

    @contextmanager
    def _audience(self) -> Iterator[Audience]:
        """Customers write, and somebody watches, from the moment the route leads to an agent."""
        route = Follower(self._stack, ROUTES, "httproutes", NAMESPACE, AGENT)
        rollout = Follower(self._stack, ROLLOUTS, "agentrollouts", NAMESPACE, AGENT)
        deadline = time.monotonic() + 30
        while not web.answers(f"{self._stack.gateway_url}/healthz", headers={"Host": HOST}):
            if time.monotonic() > deadline:
                raise SandboxError("the gateway leads to no agent after 30 s; expected 4.1.0 to serve")
            time.sleep(0.1)
        with LoadGenerator(LoadPlan(f"{self._stack.gateway_url}/run", host=HOST, rate=RATE)) as ledger:
            yield Audience(self._screen, route, rollout, ledger)

    def _deploy(self, release: str) -> None:
        """Apply a release, bring up its agent as a Deployment would, and ask for it."""
        self._stack.apply(scenarios.manifest_path(release))
        self._screen.say(f"apply   agentrelease/{release}")
        self._fleet.deploy(release)
        self._screen.say("agent   runs the bundle of its snapshot, is ready, is scraped")
        self._ask_for(release)

    def _ask_for(self, release: str, annotations: dict[str, str] | None = None) -> None:
        self._stack.apply(scenarios.manifest_path(release))
        rollout = yaml.safe_load(_ROLLOUT.read_text())
        rollout["spec"]["releaseRef"]["name"] = release
        rollout["metadata"]["annotations"] = annotations or {}
        self._stack.apply(rollout)
        self._screen.say(f"apply   agentrollout/{AGENT} with releaseRef {release}")

    def _print_rollout(self) -> None:
        self._screen.quote(
            f"$ kubectl get aro\n{self._stack.kubectl('get', 'aro', f'--namespace={NAMESPACE}')}"
        )

    def _went_back(self, audience: Audience) -> str | None:
        """100/0 on the route; with the time since Prometheus had the first sample that shows a failure."""
        if audience.stretches[-1].weights != {"4.1.0": 100}:
            return None
        seconds = audience.stretches[-1].start - self._first_failure_scraped()
        return f"100/0 on the route {seconds:.1f} s after the first failure was scraped"

    def _timeline(self, audience: Audience) -> str:
        """From the first bad run to the last request, as customers, Prometheus and API server saw it."""
        answers = _answers_of(audience, "4.2.0")
        failed = [answer.answered for answer in answers if answer.outcome == "failed"]
        decided = datetime.fromisoformat(audience.status["lastRollback"]["decidedTime"])
        moments = {
            "a customer got the first failed run": failed[0],
            "Prometheus scraped it": self._first_failure_scraped(),
            "the operator decided": _monotonic(decided.timestamp()),
            "the last request to 4.2.0 was sent": max(answer.sent for answer in answers),
            "the route showed 100/0": audience.stretches[-1].start,
        }
        lines = [
            f"{at - failed[0]:5.2f} s  {what}"
            for what, at in sorted(moments.items(), key=lambda moment: moment[1])
        ]
        return "\n".join([*lines, f"{len(failed)} of the {len(answers)} runs of 4.2.0 failed"])

    def _first_failure_scraped(self) -> float:
        """When Prometheus got the first sample that counts a failed run of 4.2.0, on the monotonic clock."""
        failed = f'agent_runs_total{{release="{scenarios.BAD_PROMPT}",outcome="failed"}}[3m]'
        series = self._stack.query(failed)
        return _monotonic(min(at for row in series for at, count in row["values"] if float(count) > 0))


def _ready(audience: Audience, version: str) -> str | None:
    """What `kubectl wait --for=condition=Ready` waits for."""
    ready, stable = audience.condition("Ready"), audience.status.get("stable") or {}
    if ready.get("status") != "True" or version_of(stable.get("release", "")) != version:
        return None
    return f"condition Ready is True: {ready['message']}"


def _is_left_alone(audience: Audience) -> str | None:
    """When 4.2.0 got its last request, once it got none for a while after that."""
    routed = audience.stretches[-1].start
    quiet = time.monotonic() - routed - _LATE_SECONDS
    after = audience.sent(routed + _LATE_SECONDS)
    if quiet < _QUIET_SECONDS or not after or any(version_of(answer.release) == "4.2.0" for answer in after):
        return None
    last = max(answer.sent for answer in _answers_of(audience, "4.2.0")) - routed
    when = f"{abs(last):.2f} s {'after' if last > 0 else 'before'} 100/0 was seen on the route"
    return f"the last request to 4.2.0 was sent {when}"


def _recovered(audience: Audience) -> str | None:
    """What the operator measured of stable, since the rollback and before the attempt."""
    rollback = audience.status["lastRollback"]
    if rollback.get("outcome") != "Recovered":
        return None
    return f"{rollback['outcome']}: {rollback['verification']}"


def _rise(audience: Audience, version: str, since: float) -> str | None:
    """All weights that the route had; None if one of them was lower than the one before."""
    weights = [stretch.weights.get(version, 0) for stretch in audience.stretches if stretch.start > since]
    return " ".join(map(str, weights)) if weights == sorted(weights) else None


def _answers_of(audience: Audience, version: str) -> list[Answer]:
    return [answer for answer in audience.ledger.answers() if version_of(answer.release) == version]


def _monotonic(timestamp: float) -> float:
    """A time of the wall clock on the clock of the ledger and the route."""
    return timestamp - time.time() + time.monotonic()
