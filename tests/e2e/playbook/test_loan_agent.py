"""The loan agent of the playbook: a release approves 52% of the applications, where 45% were approved before.

Nothing fails, so no error rate shows it. The 30 minutes for which nothing else may move are 20 s here. The
report of it is compared with a golden file, whose numbers are worked out from the raw series and times.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from tests.command import run
from tests.e2e.manifests import FIRST, a_release, phase
from tests.e2e.scene import BACK, Scene, Shop, seconds_between
from tests.e2e.witness import eventually

GOLDEN: Final = Path(__file__).parent / "golden" / "loan-report.md"

USUAL, GENEROUS = 0.45, 0.52
SOON, QUIET = 120, 20
"""Seconds within which decisions are to be as before, and for which nothing else may move."""
APPROVALS = {"bad": 'agent_decisions_total{decision="approve"}', "total": "agent_decisions_total"}
PLAN = {
    "gates": [
        {"name": "approvals", "source": APPROVALS, "severity": "High", "maxRatio": "1.05", "minSamples": 500},
        {"name": "mix", "template": "decision-mix"},
    ],
    "rollback": {"verify": {"withinSeconds": 12, "watchSeconds": SOON}},
}


def approved(given: Scene, seconds: int) -> float:
    """The share of approvals among all decisions of the last seconds, whichever release made them."""
    series = f'agent_decisions_total{{namespace="{given.namespace}",decision=~"%s"}}'
    [some, every] = (
        float(given.stack.query(f"sum(increase({series % decision}[{seconds}s]))")[0]["value"][1])
        for decision in ("approve", ".*")
    )
    return some / every


def rolled_back(given: Scene) -> Shop:
    """The rollout after the generous release was rolled back, and the rollback was verified."""
    for version, share in ((FIRST, USUAL), ("2.0.0", GENEROUS)):
        given.agents.approve(given.namespace, f"loans-{version}", share)
    (shop,) = given.serving("loans", **PLAN)
    eventually("a past", lambda: given.runs_seen(f"loans-{FIRST}") > 3000)
    child = a_release(given.namespace, "loans", "2.0.0", parent={"name": f"loans-{FIRST}"})
    given.api.apply(child)
    shop.asks_for("2.0.0", phases=[phase("half", 50, 600)])
    shop.until("a rollback", lambda: shop.status.get("lastRollback"))
    shop.comes_to("RolledBack")
    return shop


def test_more_approvals_than_before_are_rolled_back(given: Scene) -> None:
    """The shift is proved, the traffic is back, decisions are as before in time, and then nothing moves."""
    shop = rolled_back(given)

    rollback, window = shop.status["lastRollback"], shop.status["affectedWindow"]
    assert (rollback["trigger"], rollback["reason"]) == ("Breach", "GateFailed")
    assert rollback["message"].startswith("approvals: canary served ")
    assert "; rate 52% vs 45% = 1.16x, limit 1.05x; evidence " in rollback["message"]
    assert rollback["outcome"] == "Recovered", rollback
    assert seconds_between(rollback["routedTime"], rollback["verifiedTime"]) <= SOON
    assert window["release"] == "loans-2.0.0"

    given.witness.holds("nothing else moves", lambda: shop.weights() == BACK, QUIET)
    assert approved(given, QUIET // 2) == pytest.approx(USUAL, abs=0.005)
    assert shop.status["lastRollback"] == rollback


def judged_again(line: str) -> Mapping[str, Any]:
    """What `agentrollouts judge` says of a line of a report."""
    done = run(Path("/dev/null"), ["judge"], text=line)
    assert (done.returncode, done.stderr) == (0, "")
    verdict: Mapping[str, Any] = json.loads(done.stdout)
    return verdict


def sections(text: str, *titles: str) -> str:
    """The head of a report, and the sections of these titles up to their first table or picture."""
    head, *parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    kept = [part for part in parts if part[3:].partition("\n")[0] in titles]
    return head + "".join(kept)


def facts(given: Scene, shop: Shop) -> dict[str, str]:
    """The numbers of the report, from the times of the status and the series of Prometheus."""
    rollback, window = shop.status["lastRollback"], shop.status["affectedWindow"]
    looks = [look for look in shop.status["course"] if look["weight"]]
    clear = max(index for index, look in enumerate(looks) if look["evidence"][0] <= 0)
    began, decided = window["startTime"], rollback["decidedTime"]
    attempt = datetime.fromisoformat(shop.attempt["startTime"]).timestamp()
    times = {
        "bad": attempt + looks[clear + 1]["seconds"],
        **{
            name: datetime.fromisoformat(time).timestamp()
            for name, time in {
                "began": began,
                "decided": decided,
                "routed": rollback["routedTime"],
                "ended": window["endTime"],
                "verified": rollback["verifiedTime"],
            }.items()
        },
    }
    runs = f'max_over_time(agent_runs_total{{namespace="{given.namespace}",release="loans-2.0.0"}}[10m])'
    counted = sum(float(row["value"][1]) for row in given.stack.query(f"sum({runs})"))
    return {
        "message": rollback["message"],
        "runs": f"{round(counted):,}",
        **{name: f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}" for name, time in times.items()},
        **{f"until_{name}": f"{time - times['began']:.3f} s" for name, time in times.items()},
        **{f"{name}_after": f"{time - times['decided']:.3f} s" for name, time in times.items()},
    }


def test_the_report_says_what_happened(given: Scene) -> None:
    """It is the golden file, with the numbers of this run; its line for `judge` gives the same verdict."""
    shop = rolled_back(given)
    shop.until("evidence", lambda: shop.status["record"].get("evidence") == "Captured")
    shop.until("the record is written", lambda: not shop.status["record"]["unwritten"])

    done = run(given.stack.kubeconfig, ["report", "loans", f"--namespace={given.namespace}"])
    assert (done.returncode, done.stderr) == (0, "")
    wanted = ("Detection", "Impact", "What changed first", "What to repair", "Lessons")
    impact = re.sub(r"\nTraffic by weight:.*?(?=^## )", "\n", done.stdout, flags=re.DOTALL | re.MULTILINE)
    assert sections(impact, *wanted) == GOLDEN.read_text().format_map(facts(given, shop))

    [line] = re.findall(r"^```json\n(.*)\n```$", done.stdout, flags=re.MULTILINE)
    again = judged_again(f"{line}\n")
    assert again["verdict"] == "Fail"
    [phase_] = json.loads(line)["phases"]
    for side, share in (("canary", GENEROUS), ("stable", USUAL)):
        assert phase_[side]["bad"] / phase_[side]["total"] == pytest.approx(share, abs=0.005)
