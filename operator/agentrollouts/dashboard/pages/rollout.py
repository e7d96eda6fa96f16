"""The page of one rollout: what is running, what happens next, what the reader can do, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.people.person import REASON_AT_LEAST, REASON_AT_MOST
from agentrollouts.dashboard.markup import Content, Markup, element, joined, quoted
from agentrollouts.dashboard.pages.difference import comparison
from agentrollouts.dashboard.pages.frame import MARKS, clock, countdown, frame, live, section, table
from agentrollouts.dashboard.pages.listing import address
from agentrollouts.dashboard.pages.requested import Requested, request_part
from agentrollouts.insight.view.shape import Action, View
from agentrollouts.insight.view.words import Needs, Progress, Role

STEPS = {Progress.DONE: "✓ done", Progress.CURRENT: "● current", Progress.TO_COME: "○ to come"}
ROLES = {Role.STABLE: "stable", Role.CANARY: "canary", Role.DETOUR: "instead of any release"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the page knows of the person who reads it."""

    tickets: Mapping[Action, str] = field(default_factory=dict)
    """What the button of an action sends."""
    rights: Mapping[ActionType, bool] = field(default_factory=dict)
    """Types of actions that they may create, or may not."""
    unsure: str = ""
    """Why their rights are not known; empty if they are."""
    reason: str = ""
    """What they typed, if the form was refused."""
    refusal: str = ""
    """Why it was refused."""


def rollout_page(
    view: View, reader: Reader, *, chart: Content, requested: Requested | None, problem: Content, query: str
) -> str:
    """The page; what a person needs at once stands above everything else."""
    where = address(view)
    return frame(
        f"{view.namespace}/{view.name}",
        [("Rollouts", "/"), (view.namespace, f"/{quote(view.namespace, safe='')}"), (view.name, None)],
        _headline(view),
        element("div", _running(view), _next(view), class_="columns"),
        _form(view, reader, where),
        request_part(requested),
        section("plan", "Plan", _plan(view)),
        section("gates", "Gates", _gates(view)),
        section("course", "Evidence over the attempt", chart),
        section("around", "Around the attempt", _around(view)),
        section("changed", "Changed components", _changed(view)),
        section("before", "Before", _before(view)),
        section("history", "History", _history(view)),
        events=f"{where}/events{query}",
        problem=problem,
    )


def _headline(view: View) -> Markup:
    head = view.headline
    needs = "needs a person" if head.needs is Needs.PERSON else "no one is needed"
    return joined(
        live(
            "headline",
            element("span", head.state, class_="state"),
            quoted(f"{head.sentence}"),
            element("span", f"({needs})", class_="faint"),
            tag="p",
            role="status",
            class_=f"headline {'person' if head.needs is Needs.PERSON else ''}".strip(),
        ),
        live("why", quoted(head.why) if head.why else None, tag="p", class_="wide"),
    )


def _running(view: View) -> Markup:
    rows = [
        (
            quoted(each.name),
            ROLES[each.role],
            "not observed" if each.weight is None else _share(each.weight),
            f"not yet on the route: {each.desired}%" if each.desired is not None else "",
        )
        for each in view.running
    ]
    shown = (
        table("Shares of the traffic", ("Backend", "Role", "Traffic", "Note"), rows)
        if rows
        else "Nothing yet."
    )
    return section("running", "What is running", shown)


def _share(weight: int) -> Markup:
    return joined(
        element("meter", value=weight, min=0, max=100, aria_label=f"{weight}% of the traffic"), f" {weight}%"
    )


def _next(view: View) -> Markup:
    rows = [
        element(
            "li",
            joined(clock(each.time), " ", element("strong", countdown(each.time, view.time)), ": ")
            if each.time
            else "at any moment: ",
            quoted(each.sentence),
            f", {each.condition}" if each.condition else None,
        )
        for each in view.next
    ]
    shown = element("ul", *rows) if rows else element("p", "Nothing happens automatically.")
    return section("next", "What happens next", shown)


def _form(view: View, reader: Reader, where: str) -> Markup:
    """The reason is not a live part, so what someone types stays; the buttons belong to its form."""
    why = joined(
        element("label", "Why", for_="reason"),
        element(
            "input",
            id="reason",
            name="reason",
            value=reader.reason or None,
            required=True,
            minlength=REASON_AT_LEAST,
            maxlength=REASON_AT_MOST,
            autocomplete="off",
            aria_describedby="reason-hint",
        ),
        element(
            "p",
            f"At least {REASON_AT_LEAST} characters; everyone who can read the rollout sees it.",
            id="reason-hint",
            class_="hint",
        ),
    )
    refusal = element("p", reader.refusal, class_="problem", role="alert") if reader.refusal else None
    return element(
        "section",
        element("h2", "What you can do", id="do-title"),
        refusal,
        element(
            "form", why, live("actions", *_actions(view, reader), tag="div"), method="post", action=where
        ),
        aria_labelledby="do-title",
    )


def _actions(view: View, reader: Reader) -> Iterator[Markup]:
    if not view.actions:
        yield element("p", "Nothing that would have an effect now.")
    missing = set[str]()
    items = []
    for number, action in enumerate(view.actions):
        command = joined("Same as: " if action.type else "", element("code", action.command))
        button: Content = None
        if action.type in set(ActionType):
            kind = ActionType(action.type)
            if reader.rights.get(kind) and action in reader.tickets:
                button = element(
                    "button", action.label, id=f"act-{number}", name="action", value=reader.tickets[action]
                )
            elif not reader.rights.get(kind):
                missing.add(kind.lower())
        label = None if button else element("strong", action.label)
        text = joined(action.consequence, f" {action.warning}" if action.warning else None)
        items.append(
            element("li", button, label, element("div", text), element("div", command, class_="hint"))
        )
    yield element("ul", *items, class_="actions")
    if reader.unsure:
        yield element("p", f"Your rights are not known: {reader.unsure}")
    elif missing:
        yield element("p", _missing(sorted(missing)), class_="hint")


def _missing(verbs: Sequence[str]) -> str:
    return (
        f"There is no button for what you may not do: it needs the verb {', '.join(verbs)} on agentrollouts, "
        "and the verb create on agentrolloutactions."
    )


def _plan(view: View) -> Markup | None:
    if not view.plan:
        return None
    rows = [
        (
            each.name,
            STEPS[each.progress],
            f"{each.weight}%",
            _time(each.elapsed_seconds, each.duration_seconds),
        )
        for each in view.plan
    ]
    return table("Steps of the attempt", ("Step", "Progress", "Traffic", "Time"), rows)


def _time(elapsed: int | None, whole: int) -> str:
    return f"{elapsed} of {whole} s" if elapsed is not None else f"{whole} s"


def _gates(view: View) -> Markup | None:
    if not view.gates:
        return None
    rows = [
        (
            each.name,
            joined(element("span", MARKS[each.mark], aria_hidden="true"), f" {each.verdict}"),
            each.odds,
            quoted(each.sentence),
            each.on_fail or "",
        )
        for each in view.gates
    ]
    return table("Verdicts", ("Gate", "Verdict", "Evidence", "Numbers", "If it fails"), rows)


def _around(view: View) -> Markup | None:
    rows = [
        element("li", element("strong", f"{each.topic} {each.state}: "), quoted(each.sentence))
        for each in view.around
    ]
    return element("ul", *rows) if rows else None


def _changed(view: View) -> Markup | None:
    if not view.changed:
        return None
    rows = [(each.component, each.before or "", each.after or "", each.change) for each in view.changed]
    heads = ("Component", "Before", "Now", "Change")
    shown = table(f"Compared with {view.changed_from or 'stable'}", heads, rows)
    if not view.changed_from or not view.headline.release:
        return shown
    where = comparison(view.namespace, view.changed_from, view.headline.release)
    return joined(shown, element("p", element("a", "Compare them line by line", href=where)))


def _before(view: View) -> Markup | None:
    parts = [
        element("p", quoted(text))
        for text in (
            view.before.sentence,
            view.result.sentence if view.result else "",
            view.window.sentence if view.window else "",
        )
        if text
    ]
    rows = [
        (clock(each.time), each.type, quoted(each.by), f"{each.result} {each.sentence}")
        for each in view.before.actions
    ]
    if rows:
        parts.append(table("Actions of people", ("Time", "Action", "By", "Answer"), rows))
    return joined(*parts) or None


def _history(view: View) -> Markup | None:
    if not view.history:
        return None
    rows = [
        (
            element(
                "a",
                each.number,
                href=f"{address(view)}/attempts/{quote(str(each.number))}",
                aria_label=f"Report of attempt {each.number}",
            ),
            quoted(each.release),
            each.outcome,
            f"{each.start_time:%Y-%m-%d %H:%M:%S}",
            quoted(each.sentence),
        )
        for each in view.history
    ]
    return table("Past attempts", ("Attempt", "Release", "Outcome", "Began (UTC)", "Why"), rows)
