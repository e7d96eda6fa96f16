"""Pictures of the page, for people who look at a change of it, and the one in `docs/page.md`.

They are left in `.state/pictures`; `make pictures` copies the one of the docs.
"""

import asyncio
import base64
import struct
from pathlib import Path
from typing import Final

import pytest

from tests.browser.chromium import IS_SKIPPED, MISSING, Page
from tests.docs.pages import DOCS, page
from tests.e2e.people.opened import opened, screen
from tests.e2e.people.readers import EDITOR, readers_in
from tests.e2e.scene import Scene

PICTURES: Final = DOCS.parent / ".state/pictures"
SHOWN: Final = DOCS / "images/page.png"
MOST_BYTES: Final = 150_000
SIZE: Final = struct.Struct(">16xII")
"""Width and height of a PNG, in its first chunk."""


def size(picture: bytes) -> tuple[int, int]:
    """Width and height."""
    found: tuple[int, int] = SIZE.unpack_from(picture)
    return found


async def taken(tab: Page, theme: str, width: int) -> bytes:
    """What another screen shows at first."""
    await tab.call("Emulation.setScrollbarsHidden", hidden=True)
    await screen(tab, theme, width)
    await tab.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    result = await tab.call("Page.captureScreenshot")
    return base64.b64decode(result["data"])


@pytest.mark.skipif(IS_SKIPPED, reason=MISSING)
def test_pictures_of_a_canary(given: Scene, tmp_path: Path) -> None:
    """Each is as wide as its screen, and another one."""
    readers_in(given)
    (shop,) = given.in_canary("support-agent")
    shop.is_counting()

    async def story() -> dict[str, bytes]:
        path = f"/{given.namespace}/support-agent"
        async with opened(given.stack, EDITOR, given.namespace, path, tmp_path / "profile") as tab:
            screens = {"light": ("light", 1280), "dark": ("dark", 1280), "narrow": ("light", 320)}
            return {name: await taken(tab, *each) for name, each in screens.items()}

    pictures = asyncio.run(story())
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        (PICTURES / f"{name}.png").write_bytes(picture)

    assert {name: size(picture)[0] for name, picture in pictures.items()} == {
        "light": 1280,
        "dark": 1280,
        "narrow": 320,
    }
    assert len(set(pictures.values())) == len(pictures)


def test_the_picture_of_the_docs() -> None:
    """It is a picture of the page, small enough to load at once, and the page shows it."""
    picture = SHOWN.read_bytes()

    assert (size(picture)[0], len(picture) < MOST_BYTES) == (1280, True)
    assert f"](images/{SHOWN.name})" in page("page.md")
