"""`Split`: cohorts, keys, and what happens when the operator writes new weights.

The files are those that the operator's own code writes.
"""

import logging
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.traffic.routers.config_map import ConfigMapRouter
from agentrollouts.core.traffic.weights import Split as Shares
from agentrollouts.core.traffic.weights import Weights
from agentrollouts_agent import StartError
from agentrollouts_agent.split import Choice, Split
from testkit.builders.names import NEW, OLD, snapshot_of
from testkit.builders.rollouts import a_rollout

ALONE, TRYING = a_rollout().serving(OLD).build(), a_rollout().serving(OLD).trying(NEW).build()
USERS = [f"user-{number}" for number in range(20_000)]


def flags(canary: int) -> str:
    """`flags.json` with a canary of this weight; at 0 there is none."""
    rollout = TRYING if canary else ALONE
    manifest = ConfigMapRouter.render(rollout, Shares(rollout.status, Weights(canary)), {})
    return str(manifest["data"]["flags.json"])


def write(path: Path, text: str) -> Path:
    """Replace the file as a kubelet does: a new file under the old name."""
    new = path.with_name("..data_tmp")
    new.write_text(text)
    new.replace(path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ConfigMap is mounted, with all traffic on stable."""
    return write(tmp_path / "flags.json", flags(0))


def test_no_user_returns_to_stable_as_the_weight_grows(path: Path) -> None:
    """At 5, 25 and 95%, shares are right within 1 point, and each cohort contains the one before."""
    split = Split(path)
    cohorts = []
    for weight in (5, 25, 95):
        write(path, flags(weight))
        cohort = {user for user in USERS if split.choose(user).release == NEW}
        assert abs(len(cohort) / len(USERS) - weight / 100) < 0.01
        cohorts.append(cohort)

    assert cohorts[0] < cohorts[1] < cohorts[2]


def test_a_rollback_reaches_the_next_choice(path: Path) -> None:
    """As soon as the file says so, everyone gets stable, with the name of its snapshot."""
    split = Split(write(path, flags(95)))
    assert {split.choose(user).release for user in USERS[:1000]} == {OLD, NEW}

    write(path, flags(0))

    assert {split.choose(user) for user in USERS} == {Choice(OLD, snapshot_of(OLD))}


@given(key=st.text(min_size=1).filter(str.strip), weight=st.integers(1, 99))
def test_the_same_key_gets_the_same_release(
    tmp_path_factory: pytest.TempPathFactory, key: str, weight: int
) -> None:
    """In another process too, since the choice depends on the file and the key alone."""
    path = write(tmp_path_factory.mktemp("split") / "flags.json", flags(weight))

    assert Split(path).choose(key) == Split(path).choose(key)
    assert Split(path).choose(key).snapshot in {snapshot_of(OLD), snapshot_of(NEW)}


@pytest.mark.parametrize("key", ["", " ", "\n"])
def test_an_empty_key_is_refused(path: Path, key: str) -> None:
    """Otherwise all users without an id would get one release."""
    with pytest.raises(ValueError, match="The key is empty"):
        Split(path).choose(key)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"flags": {}}', '{"flags": {"a": 1}}', '{"flags": {"a": {"state": "ENABLED"}}}']
)
def test_a_file_that_is_no_split(path: Path, caplog: pytest.LogCaptureFixture, text: str) -> None:
    """It stops a start in one sentence; later it is reported once, and the weights stay as they were."""
    split = Split(write(path, flags(25)))
    before = [split.choose(user) for user in USERS[:100]]
    write(path, text)

    with pytest.raises(StartError, match="Cannot read the split"):
        Split(path)
    with caplog.at_level(logging.WARNING):
        assert [split.choose(user) for user in USERS[:100]] == before
    assert len(caplog.records) == 1


def test_a_missing_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same; and once it is there again, it is read."""
    split = Split(path)
    os.unlink(path)  # noqa: PTH108 the file, and not what it leads to

    with pytest.raises(StartError, match="No such file"):
        Split(path)
    assert {split.choose(user).release for user in USERS[:100]} == {OLD}
    write(path, flags(95))
    assert {split.choose(user).release for user in USERS[:100]} == {OLD, NEW}
    assert len(caplog.records) == 1
