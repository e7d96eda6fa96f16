"""What must hold of standbys, by what the API server has: nothing of the operator is imported.

Each sentence begins with its rule's name: D1, there is one detour, and one that has ended does not begin
again; D2, what gets the requests can answer them; D3, a trip is counted once, and its time follows from that.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from campaigns.routes import fallback_of, mark_of, rules_of
from campaigns.virtual.observer import Manifest, Observer

USUAL: Final = timedelta(minutes=30)
"""How long a standby of this world serves at first."""
LONGEST: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
STANDBY: Final = "Standby"


@dataclass
class StandbyObserver(Observer):
    """The observer of the small world, which also knows about detours."""

    deserted: frozenset[str] = frozenset()
    """Releases without a ready endpoint."""
    trips: int = 0
    """Trips so far, each within a day of the end of the one before."""
    over: datetime | None = None
    """When the last trip was over; None after someone switched the agent off and on since."""
    ended: frozenset[str] = frozenset()
    """Detours that were over."""
    routed: Manifest = field(default_factory=dict)
    """The mark of the newest route."""

    def see(self, time: datetime, manifest: Manifest) -> None:
        """An object has a new version."""
        before = self._status
        Observer.see(self, time, manifest)
        match manifest["kind"]:
            case "AgentRollout":
                self._see_detour(time, before.get("detour") or {}, before)
            case "HTTPRoute":
                self._see_backend(time, manifest)

    def _see_detour(self, time: datetime, old: Manifest, before: Manifest) -> None:
        new, last = self._status.get("detour") or {}, self._status.get("lastDetour") or {}
        self._promoted(before)
        if last and last["id"] not in self.ended:
            self.ended |= {last["id"]}
            self.over = _time(last["endTime"]) if last["cause"] == STANDBY else None
        if not new or new["id"] == old.get("id"):
            return
        self.check(new["id"] not in self.ended, "D1", f"{new['id']}, which was over, began again", time)
        if new["cause"] == STANDBY:
            self._see_trip(time, old, new)

    def _promoted(self, before: Manifest) -> None:
        """A newly promoted release begins with the first trip."""
        stable, former = (each.get("stable") or {} for each in (self._status, before))
        if former and stable.get("release") != former.get("release"):
            self.trips = 0

    def _see_trip(self, time: datetime, old: Manifest, new: Manifest) -> None:
        if old:
            is_relief = "standby" in old and self._name(old) in self.deserted
            self.check(is_relief, "D1", f"a standby replaced {old}, which can serve", time)
            same = all(old.get(key) == new.get(key) for key in ("trips", "until"))
            self.check(same, "D3", f"with another standby {old} became {new}", time)
            return
        is_soon = self.over is not None and _time(new["since"]) - self.over <= DAY
        self.trips = self.trips + 1 if is_soon else 1
        self.check(new["trips"] == self.trips, "D3", f"trip {new['trips']} is number {self.trips}", time)
        due = min(USUAL * 2 ** (self.trips - 1), LONGEST)
        lasts = _time(new["until"]) - _time(new["since"])
        self.check(lasts == due, "D3", f"trip {self.trips} lasts {lasts}, not {due}", time)

    def _see_backend(self, time: datetime, route: Manifest) -> None:
        """A detour leads to what answers, and back; a rollback leads to stable, whatever is there."""
        fallback, mark = fallback_of(self._spec), mark_of(route)
        is_moved = mark.get("id") != self.routed.get("id")
        self.routed = mark
        for weights in rules_of(route):
            serving = [name for name, weight in weights.items() if weight]
            self.check(bool(serving), "D2", "no Service gets any request", time)
            self.check(not mark or len(serving) == 1, "D1", f"a detour leads to {serving}", time)
            for name in serving if is_moved else ():
                can_answer = name == fallback or self.services.get(name, name) not in self.deserted
                self.check(can_answer, "D2", f"the requests go to {name}, which has no endpoint", time)

    @staticmethod
    def _name(detour: Manifest) -> Any:  # noqa: ANN401 any JSON
        return (detour.get("standby") or {}).get("release")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
