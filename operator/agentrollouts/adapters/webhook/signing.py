"""The headers of Standard Webhooks 1.0: who sent a request, when, and that no one changed it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

PREFIX: Final = "whsec_"
KEY_BYTES: Final = range(24, 65)
"""Lengths of a key that the standard permits."""


class SecretError(ValueError):
    """The text of a secret cannot be used. The message does not repeat it."""


def keys_of(text: str) -> tuple[bytes, ...]:
    """The keys in the file of a secret: one, or during a rotation the new one and the old one.

    Raises:
        SecretError: there is none, or one is not `whsec_` and base64 of 24 to 64 bytes.
    """
    keys = tuple(_keys(text))
    if not keys:
        raise SecretError("its secret is empty")
    return keys


def _keys(text: str) -> Iterator[bytes]:
    for word in text.split():
        try:
            key = base64.b64decode(word.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not word.startswith(PREFIX) or len(key) not in KEY_BYTES:
            raise SecretError(f"its secret is not {PREFIX} and the base64 of 24 to 64 bytes")
        yield key


def signed(keys: tuple[bytes, ...], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a request, with a signature by each key."""
    content = f"{webhook_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }
