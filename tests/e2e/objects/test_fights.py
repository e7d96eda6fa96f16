"""Input: others who write our route whenever it is right. Output: who is named, and the split afterward."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import Final

import requests

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.names import FIELD_MANAGER
from tests.e2e.api import Api, Manifest
from tests.e2e.manifests import FIRST, routed
from tests.e2e.scene import BACK, FULL, SECOND, Scene, Shop, condition_of, now
from tests.e2e.shop_route import BY_PATCH, backend, shares, shop, shop_route

Foul = Callable[[Api, Manifest], None]
"""What is done to a route, which is given as it was before the fight."""

TRIED: Final = ("Canary", "Held")
"""A canary whose traffic does not follow its weight can also be held for that."""
AGAIN_SECONDS: Final = 0.05
AT_ONCE: Final = 8
"""So often we write at once, or after less than the longest pause."""
PAUSE: Final = 1.8
"""The longest pause in seconds, which is shorter for a rollback."""


def with_weights(route: Manifest, canary: int) -> Manifest:
    """A copy with another split."""
    changed = deepcopy(route)
    backends = changed["spec"]["rules"][-1]["backendRefs"]
    for ref, weight in zip(backends, (FULL - canary, canary), strict=True):
        ref["weight"] = weight
    return changed


def applies(api: Api, before: Manifest, manager: str = "argocd-controller") -> None:
    """Server-side apply with force, as a self-healing Git tool does."""
    route = with_weights(before, 40)
    kept = {key: route["metadata"].get(key) or {} for key in ("name", "namespace", "labels")}
    api.apply(
        {**{key: route[key] for key in ("apiVersion", "kind", "spec")}, "metadata": kept}, manager=manager
    )


def applies_in_our_name(api: Api, before: Manifest) -> None:
    """The same by a client that uses the operator's name."""
    applies(api, before, FIELD_MANAGER)


def replaces(api: Api, before: Manifest) -> None:
    """The whole object, with its metadata, as it was once."""
    api.replace(with_weights(before, 30), manager="kubectl-replace")


def moves(api: Api, before: Manifest) -> None:
    """To another Gateway."""
    api.patch(
        Ref.of(before), {"spec": {"parentRefs": [{**before["spec"]["parentRefs"][0], "name": "elsewhere"}]}}
    )


def deletes(api: Api, before: Manifest) -> None:
    """Whenever it is there."""
    api.delete(Ref.of(before))


FOULS: Final[dict[str, tuple[Foul, str]]] = {
    "applied": (applies, "is changed by argocd-controller"),
    "borrowed": (applies_in_our_name, f"a client that writes as {FIELD_MANAGER}"),
    "replaced": (replaces, "is changed by kubectl-replace"),
    "moved": (moves, "is changed by somebody"),
    "deleted": (deletes, "is deleted as often as the operator creates it"),
}
"""By the agent whose route it is done to: the foul, and what is said of it."""


@contextmanager
def a_fight(given: Scene, foul: Foul, before: Manifest) -> Iterator[None]:
    """Someone does it again and again; a write that fails, since the route is gone, does not matter."""
    api, is_over = Api(given.stack), threading.Event()

    def fight() -> None:
        while not is_over.wait(AGAIN_SECONDS):
            try:
                foul(api, before)
            except (AssertionError, requests.RequestException):
                continue

    thread = threading.Thread(target=fight, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def says(team: Shop, words: str, *reasons: str) -> None:
    """Wait until `Ready` says so, with one of these reasons."""
    team.until(words, lambda: team.ready.get("reason") in reasons and words in team.ready.get("message", ""))


def restored(given: Scene, route: Ref, since: float, before: Manifest) -> int:
    """How often a route was as before, after a write: a gateway's report is none."""
    versions = [each.manifest for each in given.witness.versions(route, since) if not each.is_gone]
    right = [route["metadata"] for route in versions if route["spec"] == before["spec"]]
    return len({(each["uid"], each["generation"]) for each in right})


def most_since(began: float) -> float:
    """How often we may have written by now."""
    return AT_ONCE + (now() - began) / PAUSE


def is_calm(team: Shop) -> bool:
    """Whether no fight is said to be in progress."""
    return condition_of(team.manifest, "TrafficApplied").get("reason") == "Applied"


def test_each_fight_over_our_route_is_named_and_the_rollback_holds_once_it_is_over(given: Scene) -> None:
    """Five ways at once: each is said, none makes us write fast, a rollback is written and called undone."""
    teams = dict(zip(FOULS, given.in_canary(*FOULS, traffic=routed(given.namespace)), strict=True))
    before = {name: given.api.get(team.route) for name, team in teams.items()}
    began = now()
    with ExitStack() as fights:
        for name, (foul, _) in FOULS.items():
            fights.enter_context(a_fight(given, foul, before[name]))
        for name, (_, words) in FOULS.items():
            says(teams[name], words, *TRIED)
        for name, team in teams.items():
            assert restored(given, team.route, began, before[name]) <= most_since(began), name
            team.until("a Warning", lambda name=name: "RouteContested" in given.events(name))  # type: ignore[misc]
        loud = {name: team for name, team in teams.items() if name != "borrowed"}
        for team in loud.values():
            team.asks_for(FIRST)
        for name, team in loud.items():
            says(team, FOULS[name][1], "NotRolledBack")
    for name, team in teams.items():
        expected = BACK if name in loud else (50, 50)
        team.until("the right split", lambda team=team, expected=expected: team.weights() == expected)  # type: ignore[misc]
        team.until("no fight", lambda team=team: is_calm(team))  # type: ignore[misc]
    for team in loud.values():
        team.comes_to("RolledBack")


def test_a_git_loop_over_our_weights_in_its_route_is_named(given: Scene) -> None:
    """Other weights each time, at once: the rule of someone else is restored at a bounded pace."""
    first, second = f"agent-{FIRST}", f"agent-{SECOND}"
    given.api.apply(shop_route(given.namespace, backend(first, 100), backend(second, 0)))
    [team] = given.in_canary("agent", traffic=BY_PATCH)
    weights = iter(range(1, 1_000_000))

    def foul(api: Api, _before: Manifest) -> None:
        weight = next(weights) % 40
        api.apply(shop_route(given.namespace, backend(first, FULL - weight), backend(second, weight)))

    before, began = given.api.get(shop(given)), now()
    with a_fight(given, foul, before):
        says(team, "HTTPRoute shop is changed by git", *TRIED)
        assert restored(given, shop(given), began, before) <= most_since(began)
        team.asks_for(FIRST)
        says(team, "HTTPRoute shop is changed by git", "NotRolledBack")
    given.witness.wait(
        "stable has everything", lambda: list(shares(given.witness.get(shop(given))).values()) == [100, 0]
    )
    team.until("no fight", lambda: is_calm(team))
