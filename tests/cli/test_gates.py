from pathlib import Path

import pytest

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.cli.generate.gates import BEGIN, END, tables
from agentrollouts.core.gates.templates import TEMPLATES
from agentrollouts.main import main

PAGE = Path(__file__).parents[2] / "docs" / "gates.md"
LONGEST_CELL = 120


def test_the_page_contains_the_tables_of_the_catalog() -> None:
    """The generated part of `docs/gates.md` is what the command prints."""
    generated = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]

    assert generated.strip() == tables().strip()


def test_every_series_of_every_template_is_in_the_tables() -> None:
    """Each template has a row, and each of its series is in the section of its convention."""
    templates, *conventions = tables().split("\n## Series: ")

    assert [section.split("\n")[0] for section in conventions] == [str(each) for each in MetricConvention]
    assert [line.split("`")[1] for line in templates.splitlines() if line.startswith("| `")] == list(
        TEMPLATES
    )
    for section, convention in zip(conventions, MetricConvention, strict=True):
        rows = {
            line.split("`")[1]: line.replace("\\|", "|") for line in section.splitlines() if "| `" in line
        }
        sources = {
            name: template.sources[convention]
            for name, template in TEMPLATES.items()
            if convention in template.sources
        }
        assert rows.keys() == sources.keys()
        missing = [name for name, counted in sources.items() if f"`{counted.bad}`" not in rows[name]]
        assert missing == []


def test_cells_are_short_enough_to_read() -> None:
    """No cell of a table is longer than the style sheet allows."""
    cells = [cell for line in tables().splitlines() if line.startswith("|") for cell in line.split(" | ")]

    assert [cell for cell in cells if len(cell) > LONGEST_CELL] == []


def test_only_the_generated_part_is_replaced(tmp_path: Path) -> None:
    """Text around the markers stays, and a second run changes nothing."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")

    codes = [main(["gates", str(page)])]
    once = page.read_text()
    codes.append(main(["gates", str(page)]))

    assert codes == [0, 0]
    assert once == page.read_text() == f"before\n{BEGIN}\n{tables()}\n{END}after\n"


def test_a_page_without_markers_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page that has no generated part is reported with exit code 2 and not written."""
    page = tmp_path / "page.md"
    page.write_text("mine\n")

    assert main(["gates", str(page)]) == 2
    assert (page.read_text(), "no generated part" in capsys.readouterr().err) == ("mine\n", True)
