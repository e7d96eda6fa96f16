"""Two ends of a course are compared by what they mean."""

from campaigns.cluster.lanes.normal_form import normal


def _rolled_back(why: str) -> str:
    status = {"lastRollback": {"message": why}}
    return normal([{"kind": "AgentRollout", "metadata": {"name": "a"}, "status": status}], "a")


def test_a_rollback_means_the_same_whether_or_not_runs_were_unfinished() -> None:
    """The reason of a rollback equals the same reason given a scrape earlier, but not another reason."""
    earlier = _rolled_back(
        "errors: canary finished 12 of 40 runs, was assigned 50% of them (20), but had 9 of 10 "
        "failures (90%); rate 45% vs 2% if its other runs end well = 22.5x, limit 1.5x"
    )
    later = _rolled_back(
        "errors: canary served 51% of 43 runs but had 9 of 11 failures (82%); rate 41% vs 9% = 4.5x, "
        "limit 1.5x"
    )

    assert earlier == later
    assert earlier != _rolled_back("Priya requested it")
