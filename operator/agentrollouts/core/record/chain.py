"""The chain of a record: each entry has the hash of the one before it.

Hashes are taken over JSON as it is stored, so an entry of a newer version, with fields that this one does not
know, is verified as well.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import rfc8785

HASH: Final = "hash"
PREVIOUS: Final = "previous"
IDENTITY: Final = "identity"
"""Field of the first entry of a record: `identity_of` the record, so that the hashes cover it as well."""

_IDENTITY: Final = ("rollout", "rolloutUid", "agent", "attempt", "part", "release", "version", "digest")


def hash_of(value: Mapping[str, Any]) -> str:
    """`sha256:` and the digest of the canonical JSON (RFC 8785) of `value` without its field `hash`.

    Raises:
        rfc8785.CanonicalizationError: `value` has something that RFC 8785 cannot express, which no entry has.
    """
    content = {key: item for key, item in value.items() if key != HASH}
    return f"sha256:{hashlib.sha256(rfc8785.dumps(content)).hexdigest()}"


def sealed(entry: Mapping[str, Any], previous: str) -> dict[str, Any]:
    """The entry, chained to the one whose hash is `previous`; empty for the first of a rollout."""
    chained = {**entry, PREVIOUS: previous}
    return {**chained, HASH: hash_of(chained)}


def identity_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a record is about: the fields of its `spec` that never change, other than its entries."""
    return {name: spec[name] for name in _IDENTITY if name in spec}
