"""A name that is not there: the sentence of kubectl, and where the object is or what is almost called so."""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.plugin.fake import fake, run

NOT_FOUND: Final = 'Error from server (NotFound): agentrollouts.agentrollouts.dev "{}" not found'
ALL: Final = {"support": ["support-agent", "sales-agent"], "shop": ["shop-agent"], "team": ["shop-agent"]}


def cluster(folder: Path, missing: str, *, may_list_all: bool = True) -> Path:
    """A kubectl that finds no such object, and lists what there is where someone may list it."""
    lines = {place: "".join(f"{place} {each}\\n" for each in names) for place, names in ALL.items()}
    everything = f"printf '{''.join(lines.values())}'" if may_list_all else "echo no >&2; exit 1"
    cases = "".join(f"*--namespace={place}*) printf '{text}';; " for place, text in lines.items())
    script = f"""case "$*" in
config*) echo support;;
*jsonpath*--all-namespaces*|*--all-namespaces*jsonpath*) {everything};;
*jsonpath*) case "$*" in {cases} esac;;
*) echo '{NOT_FOUND.format(missing)}' >&2; exit 1;;
esac"""
    return fake(folder, script)


@pytest.mark.parametrize(
    ("name", "may_list_all", "hint"),
    [
        ("suport-agent", True, "; did you mean support-agent?"),
        ("suport-agent", False, "; did you mean support-agent?"),
        ("shop-agent", True, "; it is in namespace shop and in team: add -n shop"),
        ("shop-agent", False, ""),
        ("shopagent", True, "; did you mean shop-agent -n shop?"),
        ("loans", True, ""),
    ],
)
@pytest.mark.parametrize("command", [("status",), ("status", "-w"), ("history",), ("hold",), ("check",)])
def test_a_missing_rollout_is_looked_for(
    tmp_path: Path, name: str, hint: str, *, may_list_all: bool, command: tuple[str, ...]
) -> None:
    """In other namespaces if the reader may, then by a name that is almost the same."""
    reason = ("--reason=it is a test",) if command == ("hold",) else ()
    done = run(cluster(tmp_path, name, may_list_all=may_list_all), *command, name, *reason)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{NOT_FOUND.format(name)}{hint}\n"


def test_a_missing_release_is_looked_for(tmp_path: Path) -> None:
    """It is not the fault of its parent, or of stable, that nothing can be compared."""
    listed = "support support-agent-4.2.0\\n"
    script = f"""case "$*" in
config*) echo support;;
*jsonpath*) printf '{listed}';;
*agentrollouts*) echo '{{"items": []}}';;
esac"""
    done = run(fake(tmp_path, script), "diff", "support-agent-4.2.1")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "agentrelease support-agent-4.2.1: there is no such release in this namespace; "
        "did you mean support-agent-4.2.0?\n"
    )


def test_a_missing_namespace_is_looked_for(tmp_path: Path) -> None:
    """Where it should be there is nothing at all; where it is, there is the rollout."""
    gone = 'Error from server (NotFound): namespaces "suport" not found'
    script = f"""case "$*" in *jsonpath*) printf 'shop shop-agent\\n';; *) echo '{gone}' >&2; exit 1;; esac"""
    done = run(fake(tmp_path, script), "status", "shop-agent", "-n", "suport")
    assert (done.returncode, done.stderr) == (1, f"{gone}; it is in namespace shop: add -n shop\n")


def test_a_namespace_without_rollouts_is_named(tmp_path: Path) -> None:
    """Zero of everything looks as if all were well; mostly the namespace is not the one that is meant."""
    folder = fake(tmp_path, f"case $1 in config) echo suport;; *) echo '{json.dumps({'items': []})}';; esac")

    here, named, everywhere = (run(folder, "list", *flags) for flags in ((), ("-n", "shop"), ("-A",)))
    data = run(folder, "list", "-o", "json")

    assert here.stdout == "no rollouts in namespace suport; list those of all with -A\n"
    assert named.stdout == "no rollouts in namespace shop; list those of all with -A\n"
    assert everywhere.stdout == "no rollouts in any namespace\n"
    assert json.loads(data.stdout) == {"views": []}
    assert {each.returncode for each in (here, named, everywhere, data)} == {0}
