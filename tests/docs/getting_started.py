"""`docs/getting-started.md` in parts, and its files. It needs no package, for `image/node.sh`."""

import re
from pathlib import Path

from tests.docs.pages import blocks, page

PAGE = page("getting-started.md")
NAMESPACE = "orders"
BEFORE, FIRST_HOUR, HAPPENED, AFTER = re.split(r"^(?=## 1\. |## 4\. |## 5\. )", PAGE, flags=re.MULTILINE)
"""Up to the empty namespace; from there to a rollback, which `test_getting_started` counts; what is seen of
the rollback; what one can do then."""
LANGUAGES = ("yaml", "python")


def write_files(folder: Path) -> None:
    """Write the files of the page; the first line of each has its name."""
    for text in (block for language in LANGUAGES for block in blocks(PAGE, language)):
        (folder / text.partition("\n")[0].removeprefix("# ")).write_text(text)
