"""Reads JSON that the API server sends, however deeply a tenant has nested it.

The API server takes nearly 10,000 levels. The parser of Python 3.11 gives up at 1,000: it raises
`RecursionError`, and one release would hide all others of a list.
"""

import json
import re
from typing import Any, Final

MOST_LEVELS: Final = 128
"""Levels of an answer that are kept: more than content of a release may have, so it is still refused."""
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{]|[\]}]', re.DOTALL)
"""A text, or where a level begins or ends."""


def read_json(text: str | bytes) -> Any:  # noqa: ANN401 any JSON
    """What a JSON text says; if it is too deep for the parser, with null for what lies below `MOST_LEVELS`.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return json.loads(text)
    except RecursionError:
        pass
    try:
        return json.loads(_flat(text if isinstance(text, str) else text.decode()))
    except RecursionError:
        raise ValueError("The JSON text is nested too deeply, and does not end") from None


def _flat(text: str) -> str:
    """The text without the values below `MOST_LEVELS`."""
    kept: list[str] = []
    level = begin = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            level += 1
            if level == MOST_LEVELS + 1:
                kept += [text[begin : token.start()], "null"]
                begin = len(text)
        elif token[0] in "]}":
            if level == MOST_LEVELS + 1:
                begin = token.end()
            level -= 1
    return "".join([*kept, text[begin:]])
