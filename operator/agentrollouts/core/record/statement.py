"""The record of an attempt as an in-toto Statement: what a signature can then bind to the release.

The subject is the bundle of the release, by its digest. The predicate is the record, so that the signed text
is both the copy of an auditor and a head that is kept elsewhere. The form is that of in-toto's specification:
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agentrollouts.api.names import API_VERSION
from agentrollouts.core.record.chain import HASH
from agentrollouts.core.record.stored import KIND, StoredRecord

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://agentrollouts.dev/record/v1"
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")


def statement(parts: Sequence[StoredRecord]) -> dict[str, Any]:
    """The Statement about one attempt.

    Args:
        parts: All records of the attempt, in order.

    Raises:
        ValueError: the digest of the release has another form than `sha256:` and 64 hexadecimal digits.
    """
    spec = parts[0].spec
    digest = _DIGEST.fullmatch(spec["digest"])
    if digest is None:
        raise ValueError("spec.digest: must be sha256: and 64 hexadecimal digits")
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": spec["release"], "digest": {"sha256": digest[1]}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"head": parts[-1].entries[-1][HASH], "records": [_object(part) for part in parts]},
    }


def _object(part: StoredRecord) -> Mapping[str, Any]:
    """The record, without what only the API server needs."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": part.name, "namespace": part.namespace},
        "spec": part.spec,
    }
