"""The page for someone without a token: one field, and where to get what belongs there."""

from typing import Final

from agentrollouts.dashboard.markup import Markup, element, joined
from agentrollouts.dashboard.pages.frame import frame
from agentrollouts.insight.render.page import STYLE

FIELD: Final = "token"
TITLE: Final = "Sign in"
COMMAND: Final = "kubectl create token SERVICEACCOUNT -n NAMESPACE"


def sign_in(sentence: str) -> str:
    """The page.

    Args:
        sentence: What is wrong with the token that came; empty if there was none.
    """
    field = element(
        "input",
        id=FIELD,
        name=FIELD,
        type="password",
        required=True,
        autocomplete="off",
        aria_describedby="token-hint",
    )
    hint = joined(
        "Paste a token of the API server: the ID token that your identity provider issued, or one of a "
        "ServiceAccount that you may use: ",
        element("code", COMMAND),
        ". You see and do here what this token may see and do. Your browser keeps it until you close it.",
    )
    form = element(
        "form",
        element("p", element("label", "Token", for_=FIELD), " ", field, " ", element("button", TITLE)),
        element("p", hint, id="token-hint"),
        method="post",
    )
    style = element("style", Markup(STYLE))
    return frame(TITLE, [(TITLE, None)], form, problem=sentence or None, style=style)
