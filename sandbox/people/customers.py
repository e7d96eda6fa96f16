"""What customers write to the support agent: request number n, always the same for the same n.

Load is then a range of numbers, two runs of a test send the same requests, and no release can be lucky with
its customers. The mix is that of a shop after a recall: two in five want their money back.
"""

import json
from dataclasses import dataclass
from typing import Final

from sandbox.agent.model import draw

_MIX: Final = (
    (0.40, "I would like a refund for order {number}, it does not work"),
    (0.35, "Where is my parcel? The order is {number}"),
    (0.10, "Please send order {number} to a new address, we are moving"),
    (0.15, "I have a question about order {number}: can I use it outdoors?"),
)
"""Share of the requests, and how customers put it."""
_OLD_SHARE: Final = 0.20
"""Share of the orders that were delivered more than 30 days ago."""
_DEAR_SHARE: Final = 0.015
"""Share of the orders above 250 US dollars."""


@dataclass(frozen=True, slots=True)
class CustomerRequest:
    """One request as it goes over the wire."""

    number: int
    user: str
    body: bytes


def customer_request(number: int, users: int) -> CustomerRequest:
    """Return request `number` of a population of so many users; each user comes back again and again."""
    user = f"user-{int(draw(f'{number}/user') * users):05d}"
    order = {"number": f"A-{number:06d}", "totalUsd": _total_usd(number), "ageDays": _age_days(number)}
    message = _phrase(draw(f"{number}/wish")).format(number=order["number"])
    return CustomerRequest(
        number, user, json.dumps({"user": user, "message": message, "order": order}).encode()
    )


def _phrase(share: float) -> str:
    for size, phrase in _MIX:
        if share < size:
            return phrase
        share -= size
    return _MIX[-1][1]


def _total_usd(number: int) -> float:
    low, high = (250.01, 900.0) if draw(f"{number}/dear") < _DEAR_SHARE else (5.0, 250.0)
    return round(low + (high - low) * draw(f"{number}/total"), 2)


def _age_days(number: int) -> int:
    low, high = (31, 300) if draw(f"{number}/old") < _OLD_SHARE else (0, 30)
    return low + int((high - low + 1) * draw(f"{number}/age"))
