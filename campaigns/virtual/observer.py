"""The observer: what must be true of every version of the objects, whoever wrote them and whatever happened.

It sees manifests at times, as a watch of the API server tells them, and knows besides only what those know
who play the world: which releases are bad, and when Prometheus really answered. It imports nothing of the
operator. Each sentence begins with its rule's name: S1, S3 to S6, L1 or L2 of `docs/reliability.md`, or A1:
an action and its effect are in the same version, once.
"""

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from campaigns import routes

Manifest = Mapping[str, Any]

LATCH: Final = "agentrollouts.dev/rolled-back"
LATCHED: Final = ("RollingBack", "Verifying", "RolledBack")  # in which the route is written before the status
ENDS: Final = ("Healthy", "RolledBack", "Superseded")
UNTRIED: Final = ("SpecReverted", "Superseded", "DrillPassed", "DrillFailed", "DrillSkipped")
"""Reasons of ends that say nothing about the release, or that are a rollback on purpose."""
MAY_LAST: Final = ("CapExceeded", "GateFailed", "Inconclusive", "SharedCause")
"""Holds that end by themselves once the metrics change, which they may never do."""
RAMP_STEPS: Final = 10


@dataclass(slots=True)
class Observer:
    """Everything that was seen, and what of it may not be."""

    services: Mapping[str, str]
    """The release behind each Service."""
    bad: frozenset[str]
    """Releases that no rollout may ever call healthy."""
    tolerance: timedelta = timedelta(seconds=2)
    """By how much a phase may be shorter than its plan: what the operator's clock was off."""
    broken: list[str] = field(default_factory=list)
    writes: int = 0
    """Versions of objects that the operator wrote."""
    healthy: set[str] = field(default_factory=set)
    """Releases that were stable at any time."""
    _status: Manifest = field(default_factory=dict)
    _spec: Manifest = field(default_factory=dict)
    _ends: dict[int, str] = field(default_factory=dict)
    _latched: int = 0
    """The newest attempt of which anything persisted said that it is rolled back."""
    _shown: tuple[int, int] | None = None
    """Attempt and weight that the route shows; None while it shows what somebody else wrote."""
    _rules: list[routes.Weights] = field(default_factory=list)
    """Weights of the newest route, whoever wrote them."""
    _since: dict[tuple[int, int], datetime] = field(default_factory=dict)
    """When the route first showed an attempt at a weight."""
    _phase: tuple[tuple[Any, ...], datetime | None] = ((), None)
    """Attempt, plan and phase of the newest status, and since when."""
    _vouched: int = 0
    """The newest attempt of which a person promoted the last phase: nothing has to prove that release."""
    _just_taken: Collection[str] = ()
    """Types of the actions that took effect with the newest status."""
    _acted: frozenset[str] = frozenset()
    """Actions that were ever in the ledger, by uid."""
    _look: tuple[datetime, bool] | None = None
    """When Prometheus was asked last, and whether it really answered."""

    def fork(self) -> "Observer":
        """The same observer, to see what else could have happened."""
        other = copy.copy(self)
        other.broken, other.healthy = list(self.broken), set(self.healthy)
        other._ends, other._since = dict(self._ends), dict(self._since)  # noqa: SLF001 one of its own kind
        return other

    def see(self, time: datetime, manifest: Manifest) -> None:
        """An object has a new version."""
        match manifest["kind"]:
            case "AgentRollout":
                self.writes += 1
                self._see_status(time, manifest)
            case "HTTPRoute":
                self._see_route(time, manifest)

    def looked(self, time: datetime, *, answered: bool) -> None:
        """Prometheus was asked."""
        self._look = time, answered

    def check(self, holds: bool, rule: str, sentence: str, time: datetime) -> None:  # noqa: FBT001 reads as an assertion
        """Note what does not hold."""
        if not holds:
            self.broken.append(f"{rule}: {sentence} ({time:%H:%M:%S})")

    @property
    def attempt(self) -> Manifest:
        """The attempt of the newest status."""
        attempt: Manifest = self._status.get("attempt") or {}
        return attempt

    def _see_route(self, time: datetime, route: Manifest) -> None:
        rules = routes.rules_of(route)
        is_ours = not route["metadata"].get("managedFields")
        is_other, self._rules = rules != self._rules, rules
        if not is_ours:
            self._shown = None if is_other else self._shown
            return
        self.writes += 1
        known, fallback, off = self.services, routes.fallback_of(self._spec), routes.share_off(self._status)
        wrong = "; ".join(routes.wrong_rules(route, fallback))
        self.check(not wrong, "S1", wrong, time)
        self.check(routes.percent_off(route) >= off, "S3", f"traffic comes back though {off}% is off", time)
        latch = int(route["metadata"].get("annotations", {}).get(LATCH, 0))
        self._latched = max(self._latched, latch)
        sides = [
            {known.get(name, name): n for name, n in routes.shares(rule).items() if n and name != fallback}
            for rule in rules
        ]
        number, desired = self.attempt.get("number", 0), self.attempt.get("weight", 0)
        if latch > number:  # stable itself is rolled back, and the status is still to say so
            self._shown = None
            serving = {release for side in sides for release in side}
            self.check(serving <= self.healthy, "S5", f"rolled back to {sorted(serving)}", time)
            return
        stable = (routes.mark_of(route).get("standby") or self._status.get("stable") or {}).get("release")
        *others, canary = (sum(n for release, n in side.items() if release != stable) for side in sides)
        if number <= self._latched and self.attempt.get("state") != "Healthy":
            is_back = not any([canary, *others]) or stable is None
            self.check(is_back, "S4", f"canary at {canary}% after the way back", time)
        self.check(canary <= desired, "S3", f"canary at {canary}%, the status asks for {desired}%", time)
        self.check(bool(desired) or not any(others), "S3", f"a rule gives the canary {others}", time)
        self._shown = number, canary
        self._since.setdefault(self._shown, time)

    def _see_status(self, time: datetime, rollout: Manifest) -> None:
        before, self._status, old = self._status, rollout["status"], self.attempt
        new, spec = self.attempt, rollout["spec"]
        if new.get("state") in LATCHED:
            self._latched = max(self._latched, new["number"])
        self._check_actions(time, before)
        self._check_order(time, old, new)
        self._check_history(time)
        if old and new and old["number"] == new["number"]:
            is_same_plan = old.get("planHash") == new.get("planHash")
            if new.get("weight", 0) > old.get("weight", 0) and old["state"] != "Pending" and is_same_plan:
                self._check_rise(time, old, new, spec)
            if new.get("phaseIndex", 0) > old.get("phaseIndex", 0) and is_same_plan:
                self._check_approvals(time, old, new, spec)
        phase = tuple(new.get(key) for key in ("number", "planHash", "phaseName"))
        if phase != self._phase[0]:
            self._phase = phase, time
        stable = (self._status.get("stable") or {}).get("release")
        earlier = (before.get("stable") or {}).get("release")
        if (new.get("promoted") or {}).get("phaseName") == spec["phases"][-1]["name"]:
            self._vouched = new["number"]
        if earlier is not None and stable != earlier and new.get("number") != self._vouched:
            self.check(stable not in self.bad, "truth", f"{stable}, a bad one, is stable", time)
        if stable:
            self.healthy.add(stable)
        self._check_rollback(time)
        self._check_conditions(time)
        self._spec = spec

    def _check_order(self, time: datetime, old: Manifest, new: Manifest) -> None:
        """An end is an end, the way back is latched, and the next attempt has the next number."""
        if not old or not new:
            return
        change = f"attempt {old['number']} {old['state']} became {new['number']} {new['state']}"
        if old["number"] != new["number"]:
            is_over = old["state"] in ENDS
            self.check(is_over and new["number"] == old["number"] + 1, "S6", change, time)
            return
        if old["state"] in ENDS:
            self.check(new["state"] == old["state"], "S6", change, time)
        if old["state"] in LATCHED:
            index = LATCHED.index(old["state"])
            self.check(new["state"] in LATCHED[index:], "S4", change, time)
            self.check(new.get("weight", 0) == 0, "S4", f"{change} with weight {new.get('weight')}", time)

    def _check_history(self, time: datetime) -> None:
        numbers = [entry["number"] for entry in self._status.get("history", ())]
        self.check(len(numbers) == len(set(numbers)), "S6", f"attempts ended twice: {numbers}", time)
        for entry in self._status.get("history", ()):
            recorded = self._ends.setdefault(entry["number"], entry["outcome"])
            change = f"attempt {entry['number']} ended {recorded}, then {entry['outcome']}"
            self.check(recorded == entry["outcome"], "S6", change, time)

    def _check_rise(self, time: datetime, old: Manifest, new: Manifest, spec: Manifest) -> None:
        """Up only by the next step, with every gate Pass, on a look at this weight, after its time."""
        if "stable" not in self._status:
            return
        self.check("heldBy" not in new, "S3", "more weight though a person holds the attempt", time)
        self.check("detour" not in self._status, "S3", "more weight while the agent is switched off", time)
        if old.get("promoted") or "Promote" in self._just_taken:
            return  # a person vouches for what is measured, and for the rest of a ramp
        rise = f"from {old['weight']}% to {new['weight']}%"
        steps = list(_steps(spec))
        following = next((step for step in steps if step > old["weight"]), None)
        self.check(new["weight"] == following, "S3", f"{rise}, the plan's next step is {following}", time)
        if not spec.get("gates") or old["weight"] == 100:  # noqa: PLR2004 percent
            return
        said = {gate["name"]: gate["verdict"] for gate in self._status.get("gates", ())}
        passed = all(said.get(gate["name"]) == "Pass" for gate in spec["gates"])
        self.check(passed, "S3", f"{rise} though the gates say {said}", time)
        desired, look = (old["number"], old["weight"]), self._look
        self.check(self._shown == desired, "S3", f"{rise} while the route shows {self._shown}", time)
        since = self._since.get(desired)
        if since is None or look is None:
            return
        self.check(look[1], "S3", f"{rise} though Prometheus gave no numbers", time)
        self.check(look[0] > since, "S3", f"{rise} on a look at an earlier weight", time)
        _, entered = self._phase
        if entered is not None and old.get("phaseName") != new.get("phaseName"):
            seconds = spec["phases"][old["phaseIndex"]]["durationSeconds"]
            waited = time - entered + self.tolerance
            self.check(
                waited >= timedelta(seconds=seconds), "S3", f"{rise} after {waited} of {seconds} s", time
            )

    def _check_approvals(self, time: datetime, old: Manifest, new: Manifest, spec: Manifest) -> None:
        """A phase that requires approvals is left with that many, each of another person."""
        phase = spec["phases"][old.get("phaseIndex", 0)]
        if phase.get("approval") != "Required" or "weight" not in old:
            return
        given = new.get("approvedBy", ())
        people = {each["by"].casefold() for each in given if each["phaseName"] == phase["name"]}
        is_enough = len(people) >= phase.get("approvals", 1)
        self.check(is_enough, "S3", f"approved by {sorted(people)} alone", time)

    def _check_actions(self, time: datetime, before: Manifest) -> None:
        """Each fact that a person made is as new as its entry; no action is taken twice."""
        ledger = self._status.get("actions", ())
        known = {entry["uid"] for entry in before.get("actions", ())}
        new = [entry for entry in ledger if entry["uid"] not in known]
        again = sorted(entry["name"] for entry in new if entry["uid"] in self._acted)
        self.check(not again, "A1", f"taken again: {again}", time)
        self._acted |= {entry["uid"] for entry in new}
        self._just_taken = {
            entry["type"] for entry in new if entry["result"] in {"Done", "Counted", "Waiting"}
        }
        facts = _facts(self._status) - _facts(before)
        unnamed = sorted(facts - {entry["name"] for entry in new})
        self.check(not unnamed, "A1", f"an effect of {unnamed} without their entries", time)

    def _check_rollback(self, time: datetime) -> None:
        rollback = self._status.get("lastRollback")
        if rollback and "to" in rollback:
            is_known = rollback["to"] in self.healthy
            self.check(is_known, "S5", f"rolled back to {rollback['to']}, never found healthy", time)
            self.check(
                rollback["to"] != rollback["from"],
                "S5",
                f"rolled back to {rollback['to']}, which failed",
                time,
            )
            ends = (entry for entry in self._status.get("history", ()) if entry["release"] == rollback["to"])
            last = next((entry for entry in ends if entry["reason"] not in UNTRIED), None)
            is_good = last is None or last["outcome"] == "Healthy"
            self.check(is_good, "S5", f"rolled back to {rollback['to']}, itself rolled back", time)

    def _check_conditions(self, time: datetime) -> None:
        """L1: what is not over says why, and since when."""
        conditions = {condition["type"]: condition for condition in self._status.get("conditions", ())}
        state = self.attempt.get("state")
        sentence = f"in state {state} nothing says what is waited for: {sorted(conditions)}"
        waits = [conditions[kind] for kind in ("Reconciling", "Stalled") if kind in conditions]
        is_told = any(condition["status"] == "True" and condition["reason"] for condition in waits)
        is_rest = state is None or state in ENDS or self.attempt.get("kind") == "Drill"
        self.check(is_rest or is_told, "L1", sentence, time)
        hold = self.attempt.get("hold")
        if state == "Held":
            is_explained = bool(hold and hold["reason"] and hold["message"] and hold["since"])
            self.check(is_explained, "L1", "held without a reason", time)

    def at_rest(self, time: datetime) -> None:
        """Nothing is disturbed any more, for long: the rollout is over, or it says what it waits for."""
        state = self.attempt.get("state")
        conditions = {condition["type"]: condition for condition in self._status.get("conditions", ())}
        stalled = conditions.get("Stalled", {}).get("status") == "True"
        held_for = self.attempt.get("hold", {}).get("reason") if state == "Held" else None
        needs = state == "AwaitingApproval" or stalled or held_for in MAY_LAST
        self.check(
            state in ENDS or needs or not state, "L1", f"still {state}: {conditions.get('Ready')}", time
        )


def _facts(status: Manifest) -> set[str]:
    """The actions whose effects a status shows."""
    attempt = status.get("attempt") or {}
    facts = [
        attempt.get("promoted"),
        attempt.get("heldBy"),
        attempt.get("acknowledged"),
        status.get("retried"),
    ]
    facts += [hook.get("waived") for hook in status.get("hooks", ())]
    return {fact["action"] for fact in (*facts, *attempt.get("approvedBy", ())) if fact}


def _steps(spec: Manifest) -> Iterator[int]:
    """All weights that the plan goes through."""
    before = 0
    for phase in spec["phases"]:
        rise, count = phase["weight"] - before, 1
        if phase.get("rampSeconds") and rise > 0:
            count = min(RAMP_STEPS, rise)
        yield from (before + round(rise * (index + 1) / count) for index in range(count))
        before = phase["weight"]
