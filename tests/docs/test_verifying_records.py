"""`docs/verifying-records.md`: its commands beside what they print."""

import json
import shlex
from pathlib import Path
from typing import Final

import pytest

from agentrollouts.cli.arguments import Command, parse
from agentrollouts.main import main
from testkit.records import some_records
from testkit.tampering import TAMPERINGS
from tests.docs.pages import blocks, page, section

PAGE: Final = page("verifying-records.md")
RECORDS: Final = some_records(3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the page names."""
    text = json.dumps({"kind": "List", "items": RECORDS.objects})
    (tmp_path / "records.json").write_text(text)
    (tmp_path / "edited.json").write_text(text.replace("Zo\\u00eb of support-agent-4.2.0", "Someone else"))
    (tmp_path / "lines.jsonl").write_text(RECORDS.log)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", blocks(PAGE, "console"))
@pytest.mark.usefixtures("folder")
def test_commands_print_what_the_page_shows(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each example is copied from a run."""
    command, _, output = block.partition("\n")

    main(shlex.split(command)[2:])

    assert capsys.readouterr().out == output


def test_the_other_commands_can_be_run() -> None:
    """Those that need a cluster or other tools have arguments that exist."""
    lines = [line for block in blocks(PAGE, "sh") for line in block.splitlines()]
    ours = [shlex.split(line.partition(" > ")[0])[1:] for line in lines if line.startswith("agentrollouts ")]

    assert {parse(arguments)[0] for arguments in ours} == {Command.VERIFY_RECORD, Command.EXPORT_RECORD}


def test_the_page_has_a_row_for_each_kind_of_tampering() -> None:
    """No kind is left out of the table of what is missed."""
    rows = [line for line in section(PAGE, "What is missed").splitlines() if " of 150 |" in line]

    assert len(rows) == len(TAMPERINGS)
