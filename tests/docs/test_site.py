"""The site leads to every page; `make docs` checks its links."""

from pathlib import Path

import pytest
import yaml

from tests.docs.pages import DOCS
from tests.docs.test_links import LINK

ROOT = DOCS.parent


def navigated(entry: object) -> list[str]:
    """The pages below an entry of the navigation."""
    if isinstance(entry, dict):
        return [page for each in entry.values() for page in navigated(each)]
    return [page for each in entry for page in navigated(each)] if isinstance(entry, list) else [str(entry)]


def test_every_page_is_in_the_navigation() -> None:
    """Once, and nothing else is."""
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    pages = ["README.md", *(f"docs/{path.name}" for path in DOCS.glob("*.md"))]
    lists = [f"docs/{folder}/README.md" for folder in ("decisions", "runbooks")]

    assert sorted(navigated(site["nav"])) == sorted(pages + lists)


@pytest.mark.parametrize("folder", ["decisions", "runbooks"])
def test_a_list_has_every_page_of_its_folder(folder: str) -> None:
    """Once."""
    index = DOCS / folder / "README.md"
    others = sorted(path.name for path in Path(index.parent).glob("*.md") if path != index)

    assert sorted(LINK.findall(index.read_text())) == others
