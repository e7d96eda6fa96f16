"""Numbers and units of the sentences by which gates explain themselves.

A person who has Prometheus open must be able to check a sentence without statistics. So numbers are rounded
as people round them, and never across the limit that they are compared with.
"""

import math
from dataclasses import dataclass
from typing import Final

DOLLARS: Final = "$"
TEN: Final = 10
THOUSAND: Final = 1000
THREE_DIGITS: Final = 100
"""From here on a number is shown whole: three digits are enough."""


@dataclass(frozen=True, slots=True)
class Words:
    """How the things that a gate counts are called."""

    total: str = "runs"
    """What is counted in all, in the plural."""
    bad: str = "bad runs"
    """What is bad, in the plural; for a mean what is summed: `$`, tool calls, or nothing."""
    good: str = "good"
    """What the others are, where more is better: completed."""

    def about(self, bound: float) -> "Words":
        """The words for one bucket bound of a histogram."""
        return Words(self.total, self.bad.format(bound=f"{bound:g}"), self.good)

    @property
    def named(self) -> str:
        """The name of what is bad, to be put behind an amount; nothing if the currency says it."""
        return "" if self.bad in ("", DOLLARS) else f" {self.bad}"

    @property
    def bad_word(self) -> str:
        """The name of what is bad, to be put behind `no`."""
        return {"": "amount", DOLLARS: "dollars"}.get(self.bad, self.bad)

    def amount(self, value: float) -> str:
        """A sum, with its currency: $74.04."""
        return f"${money(value)}" if self.bad == DOLLARS else precise(value)

    def summed(self, value: float) -> str:
        """A sum as it was used, from which a share can be worked out: $74.04, $0.0123, 10.4."""
        if self.bad != DOLLARS:
            return used(value)
        return f"${value:,.2f}" if value >= 1 or not value else f"${_digits(value, 3)}"


def count(value: float) -> str:
    """A count that Prometheus may have extrapolated: 2.6, 8, 13, 1,000; no parts of one from ten on."""
    return f"{value:,.0f}" if value >= TEN else amount(value)


def used(value: float) -> str:
    """A count as it was used: 8, 10.4, 950; whole where it is nearly so, and from a thousand on."""
    is_whole = abs(value - round(value)) < 0.05 and (value >= 0.5 or not value)  # noqa: PLR2004 as said above
    if is_whole or value >= THOUSAND:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 0.1 else _digits(value, 2)  # noqa: PLR2004 one decimal would show 0.0


def beside(value: float, limit: float) -> str:
    """A count beside its limit, as it was used; with more digits where it seems on the other side."""
    text = used(value)
    return text if (number(text) > limit) == (value > limit) else f"{value:,.10g}"


def precise(value: float) -> str:
    """A rate, or an expected number, to three digits: 12.6, 0.0312, 1,050."""
    if value >= 999.5 or not value:  # noqa: PLR2004 three digits would show an exponent
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1e-4 else _digits(value, 3)  # noqa: PLR2004 likewise


def share_of(part: str, whole: str) -> str:
    """The percentage that the one shown number is of the other, so that a reader finds the same."""
    total = number(whole)
    return percent(number(part) / total) if total else percent(0.0)


def number(text: str) -> float:
    """The number that `used`, or a sum, shows."""
    return float(text.replace(",", "").replace(DOLLARS, ""))


def _digits(value: float, digits: int) -> str:
    """A number below 1 to so many digits, and no exponent."""
    return f"{value:.{digits - 1 - math.floor(math.log10(value))}f}"


def short_of(value: float, needed: float) -> str:
    """A count below the required one, rounded down if rounding up would make it look sufficient."""
    shown = count(value)
    if float(shown.replace(",", "")) < needed:
        return shown
    return count(math.floor(value)) if value >= TEN else amount(math.floor(10 * value) / 10)


def amount(value: float) -> str:
    """A sum of something: 0.3, 12.6, 1,000."""
    is_whole = abs(value - round(value)) < 0.05  # noqa: PLR2004 half of the last digit shown
    return f"{value:,.0f}" if is_whole or value >= THREE_DIGITS else f"{value:,.1f}"


def about(value: float) -> str:
    """A count that is only expected, to two digits: 50, 1,900."""
    unit = 10.0 ** max(0, math.floor(math.log10(value)) - 1) if value >= 1 else 1.0
    return f"{round(value / unit) * unit:,.0f}"


def money(value: float) -> str:
    """Dollars: cents from one dollar on, two digits below."""
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:.{1 - math.floor(math.log10(value))}f}"


def percent(share: float) -> str:
    """A share of 0 to 1: 42%, 5.0%, 0.034%, 99.6%; 0 and 100 only for none and all."""
    value = 100 * share
    if 99.5 <= value < 100:  # noqa: PLR2004 no decimal would show 100
        short = 100 - value
        return f"{value:.{math.ceil(-math.log10(short))}f}%" if short > 1e-6 else "over 99.9999%"  # noqa: PLR2004
    if not value or value >= 9.95:  # noqa: PLR2004 one decimal would show 10.0
        return f"{value:.0f}%"
    return f"{value:.1f}%" if value >= 0.1 else f"{value:.2g}%"  # noqa: PLR2004 one decimal would show 0.0


def chance(value: float) -> str:
    """How often chance gives as much; below a millionth, digits are meaningless."""
    return "less than 0.0001%" if value < 1e-6 else percent(value)  # noqa: PLR2004 as said above


def times(ratio: float) -> str:
    """A ratio: 13.8x, 0.85x, 1,200x."""
    if math.isinf(ratio):
        return "infinitely more"
    return f"{ratio:,.0f}x" if ratio >= THREE_DIGITS else f"{ratio:.3g}x"


def odds(evidence: float, needed: float) -> str:
    """Evidence as odds: 18,000:1, 163:1, 0.39:1; rounded down where rounding up would make it seem enough."""
    if evidence >= 1e6:  # noqa: PLR2004 more digits are noise
        return "over 1,000,000:1"
    if evidence < 1e-9:  # noqa: PLR2004 more zeros are noise
        return "0:1"
    digits = 2 if evidence < 1 or evidence >= 1000 else 3  # noqa: PLR2004 as said above
    unit = 10.0 ** (math.floor(math.log10(evidence)) - digits + 1)
    shown = round(evidence / unit) * unit
    if evidence < needed <= shown:
        shown -= unit
    return f"{shown:,.0f}:1" if shown >= THREE_DIGITS else f"{shown:.3g}:1"
