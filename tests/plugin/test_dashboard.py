"""How the page is started: as a program of its own, with the flags of the caller."""

from pathlib import Path

import pytest

from tests.plugin.fake import fake, run

FLAGS = ("--context=prod", "--as=dana")


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ((), ["config", "proxy"]),
        (("-n", "support"), ["proxy"]),
    ],
)
def test_flags_of_kubectl_reach_its_proxy(tmp_path: Path, given: tuple[str, ...], asked: list[str]) -> None:
    """Those that name a cluster or a user; without a namespace, the page gets that of the context."""
    folder = fake(tmp_path, f'echo "$@" >> {tmp_path}/calls; [ $1 = config ] && echo shop || exit 7')
    done = run(folder, "dashboard", "--no-open", *FLAGS, *given)

    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert [call[0] for call in calls] == asked
    assert [call[-2:] for call in calls] == [list(FLAGS)] * len(asked)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "kubectl proxy ended: 7\n")
