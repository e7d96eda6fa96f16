"""The page in a real browser, over real parts: people act on it with their own rights."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.browser.chromium import IS_SKIPPED, MISSING, Page
from tests.e2e.manifests import FIRST
from tests.e2e.people.opened import buttons, opened, press, screen, text, typed, until
from tests.e2e.people.readers import EDITOR, VIEWER, readers_in
from tests.e2e.scene import SECOND, Scene, Shop

REASON = "customers report wrong refunds"
ATTACK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
DONE = "was rolled back to agent-1.0.0"
ROLL_BACK = f"Roll back agent-{SECOND}"

pytestmark = pytest.mark.skipif(IS_SKIPPED, reason=MISSING)


@pytest.fixture
def shop(given: Scene) -> Shop:
    """An agent in a canary, and people who may see it, or act on it."""
    readers_in(given)
    (shop,) = given.in_canary("agent")
    return shop


def on_page(given: Scene, user: str, folder: Path, story: Callable[[Page], Awaitable[None]]) -> None:
    """Play a story in a tab that shows the rollout."""

    async def play() -> None:
        path = f"/{given.namespace}/agent"
        async with opened(given.stack, user, given.namespace, path, folder / "profile") as tab:
            await story(tab)

    asyncio.run(play())


def test_a_click_rolls_back(given: Scene, shop: Shop, tmp_path: Path) -> None:
    """The page follows without being loaded again; the action has the reason, and the name of the reader."""

    async def story(tab: Page) -> None:
        assert await text(tab, "headline") != ""
        await typed(tab, REASON)
        await press(tab, ROLL_BACK)
        await until(tab, "document.getElementById('headline').innerText.includes('Quarantined')")
        await until(tab, f"document.getElementById('request').innerText.includes({json.dumps(DONE)})")

    on_page(given, EDITOR, tmp_path, story)

    shop.is_back()
    [action] = given.witness.wait(
        "the action", lambda: given.witness.all("AgentRolloutAction", given.namespace)
    )
    assert (action["spec"]["type"], action["spec"]["reason"]) == ("RollBack", REASON)
    assert (action["spec"]["requestedBy"], action["spec"]["attempt"]) == (EDITOR, 2)


def test_a_viewer_has_no_button(given: Scene, shop: Shop, tmp_path: Path) -> None:
    """The page says which right is missing; a form sent by hand is refused with the API server's sentence."""
    sent = json.dumps({"type": "RollBack", "attempt": 2, "release": f"agent-{SECOND}"})

    async def story(tab: Page) -> None:
        assert await buttons(tab) == []
        assert "it needs the verb" in await text(tab, "actions")
        body = f"new URLSearchParams({{reason: {json.dumps(REASON)}, action: {json.dumps(sent)}}})"
        post = f"fetch(location.href, {{method: 'POST', body: {body}}})"
        code, answer = await tab.value(f"{post}.then(async it => [it.status, await it.text()])")
        assert code == 403
        assert f"User &quot;{VIEWER}&quot; cannot create resource &quot;agentrolloutactions&quot;" in answer

    on_page(given, VIEWER, tmp_path, story)

    assert shop.weights() == (50, 50)
    assert given.witness.all("AgentRolloutAction", given.namespace) == []


def test_text_stays_text(given: Scene, shop: Shop, tmp_path: Path) -> None:
    """Markup in the reason of a person is shown as it is, and the browser has nothing to report."""
    shop.act("Hold", reason=ATTACK)

    async def story(tab: Page) -> None:
        await until(tab, "document.body.innerText.includes('onerror')")
        assert await tab.value("document.title") == f"{given.namespace}/agent"
        assert await tab.value("document.querySelectorAll('main img, main script').length") == 0
        reported = [
            each for each in tab.events if each["method"] in {"Log.entryAdded", "Runtime.exceptionThrown"}
        ]
        assert reported == []

    on_page(given, VIEWER, tmp_path, story)


def test_what_someone_types_stays(given: Scene, shop: Shop, tmp_path: Path) -> None:
    """A reason that is half typed, and the focus, survive what happens meanwhile."""

    async def story(tab: Page) -> None:
        await typed(tab, "customers rep")
        shop.act("Hold")
        await until(tab, "document.getElementById('headline').innerText.includes('Held')")
        assert await tab.value("document.activeElement.id") == "reason"
        await tab.call("Input.insertText", text="ort wrong refunds")
        assert await tab.value("document.getElementById('reason').value") == REASON

    on_page(given, EDITOR, tmp_path, story)


def test_by_keyboard_alone(given: Scene, shop: Shop, tmp_path: Path) -> None:
    """Tab leads from the head of the page to the reason and to the button; Enter presses it."""

    async def story(tab: Page) -> None:
        while await tab.value("document.activeElement.id") != "reason":
            await key(tab, "Tab")
        await tab.call("Input.insertText", text=REASON)
        while await tab.value("document.activeElement.innerText") != ROLL_BACK:
            await key(tab, "Tab")
        before = await tab.value("performance.timeOrigin")
        await key(tab, "Enter")
        await tab.loaded(before)

    on_page(given, EDITOR, tmp_path, story)

    shop.is_back()


@pytest.mark.usefixtures("shop")
def test_two_releases_are_compared(given: Scene, tmp_path: Path) -> None:
    """The page of a rollout leads to what its release does differently from stable, line by line."""

    async def story(tab: Page) -> None:
        link = "[...document.querySelectorAll('a')].find(each => each.innerText.startsWith('Compare them'))"
        await tab.open(await tab.value(f"{link}.href"))
        assert await tab.value("document.title") == f"agent-{FIRST} → agent-{SECOND}"
        lines = await tab.value("[...document.querySelectorAll('ins, del')].map(each => each.innerText)")
        assert {line[:2] for line in lines} == {"+ ", "- "}

    on_page(given, VIEWER, tmp_path, story)


@pytest.mark.usefixtures("shop")
def test_axe_finds_nothing(given: Scene, tmp_path: Path) -> None:
    """On no page, in light and dark, narrow and wide."""

    async def story(tab: Page) -> None:
        place = f"/{given.namespace}"
        compared = f"{place}/releases/agent-{FIRST}...agent-{SECOND}"
        for path in ("/", place, f"{place}/agent", f"{place}/agent/attempts/1", compared, f"{place}/nothing"):
            for theme in ("light", "dark"):
                for width in (320, 1280):
                    await screen(tab, theme, width)
                    await tab.open(await tab.value(f"new URL({json.dumps(path)}, location).href"))
                    assert await tab.violations() == [], (path, theme, width)
                    assert await tab.value("document.documentElement.scrollWidth") <= width, (path, width)

    on_page(given, EDITOR, tmp_path, story)


async def key(tab: Page, name: str) -> None:
    """Press a key."""
    code = {"Tab": 9, "Enter": 13}[name]
    written = {"text": "\r"} if name == "Enter" else {}
    await tab.call("Input.dispatchKeyEvent", type="keyDown", key=name, windowsVirtualKeyCode=code, **written)
    await tab.call("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=code)
