import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

ROOT = DOCS.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s:]+)\)")
"""Target of a link within the repository: it has no scheme."""


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link to a file or heading of the repository has a target."""
    links = [link.partition("#") for link in LINK.findall(page.read_text())]
    targets = [((page.parent / path) if path else page, anchor) for path, _, anchor in links]

    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [
        f"{target}#{anchor}" for target, anchor in targets if anchor and anchor not in anchors(target)
    ] == []
