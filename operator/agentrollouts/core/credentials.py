"""Values that look like credentials: a bundle is readable by many, so it may hold none.

Called by `bundle.resolve` on every component, before anything is written anywhere. Two questions are asked:
has the text the form of a known kind of key, and does a field whose name promises a secret hold something
that looks random. The answer names field paths and kinds, never a value. It is a net against accidents, not
against someone who hides a key on purpose. Every pattern is anchored or of bounded length, so that time is
linear in the text.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from agentrollouts.core.leaves import Leaf, leaves

_KINDS: Final = {
    "a private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY",
    "an AWS access key": r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",
    "a Google API key": r"(?<![\w-])AIza[\w-]{35}",
    "a Google OAuth token": r"(?<![\w-])ya29\.[\w-]{20}",
    "an Azure storage key": r"AccountKey=[A-Za-z0-9+/]{40}",
    "a GitHub token": r"(?<!\w)(?:gh[opsur]_[A-Za-z0-9]{36}|github_pat_\w{22})",
    "a GitLab token": r"(?<![\w-])glpat-[\w-]{20}",
    "a Slack token": r"(?<![\w-])xox[abeoprs]-[A-Za-z0-9-]{10}",
    "a Stripe key": r"(?<!\w)[rs]k_live_[A-Za-z0-9]{16}",
    "a model provider's key": r"(?<![\w-])sk-(?:[A-Za-z0-9]{32}|(?:ant|proj|or|svcacct)-[\w-]{20})",
    "a Hugging Face token": r"(?<!\w)hf_[A-Za-z0-9]{30}",
    "a SendGrid key": r"(?<![\w-])SG\.[\w-]{22}\.",
    "a Vault token": r"(?<![\w-])hv[sb]\.[\w-]{24}",
    "an npm token": r"(?<!\w)npm_[A-Za-z0-9]{36}",
    "a PyPI token": r"(?<![\w-])pypi-[\w-]{32}",
    "a JSON web token": r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.",
    "a password in a URL": r"://[^\s/:@]{1,128}:(?![<${])[^\s/:@]{1,128}@",
}
_KNOWN: Final = re.compile("|".join(f"(?P<k{i}>{pattern})" for i, pattern in enumerate(_KINDS.values())))
_NAMES: Final = tuple(_KINDS)

_SECRET_WORDS: Final = frozenset(
    {"apikey", "credential", "credentials", "passphrase", "passwd", "password", "pwd", "secret", "token"}
)
_SECRET_PAIRS: Final = frozenset({"api key", "access key", "private key", "signing key", "encryption key"})
_REFERENCE_WORDS: Final = frozenset(
    {"endpoint", "file", "name", "path", "policy", "ref", "type", "uri", "url"}
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ASSIGNMENT: Final = re.compile(
    r"(?i)(?:\bbearer\s{1,4}|(?:api[_-]?key|access[_-]?key|private[_-]?key|passwd|password|passphrase|secret|token)"
    r"[\"']?\s{0,8}[:=]\s{0,8}[\"']?)(?P<value>[A-Za-z0-9+/_=.~-]{16,512})"
)

_RANDOM_FORM: Final = re.compile(r"[A-Za-z0-9+/_=.~-]{16,512}")
_CHANGE: Final = re.compile(r"(?<=[a-z])[A-Z]|(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]")
_MIN_CHANGES: Final = 0.2
"""Changes of kind (small to capital, letter to digit and back) a character. Random base 62 has 0.45, random
hex 0.47 on average, words joined by dashes or capitals less than 0.2."""
_MIN_ENTROPY: Final = 3.0
"""Shannon bits a character, over the text's own letters. 16 random hex digits have 3.3, `a1a1a1` has 1."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A field whose content looks like a credential; the content itself is not kept."""

    path: str
    kind: str


def find_credentials(value: object, path: str) -> Iterator[Finding]:
    """Every field of `value` that looks like a credential, in document order, at most one finding a field.

    A key of a map can be one too; then the path given is that of the whole, since the field's own path would
    tell it.
    """
    for leaf in leaves(value, path):
        named = _known_kind(leaf.path)
        kind = named or _kind(leaf)
        if kind is not None:
            yield Finding(path if named else leaf.path, kind)


def _kind(leaf: Leaf) -> str | None:
    if not isinstance(leaf.value, str):
        return None
    known = _known_kind(leaf.value)
    if known is not None:
        return known
    if _promises_secret(leaf.key) and _looks_random(leaf.value):
        return f"the secret that the name {leaf.key} promises"
    if any(_looks_random(match["value"]) for match in _ASSIGNMENT.finditer(leaf.value)):
        return "a text in which a secret is given"
    return None


def _known_kind(text: str) -> str | None:
    match = _KNOWN.search(text)
    return _NAMES[int(match.lastgroup[1:])] if match is not None and match.lastgroup is not None else None


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
