"""Drills under live load: real agents behind the gateway, and a record of who answered each customer."""

from datetime import datetime, timedelta
from typing import Any, Final

from sandbox import scenarios
from tests.e2e.api import Manifest
from tests.e2e.manifests import QUICK, phase, routed
from tests.e2e.scene import BACK, Scene, condition_of, now, seconds_between
from tests.e2e.storefront import (
    Storefront,
    customers,
    gets_no_more_requests,
    gets_requests,
    storefront,
    unanswered,
    version_of,
)
from tests.e2e.witness import eventually

OLDER, BROKEN, STABLE = scenarios.HEALTHY, scenarios.BAD_PROMPT, scenarios.FIXED
WEIGHT: Final = 20
YEAR: Final = 366 * 24 * 3600
UNJUDGED: Final[dict[str, Any]] = {
    "phases": [phase("half", 50, 1, approval="Required")],
    "gates": [],
    "rollback": {"verify": {"withinSeconds": 60, "watchSeconds": 60}},
}
"""A plan by which people alone decide, so a broken release can become healthy. A drill sees its last runs."""


def drills(front: Storefront, release: str, seconds: int) -> Manifest:
    """A person requests a drill of a release; what `status.lastDrill` says of it in the end."""
    shop, gates = front.shop, QUICK["gates"]
    drill = {"everySeconds": YEAR, "weight": WEIGHT, "durationSeconds": seconds}
    shop.asks_for(version_of(shop.asked), gates=gates, drill=drill)
    shop.is_seen()
    assert shop.answer(shop.act("Drill", release=release))[0] == "Done"
    shop.until("the drill is over", lambda: shop.status["lastDrill"].get("outcome"))
    last: Manifest = shop.status["lastDrill"]
    assert (last["target"], last["weight"]) == (release, WEIGHT)
    return last


def shipped(front: Storefront, release: str) -> None:
    """The release is made and becomes healthy, and Prometheus knows its runs."""
    front.ships(release)
    front.shop.comes_to("AwaitingApproval", phase="half")
    front.shop.act("Approve", phase="half")
    front.shop.comes_to("Healthy")
    front.shop.until("it serves", lambda: front.shop.ready.get("reason") == "Healthy")
    eventually(f"runs of {release}", lambda: front.shop.scene.runs_seen(release))


def test_a_drill_under_load_loses_no_request(given: Scene) -> None:
    """The target serves its share, then stable serves all; the status has both times, and is Ready."""
    with (
        storefront(given, OLDER, traffic=routed(given.namespace), **UNJUDGED) as front,
        customers(given) as ledger,
    ):
        gets_requests(ledger, OLDER)
        settled = now()
        shipped(front, STABLE)
        gets_no_more_requests(ledger, OLDER)
        begun = now()

        last = drills(front, OLDER, seconds=10)
        gets_no_more_requests(ledger, OLDER)
        ended, answered = now(), ledger.counts()[OLDER]

    assert last["outcome"] == "Passed", last
    assert last["message"] == f"{last['runs']} runs at {WEIGHT}%, and all traffic returned to stable"
    assert last["runs"] > 0
    assert ledger.counts(begun, ended)[OLDER] > 0, "the target answers customers during its drill"
    assert unanswered(ledger, settled) == []
    rollback = last["rollback"]
    seconds = seconds_between(rollback["decidedTime"], rollback["routedTime"])
    assert last["decidedToRoutedSeconds"] == f"{seconds:.3f}"
    last_run = timedelta(seconds=float(last["decidedToLastRunSeconds"]))
    seen = datetime.fromisoformat(rollback["decidedTime"]) + last_run
    assert given.runs_seen(OLDER, at=seen) >= answered, "the sample of that time has each answered run"
    weights = [version.weights for version in given.witness.versions(front.shop.route, begun)]
    assert list(dict.fromkeys(weights)) == [BACK, (100 - WEIGHT, WEIGHT)]
    versions = [version.manifest for version in given.witness.versions(front.shop.ref, begun)]
    during = [each for each in versions if each["status"]["attempt"]["kind"] == "Drill"]
    assert [ready for each in during if (ready := condition_of(each, "Ready"))["status"] != "True"] == []
    assert (front.shop.attempt["kind"], front.shop.attempt["state"]) == ("Drill", "RolledBack")
    assert "lastRollback" not in front.shop.status


def test_a_broken_target_fails_its_drill_and_is_not_chosen(given: Scene) -> None:
    """Its drill ends at the gate, without a quarantine, and a rollback of stable takes the release before."""
    with (
        storefront(given, OLDER, traffic=routed(given.namespace), **UNJUDGED) as front,
        customers(given) as ledger,
    ):
        gets_requests(ledger, OLDER)
        for release in (BROKEN, STABLE):
            shipped(front, release)
            gets_requests(ledger, release)
        settled = now()

        last = drills(front, BROKEN, seconds=600)
        gets_no_more_requests(ledger, BROKEN)
        assert last["outcome"] == "Failed", last
        assert last["message"].startswith("errors: "), last
        assert (last["rollback"]["trigger"], last["rollback"]["to"]) == ("Breach", STABLE)
        assert front.shop.status.get("quarantined", []) == []
        assert front.shop.weights() == BACK

        rolled_back = now()
        assert front.shop.answer(front.shop.act("RollBack", release=STABLE))[0] == "Done"
        front.shop.until("it serves", lambda: front.shop.status["stable"]["release"] == OLDER)
        gets_no_more_requests(ledger, STABLE)

    assert front.shop.status["lastRollback"]["to"] == OLDER
    assert ledger.counts(rolled_back)[BROKEN] == 0
    assert unanswered(ledger, settled) == []
