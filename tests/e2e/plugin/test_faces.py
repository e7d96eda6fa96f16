"""The faces of one rollout draw the same view."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.browser.chromium import IS_SKIPPED, MISSING
from tests.e2e.people.opened import opened
from tests.e2e.people.readers import VIEWER, readers_in
from tests.e2e.plugin.by_kubectl import plugin
from tests.e2e.scene import SECOND, Scene


@pytest.mark.skipif(IS_SKIPPED, reason=MISSING)
def test_all_faces_show_the_numbers_of_the_object(given: Scene, tmp_path: Path) -> None:
    """After a rollback nothing moves: the page, `status -o json` and the object have the same figures."""
    readers_in(given)
    (shop,) = given.in_canary("agent")
    given.agents.fail(given.namespace, f"agent-{SECOND}", 0.9)
    shop.comes_to("RolledBack")
    shop.until("it is verified", lambda: shop.status["lastRollback"].get("outcome"))

    async def shown() -> str:
        path = f"/{given.namespace}/agent"
        async with opened(given.stack, VIEWER, given.namespace, path, tmp_path / "profile") as tab:
            return str(await tab.value("document.querySelector('main').innerText"))

    text = " ".join(asyncio.run(shown()).split())
    said = json.loads(plugin(given.stack, "status", "agent", "-n", given.namespace, "-o", "json").stdout)
    status = shop.status
    [gate], [stored] = said["gates"], status["gates"]
    assert (gate["verdict"], gate["evidence"]) == (stored["verdict"], float(stored["evidence"]))
    assert stored["message"].startswith(gate["sentence"])
    window, rollback = status["affectedWindow"], status["lastRollback"]
    assert (said["window"]["runs"], said["before"]["rollback"]["outcome"]) == (
        window["runs"],
        rollback["outcome"],
    )
    for part in (gate["verdict"], gate["sentence"], gate["odds"], said["window"]["sentence"]):
        assert " ".join(part.split()) in text
