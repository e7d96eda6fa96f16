"""The page of a report in a real browser: axe finds nothing, in light and dark, wide and narrow."""

import os
from pathlib import Path

import pytest

from agentrollouts.api.release import AgentRelease
from agentrollouts.insight.figures import figures
from agentrollouts.insight.records import attempts
from agentrollouts.insight.render.page import to_html
from agentrollouts.insight.report import Case, report
from testkit.records import Told, chained
from tests.browser.chromium import MISSING, Page, page
from tests.insight import incident

ATTACK = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture(autouse=True)
def browser() -> None:
    """Skip where there is no browser; where everything must run, its absence is a failure."""
    if MISSING and os.environ.get("CI") == "true":
        pytest.fail(MISSING)
    if MISSING:
        pytest.skip(MISSING)


def report_page(reason: str = "refunds look odd") -> str:
    """The page of the incident, with a word of someone in it."""
    entries = [each | ({"reason": reason} if "reason" in each else {}) for each in incident.entries()]
    told = Told(13, incident.BAD, (tuple(entries),), "RolledBack", incident.evidence(), "4.2.0")
    [record] = attempts(chained([told]).objects)
    return to_html(report(Case(record, releases=[AgentRelease.model_validate(incident.bad_release())])))


def figures_page() -> str:
    """The page of figures over many attempts."""
    return to_html(figures(attempts(incident.incident().objects), "Rollouts in support"))


async def opened(tab: Page, folder: Path, html: str, *, theme: str, width: int) -> None:
    """Show a page on a screen."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    await tab.call("Emulation.setEmulatedMedia", features=features)
    await tab.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    path = folder / f"{theme}-{width}.html"
    path.write_text(html, encoding="utf-8")
    await tab.open(path.as_uri())


async def test_axe_finds_nothing(tmp_path: Path) -> None:
    """Both pages have no violation of any rule of axe: contrast in both themes, names, tables, headings."""
    async with page(tmp_path / "profile") as tab:
        for name, html in (("report", report_page()), ("figures", figures_page())):
            for theme in ("light", "dark"):
                await opened(tab, tmp_path, html, theme=theme, width=1280)
                await tab.value("document.querySelectorAll('details').forEach(each => each.open = true)")
                assert await tab.violations() == [], (name, theme)


async def test_the_page_fits_a_narrow_screen(tmp_path: Path) -> None:
    """At 320 px only tables scroll sideways, each by itself."""
    async with page(tmp_path / "profile") as tab:
        await opened(tab, tmp_path, report_page("word " * 50 + "x" * 300), theme="light", width=320)
        await tab.value("document.querySelectorAll('details').forEach(each => each.open = true)")

        assert await tab.value("document.documentElement.scrollWidth") <= 320
        assert await tab.violations() == []


async def test_nothing_runs_and_nothing_is_loaded(tmp_path: Path) -> None:
    """An attack in a reason neither runs nor loads anything; the policy of the page has nothing to stop."""
    async with page(tmp_path / "profile") as tab:
        await opened(tab, tmp_path, report_page(ATTACK), theme="light", width=1280)
        title = await tab.value("document.title")
        sent = [each["params"] for each in tab.events if each["method"] == "Network.requestWillBeSent"]
        requests = [each["request"]["url"] for each in sent]
        complaints = [e for e in tab.events if e["method"] in {"Log.entryAdded", "Runtime.exceptionThrown"}]

        assert title == "support-agent, attempt 13: support-agent-4.2.0"
        assert await tab.value("document.querySelectorAll('script, img').length") == 0
        assert [url for url in requests if not url.startswith("file:")] == []
        assert len(requests) == 1
        assert complaints == []


async def test_the_check_can_fail(tmp_path: Path) -> None:
    """Pale text and a page without a language are found, so that finding nothing means something."""
    pale = report_page().replace("light-dark(#52606d,#a9b4bf)", "light-dark(#ddd,#333)")
    spoiled = pale.replace('<html lang="en">', "<html>").replace("Content-Security-Policy", "x-no-policy")
    async with page(tmp_path / "profile") as tab:
        await opened(tab, tmp_path, spoiled, theme="light", width=1280)

        found = {line.partition(":")[0] for line in await tab.violations()}

    assert {"html-has-lang", "color-contrast"} <= found
