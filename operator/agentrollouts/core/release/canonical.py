"""The normal form of content and its canonical text: what a digest is computed over.

The text is canonical JSON (RFC 8785) with two decisions of our own, made so that the digest does not depend
on how a file was applied. A null in an object is the same as no field: kubectl drops such nulls on
client-side apply and keeps them on server-side apply. Integers are exact to 64 bits, as the API server keeps
them; RFC 8785 would round those above 2^53 to doubles.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import rfc8785

MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
"""Integers that the API server keeps exactly; it rounds those outside."""
_DOUBLE: Final = 10**308


def without_nulls(value: Any) -> Any:  # noqa: ANN401 any JSON
    """The same JSON without the fields that are null; nulls in lists have a place and stay."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list | tuple) else value


def rounded(value: Any) -> Any:  # noqa: ANN401 any JSON
    """The same JSON, for comparisons only: integers above 2^53 keep only the digits of a double."""
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    is_large = isinstance(value, int) and not -(2**53) <= value <= 2**53
    return str(float(value) if -_DOUBLE < value < _DOUBLE else value) if is_large else value


def canonical(value: object) -> bytes:
    """The canonical text of JSON.

    Args:
        value: JSON at most `leaves.MAX_DEPTH` and a few levels deep, with finite numbers and Unicode text.
    """
    return "".join(_tokens(value)).encode()


def _tokens(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield "{"
        for number, key in enumerate(sorted(value, key=_utf_16)):
            yield f"{',' if number else ''}{_scalar(key)}:"
            yield from _tokens(value[key])
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for number, item in enumerate(value):
            yield "," if number else ""
            yield from _tokens(item)
        yield "]"
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:  # noqa: ANN401 any JSON
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return rfc8785.dumps(value).decode()


def _utf_16(key: str) -> bytes:
    """The order of keys in RFC 8785, section 3.2.3: by UTF-16 code units."""
    return key.encode("utf-16-be")
