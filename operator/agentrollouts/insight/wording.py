"""How reports write times, durations and people."""

from datetime import datetime

from agentrollouts.api.record.entry import RecordEntry
from agentrollouts.insight.render.document import Line, Words, line

UNKNOWN = "not in the record"


def moment(time: datetime | None) -> str:
    """A time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else UNKNOWN


def seconds(value: float | None) -> str:
    """A duration in seconds: to the millisecond below a minute, else to a tenth."""
    if value is None:
        return UNKNOWN
    return f"{value:,.3f} s" if abs(value) < 60 else f"{value:,.1f} s"  # noqa: PLR2004 as said above


def person(entry: RecordEntry) -> Line:
    """Who requested it; a name that the API server did not verify is marked."""
    if entry.by is None:
        return line("the operator")
    return line(Words(entry.by), None if entry.proved else " (not proved)")
