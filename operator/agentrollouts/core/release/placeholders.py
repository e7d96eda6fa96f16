"""How much a text that has the form of a secret looks like one: real, doubtful, or a placeholder.

Decided by structure and not by a list of texts: masks repeat one character, templates have brackets, examples
are words or count upward. Random text has none of these, except with a probability below one in a million for
texts of 16 characters or more.
"""

import math
import re
from collections import Counter
from enum import IntEnum
from itertools import pairwise
from typing import Final


class Likeness(IntEnum):
    """How sure it is that a text is a secret."""

    PLACEHOLDER = 0
    """Surely not one."""
    DOUBTFUL = 1
    """Perhaps: worth a warning."""
    SECRET = 2
    """With high confidence: refused."""


_TEMPLATE: Final = re.compile(r"[<>{}$]|\[|\]|\.\.\.|…|%s|%\(|\*\*\*|•|#{3}")
_WORDS: Final = re.compile(
    r"(?i)example|placeholder|redacted|changeme|change[-_]me|replace|insert|dummy|sample|hidden|removed|masked"
    r"|your[-_]?(?:api|key|token|secret|password|own)|(?:^|[-_])(?:your|my|the)[-_]|[-_]here(?:$|[^a-z])"
    r"|not[-_]?a?[-_]?real|fake[-_]|(?:key|token|secret|password)[-_]?goes"
)
_USUAL: Final = re.compile(
    r"admin|apikey|auth|bar|changeit|credentials|demo|foo|guest|hidden|key|login|masked|mysecret|mypassword|none"
    r"|null|pass|passphrase|passwd|password|placeholder|postgres|pw|pwd|redacted|root|secret|string|test|testing"
    r"|todo|token|user|username|value|xyz|yourpassword|yoursecret"
)
"""Words that people write in the place of a password. A password that is one of them guards nothing."""
_LEET: Final = str.maketrans("0134578@$!", "oieastbasi")
_REPEATED: Final = re.compile(r"(.{2,8}?)\1{2,}=*")
_MAX_RUN: Final = 5
"""Characters in ascending order that are not chance: in random base 62, six have a probability of 1e-9."""
_MAX_STUB: Final = 2
"""Characters of what stands for any password: `u:p@host`."""
_MIN_DISTINCT: Final = 4
_MASK_SHARE: Final = 0.5
_RANDOM_FORM: Final = re.compile(r"[A-Za-z0-9+/_=.~$-]{12,4096}")
_CHANGE: Final = re.compile(r"(?<=[a-z])[A-Z]|(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]")
_MIN_CHANGES: Final = 0.2
"""Changes of kind (small to capital, letter to digit and back) a character. Random base 62 has 0.45, random
hex 0.47 on average, words joined by dashes or capitals less than 0.2."""
_MIN_ENTROPY: Final = 3.0
"""Shannon bits a character, over the text's own letters. 16 random hex digits have 3.3, `a1a1a1` has 1."""


def likeness(text: str) -> Likeness:
    """For the random part of a key, of 10 characters or more, without the prefix that names its kind."""
    if _is_placeholder(text):
        return Likeness.PLACEHOLDER
    if _counts_upward(text) or _reads_like_words(text) or _REPEATED.fullmatch(text):
        return Likeness.DOUBTFUL
    return Likeness.SECRET


def likeness_of_password(password: str, user: str = "") -> Likeness:
    """For a password in a connection string, of any length.

    Args:
        password: As it stands there.
        user: The name before it.
    """
    plain = re.sub(r"[^a-z0-9]", "", password.lower())
    if _is_placeholder(password) or _is_usual(plain) or password == user or len(plain) <= _MAX_STUB:
        return Likeness.PLACEHOLDER
    if plain.translate(_LEET).startswith("passw") or password.isalpha():
        is_mixed = password.isalpha() and len(password) >= 12 and _mixes_cases(password)  # noqa: PLR2004
        return Likeness.SECRET if is_mixed else Likeness.DOUBTFUL
    return Likeness.DOUBTFUL if _counts_upward(password) or len(password) <= _MAX_RUN else Likeness.SECRET


def looks_random(text: str) -> bool:
    """Whether a text has no space, is long enough, changes its kind of character often and repeats little."""
    if _RANDOM_FORM.fullmatch(text) is None or len(_CHANGE.findall(text)) < _MIN_CHANGES * len(text):
        return False
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares) >= _MIN_ENTROPY


def _is_usual(plain: str) -> bool:
    return any(_USUAL.fullmatch(form) for form in (plain, plain.rstrip("0123456789")))


def _is_placeholder(text: str) -> bool:
    if _TEMPLATE.search(text) or _WORDS.search(text):
        return True
    shares = [text.count(char) for char in set(text)]
    is_masked = max(shares, default=0) > _MASK_SHARE * len(text) or len(shares) < _MIN_DISTINCT
    return is_masked and len(text) >= 3  # noqa: PLR2004


def _counts_upward(text: str) -> bool:
    """Whether a half of the text, or six characters in a row, are in order: 123456, abcdef, abc123def456."""
    steps = [ord(after) - ord(before) == 1 for before, after in pairwise(text)]
    longest = current = counted = 0
    for step in [*steps, False]:
        if step:
            current += 1
            continue
        longest = max(longest, current)
        counted += current + 1 if current > 1 else 0
        current = 0
    return longest >= _MAX_RUN or counted >= len(text) / 2


def _reads_like_words(text: str) -> bool:
    """Whether there are only lowercase letters and separators, which a random key does not have."""
    letters = text.replace("-", "").replace("_", "")
    return letters.isalpha() and letters.islower() and len(letters) >= 16  # noqa: PLR2004


def _mixes_cases(text: str) -> bool:
    """Whether capitals are not only where words begin."""
    changes = len(re.findall(r"[a-z][A-Z]|[A-Z]{2}", text))
    return changes >= len(text) / 8
