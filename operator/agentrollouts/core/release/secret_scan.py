"""Values that look like credentials: a bundle is readable by many, so it must not contain any.

Runs before anything is written anywhere. Two things are searched for: a text in the form of a known kind of
key, and something random under a name that promises a secret. What is a key with high confidence is refused;
the rest is a warning; a placeholder is neither. A finding names field paths and kinds, never a value. It is a
net against accidents, not against someone who hides a key on purpose.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from agentrollouts.core.release.content import Leaf, leaves
from agentrollouts.core.release.placeholders import Likeness, likeness
from agentrollouts.core.release.secret_forms import is_documented, known_forms

_SECRET_WORDS: Final = frozenset(
    {"apikey", "credential", "credentials", "passphrase", "passwd", "password", "pwd", "secret", "token"}
)
_SECRET_PAIRS: Final = frozenset({"api key", "access key", "private key", "signing key", "encryption key"})
_REFERENCE_WORDS: Final = frozenset(
    {"endpoint", "file", "name", "path", "policy", "ref", "type", "uri", "url"}
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ASSIGNMENT: Final = re.compile(
    r"(?i)(?P<name>\bbearer\s{1,4}|(?:api[_-]?key|access[_-]?key|private[_-]?key|passwd|password|passphrase|secret"
    r"|token)[\"']?\s{0,8}[:=]\s{0,8}[\"']?)(?P<value>[A-Za-z0-9+/_=.~-]{16,512})"
)

_RANDOM_FORM: Final = re.compile(r"[A-Za-z0-9+/_=.~-]{16,512}")
_CHANGE: Final = re.compile(r"(?<=[a-z])[A-Z]|(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]")
_MIN_CHANGES: Final = 0.2
"""Changes of kind (small to capital, letter to digit and back) a character. Random base 62 has 0.45, random
hex 0.47 on average, words joined by dashes or capitals less than 0.2."""
_MIN_ENTROPY: Final = 3.0
"""Shannon bits a character, over the text's own letters. 16 random hex digits have 3.3, `a1a1a1` has 1."""


_NOT_SECRET: Final = re.compile(r"(?i)\b(?:commit|sha|sha1|sha256|hash|digest|checksum|revision|etag)\b")
"""Words before an assignment that say what the value is instead."""
_REACH: Final = 24
"""Characters before an assignment in which such a word is looked for."""
_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A field whose content looks like a credential; the content itself is not kept."""

    path: str
    kind: str
    is_certain: bool = field(default=True, compare=False)
    """Whether it is one with high confidence; otherwise it is worth a warning."""


def find_credentials(value: object, path: str) -> Iterator[Suspicion]:
    """Every field of `value` that looks like a credential, in document order, at most one finding a field.

    A key of a map can be one too; then the path given is that of the whole, since the field's own path would
    tell it.
    """
    for leaf in leaves(value, path):
        named = _known_kind(leaf.path)
        found = named or _kind(leaf)
        if found is not None:
            kind, how = found
            yield Suspicion(path if named else leaf.path, kind, how is Likeness.SECRET)


def _kind(leaf: Leaf) -> tuple[str, Likeness] | None:
    """The most certain thing to say of a value."""
    if not isinstance(leaf.value, str):
        return None
    known = _known_kind(leaf.value)
    if known is not None and known[1] is Likeness.SECRET:
        return known
    if _promises_secret(leaf.key) and _looks_random(leaf.value):
        how = _likeness_of_value(leaf.value)
        if how is not Likeness.PLACEHOLDER:
            return f"a secret, by the name {leaf.key}", how
    given = max(map(_likeness_given, _ASSIGNMENT.finditer(leaf.value)), default=Likeness.PLACEHOLDER)
    if given is Likeness.SECRET or (given is Likeness.DOUBTFUL and known is None):
        return "a text that contains a secret", given
    return known


def _known_kind(text: str) -> tuple[str, Likeness] | None:
    return max(known_forms(text), key=lambda found: found[1], default=None)


def _likeness_given(match: re.Match[str]) -> Likeness:
    """What a text assigns to a secret's name."""
    value = match["value"]
    before = match.string[max(0, match.start() - _REACH) : match.start()]
    if not _looks_random(value) or _NOT_SECRET.search(before):
        return Likeness.PLACEHOLDER
    how = _likeness_of_value(value)
    is_vague = match["name"].lower().startswith(("bearer", "token"))
    return min(how, Likeness.DOUBTFUL) if is_vague and _HEX.fullmatch(value) else how


def _likeness_of_value(value: str) -> Likeness:
    return Likeness.PLACEHOLDER if is_documented(value) else likeness(value)


def _promises_secret(key: str) -> bool:
    """Whether a name promises a secret: `dbPassword` and `API_KEY` do, `tokenizer`, `secretName` do not."""
    words = [word.lower() for word in _WORD.findall(key)]
    if words and words[-1] in _REFERENCE_WORDS:
        return False
    pairs = {" ".join(pair) for pair in pairwise(words)}
    return not _SECRET_WORDS.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairs)


def _looks_random(text: str) -> bool:
    """Whether a text has no space, is long enough, changes its kind of character often and repeats little."""
    if _RANDOM_FORM.fullmatch(text) is None or len(_CHANGE.findall(text)) < _MIN_CHANGES * len(text):
        return False
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares) >= _MIN_ENTROPY
