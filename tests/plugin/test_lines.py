"""A rollout that is followed without a terminal: one line per change, and none of what is the same."""

import copy
from pathlib import Path

import pytest

from agentrollouts.plugin.following import Look
from agentrollouts.plugin.kubectl import Kubectl, program
from agentrollouts.plugin.reading import Releases
from agentrollouts.plugin.shown import Shown
from tests.plugin.fake import fake
from tests.plugin.rollouts import in_canary, rolled_back


def test_a_line_is_never_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tick, a write that changes no word, and a silence that lasts print nothing; each change prints."""
    monkeypatch.setenv("PATH", f"{fake(tmp_path, 'exit 0')}:/usr/bin:/bin")
    program.cache_clear()
    (canary, _), (back, _) = in_canary(), rolled_back()
    written = copy.deepcopy(canary)
    written["metadata"]["resourceVersion"] = "2"
    written["status"]["gates"][0]["message"] = "other numbers"
    lost = [
        Look(written, is_new=False, silent_seconds=seconds, problem="The connection was refused")
        for seconds in (0.5, 1.5, 62.0)
    ]
    looks = [
        Look(canary, is_new=True),
        Look(canary, is_new=False),
        Look(written, is_new=True),
        *lost,
        Look(written, is_new=True),
        Look(written, is_new=False),
        Look(back, is_new=True),
        Look(back, is_new=False),
    ]
    with Shown(Releases(Kubectl()), None) as shown:
        for look in looks:
            shown.look(look)

    said = [line.split("  ")[1] for line in capsys.readouterr().out.splitlines()]
    assert said == ["Canary", "no answer: The connection was refused", "Canary", "Quarantined"]
