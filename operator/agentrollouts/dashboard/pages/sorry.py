"""Pages that have nothing to show but a sentence. It is a live part, so an open page shows it too."""

from agentrollouts.dashboard.markup import Content, element
from agentrollouts.dashboard.pages.frame import frame

TITLE = "Nothing to show"


def sorry(sentence: Content, *body: Content) -> str:
    """A page that says why it has nothing else."""
    return frame(TITLE, [("Rollouts", "/"), (TITLE, None)], *body, problem=sentence)


def elsewhere(sentence: str) -> str:
    """The answer to someone who may not list what they requested: they choose a namespace."""
    field = element("input", id="namespace", name="namespace", required=True, autocomplete="off")
    label = element("label", "Namespace", for_="namespace")
    return sorry(
        sentence, element("form", label, field, " ", element("button", "Show its rollouts"), action="/")
    )
