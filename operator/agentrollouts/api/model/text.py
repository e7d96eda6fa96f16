"""Text from outside, made safe for an object: label values, names and error messages can contain anything.

Every message of a status, an annotation or an Event passes through this module once. The result is bounded
Unicode text that every JSON and YAML reader accepts, so that no write depends on a text.
"""

import re
from typing import Final

_BLANK: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_UNFIT: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f"  # control characters: YAML refuses them, terminals obey them
    r"\u202a-\u202e\u2066-\u2069"  # changes of direction, which make a sentence look like another one
    r"\ud800-\udfff"  # halves of surrogate pairs, which UTF-8 cannot express
    r"\ufdd0-\ufdef\ufffe\uffff]"  # code points that are not characters
)
_UNSEEN: Final = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
"""Characters that show nothing and can make a text look like another one."""
_REPLACEMENT: Final = "\ufffd"
_MORE: Final = "…"


def writable(text: str, limit: int) -> str:
    """The text with at most `limit` characters, and with U+FFFD for what cannot be written.

    Line breaks and tabs become spaces: a message is one line.
    """
    cut = text if len(text) <= limit else f"{text[: limit - 1]}{_MORE}"
    return _UNFIT.sub(_REPLACEMENT, _BLANK.sub(" ", cut))


def visible(text: str, limit: int) -> str:
    """The writable text with U+FFFD for what no one can see too: what a screen or a page shows of others."""
    return _UNSEEN.sub(_REPLACEMENT, writable(text, limit))


def within_bytes(text: str, limit: int) -> str:
    """The writable text with at most `limit` bytes of UTF-8, cut between two characters."""
    return writable(text[:limit], limit).encode()[:limit].decode(errors="ignore")
