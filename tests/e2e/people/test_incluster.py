"""The page of the cluster in a real browser: the program has no rights, each reader brings a token."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from tests.browser.chromium import IS_SKIPPED, MISSING, Page, page
from tests.e2e.people.opened import buttons, in_cluster, press, signed_in, text, typed, until
from tests.e2e.people.readers import ACTS, LOOKS, readers_in
from tests.e2e.scene import SECOND, Scene, Shop

REASON: Final = "customers report wrong refunds"
REFUSED: Final = "The API server does not accept the token: it is wrong, revoked or has expired."
Story = Callable[[Page, str], Awaitable[None]]

pytestmark = pytest.mark.skipif(IS_SKIPPED, reason=MISSING)


@pytest.fixture
def shop(given: Scene) -> Shop:
    """An agent in a canary, and accounts that may see it, or act on it."""
    readers_in(given)
    (shop,) = given.in_canary("agent")
    return shop


def token_of(given: Scene, account: str) -> str:
    """A token of a ServiceAccount, as someone gets one."""
    return given.stack.kubectl("create", "token", account, f"--namespace={given.namespace}").strip()


def in_browser(given: Scene, folder: Path, story: Story) -> None:
    """Play a story in a tab; it gets the address of the rollout."""

    async def play() -> None:
        async with in_cluster(given.stack) as (address, _), page(folder / "profile") as tab:
            await story(tab, f"{address}/{given.namespace}/agent")

    asyncio.run(play())


def test_a_click_rolls_back_in_the_name_of_the_reader(given: Scene, shop: Shop, tmp_path: Path) -> None:
    """A wrong token gets a sentence; with their own, the page has the button, and follows what it does."""

    async def story(tab: Page, address: str) -> None:
        await tab.open(address)
        assert await tab.value("document.querySelectorAll('input').length") == 1
        assert await tab.violations() == []
        await signed_in(tab, address, "wrong")
        assert await text(tab, "problem") == REFUSED
        await signed_in(tab, address, token_of(given, ACTS))
        await typed(tab, REASON)
        await press(tab, f"Roll back agent-{SECOND}")
        await until(tab, "document.getElementById('headline').innerText.includes('Quarantined')")
        await until(tab, "document.getElementById('request').innerText.includes('was rolled back to')")
        assert await tab.value("document.cookie") == ""

    in_browser(given, tmp_path, story)

    shop.is_back()
    [action] = given.witness.all("AgentRolloutAction", given.namespace)
    assert (action["spec"]["type"], action["spec"]["reason"]) == ("RollBack", REASON)
    assert action["spec"]["requestedBy"] == f"system:serviceaccount:{given.namespace}:{ACTS}"


def test_a_viewer_has_no_button_and_a_revoked_token_no_page(given: Scene, shop: Shop, tmp_path: Path) -> None:
    """A form by hand is refused with the API server's sentence; once revoked, an open page says so."""
    sent = json.dumps({"type": "RollBack", "attempt": 2, "release": f"agent-{SECOND}"})

    async def story(tab: Page, address: str) -> None:
        await signed_in(tab, address, token_of(given, LOOKS))
        assert await buttons(tab) == []
        assert "it needs the verb" in await text(tab, "actions")
        body = f"new URLSearchParams({{reason: {json.dumps(REASON)}, action: {json.dumps(sent)}}})"
        post = f"fetch(location.href, {{method: 'POST', body: {body}}})"
        code, answer = await tab.value(f"{post}.then(async it => [it.status, await it.text()])")
        assert code == 403
        user = f"system:serviceaccount:{given.namespace}:{LOOKS}"
        assert f"User &quot;{user}&quot; cannot create resource &quot;agentrolloutactions&quot;" in answer
        headline = await text(tab, "headline")
        given.stack.kubectl("delete", "serviceaccount", LOOKS, f"--namespace={given.namespace}")
        while await tab.value("fetch(location.href).then(it => it.status)") != 401:
            pass
        shop.act("Hold", reason=REASON)
        await until(tab, f"document.getElementById('problem').innerText === {json.dumps(REFUSED)}")
        assert await text(tab, "headline") == headline

    in_browser(given, tmp_path, story)

    assert shop.weights() == (50, 50)
    [action] = given.witness.all("AgentRolloutAction", given.namespace)
    assert action["spec"]["type"] == "Hold"
