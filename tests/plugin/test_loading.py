"""What loading the screens leaves out, since someone waits for it."""

import subprocess
import sys
from pathlib import Path

from tests.plugin.fake import environment

SCREEN = ("agentrollouts.plugin.shown", "agentrollouts.insight.view.view")


def printed(code: str, **changes: str) -> list[str]:
    """What a process prints that runs this code."""
    done = subprocess.run(  # noqa: S603 ours
        [sys.executable, "-c", f"from agentrollouts.plugin.loading import load; {code}"],
        env=environment(Path(), changes),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_no_garbage_is_collected_while_modules_are_loaded() -> None:
    """Modules stay, so nobody searches them: neither while more are loaded, nor later, nor at the end."""
    code = (
        "import gc; runs = lambda: sum(each['collections'] for each in gc.get_stats()); began = runs(); "
        f"load(*{SCREEN})(); print(runs() - began < 10, gc.isenabled(), len(gc.get_objects()) < 10_000)"
    )
    assert printed(code) == ["True"] * 3


def test_what_runs_kubectl_gets_its_turn_while_modules_are_loaded() -> None:
    """An import keeps the interpreter for a tenth of the usual time at most."""
    assert printed("import sys; load(); print(sys.getswitchinterval() <= 0.0005)") == ["True"]


def test_a_module_that_is_missing_leaves_the_collector_as_it_was() -> None:
    """The error comes where the module is used; until then, the process goes through as usual."""
    assert printed("import gc; load('agentrollouts.absent')(); print(gc.isenabled())") == ["True"]


def test_no_plugin_of_pydantic_is_loaded(tmp_path: Path) -> None:
    """Neither the search through all installed packages nor what it finds delays a screen."""
    found = tmp_path / "spy-1.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: spy\nVersion: 1\n")
    (found / "entry_points.txt").write_text("[pydantic]\nspy = spy:SPY\n")
    (tmp_path / "spy.py").write_text("print('loaded')\nSPY = object()\n")
    models = "from agentrollouts.api.rollout import AgentRollout; AgentRollout.model_rebuild()"

    assert printed(f"load(*{SCREEN})(); {models}", PYTHONPATH=str(tmp_path)) == []
