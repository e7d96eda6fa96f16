"""`docs/authority.md`, played as it is written, beside a rollout whose second release is in its phase."""

from pathlib import Path

from tests.docs.pages import blocks, page, section
from tests.docs.reader import Reader
from tests.e2e.known import may
from tests.e2e.manifests import FIRST, phase
from tests.e2e.scene import Scene

PAGE = page("authority.md")
AGENT = "support-agent"
TITLES = ("Give rights", "Approve", "Hold and resume", "Roll back")


def test_the_page_holds(given: Scene, tmp_path: Path) -> None:
    """Each command prints what the page shows, and each answer has the effect that the page names."""
    half, most = phase("half", 50, 1, approval="Required"), phase("most", 90, 600)
    (shop,) = given.serving(AGENT, phases=[half, most])
    for text in blocks(PAGE, "yaml"):
        (tmp_path / text.split()[1]).write_text(text)
    reader = Reader.of(given.stack, tmp_path, lambda: None)
    reader.run(f"kubectl config set-context --current --namespace={given.namespace}")
    shop.ships("2.0.0")
    shop.comes_to("AwaitingApproval")

    rights, approve, hold, back = (section(PAGE, title) for title in TITLES)
    reader.play(rights)
    for name in ("dana", "lee", "ali", "robin"):
        may(given, f"{name}@example.com", "create", "agentrolloutactions.agentrollouts.dev")
    reader.play(approve)
    shop.is_counting(phase="most")
    reader.play(hold)
    assert shop.weights() == (10, 90)
    reader.play(back)

    shop.is_back()
    shop.until("a rollback", lambda: shop.status.get("lastRollback"))
    assert shop.status["stable"]["release"] == f"{AGENT}-{FIRST}"
    assert "robin@example.com requested a rollback" in shop.status["lastRollback"]["message"]
