"""Values that look like credentials: a bundle is readable by many, so it must not contain any.

Runs before anything is written anywhere. Searched for are a text in the form of a known kind of key, a random
text that is marked as a key (`acme_live_...`), something random under a name that promises a secret, and all
of these in what base64 hides, one level deep. What is a key with high confidence is refused; the rest is a
warning; a placeholder is neither. A finding names field paths and kinds, never a value. It is a net against
accidents, not against someone who hides a key on purpose.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from agentrollouts.core.release.content import Leaf, keys, leaves
from agentrollouts.core.release.placeholders import (
    Likeness,
    likeness,
    likeness_of_password,
    looks_random,
)
from agentrollouts.core.release.secret_forms import decoded, is_documented, known_forms

_SECRET: Final = re.compile(
    r"\b(?:authorization|[a-z]*(?:apikey|credentials?|passphrase|passwd|password|pwd|secret|token)"
    r"|(?:access|account|admin|api|app|application|auth|encryption|ingest|ingestion|license|master|private"
    r"|server|service|shared|signing|subscription|webhook|write) ?key)\b"
)
"""Words in a name that promise a secret."""
_REFERENCE: Final = re.compile(r"\b(?:endpoint|file|name|path|policy|ref|type|uri|url)\Z")
_PASSWORD: Final = re.compile(r"(?i)(?:password|passwd|passphrase|pwd)\Z")
_PASSWORD_LENGTH: Final = 8
_SHORTEST_SECRET: Final = 16
_ELSEWHERE: Final = re.compile(r"(?i)[a-z+]{0,12}(?:arn|env|file|https?|oci|op|ref|sha\d{1,3}|urn|vault)\b")
"""The scheme of a reference or of a digest."""
_VARIABLE_KEY: Final = re.compile(
    r"\b(?!(?:anon|cache|client|dedup|foreign|hash|idempotency|index|map|object|partition|primary|pub|public"
    r"|publishable|range|routing|row|site|sort) )[a-z]+ key\Z"
)
"""`ACME_KEY`, but not `CACHE_KEY`."""
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PROMISE: Final = (
    r"[A-Za-z0-9_.-]{0,40}(?:key|token|secret|passw|pwd|passphrase|credential|authorization)"
    r"[A-Za-z0-9_.-]{0,40}"
)
"""A name that can promise a secret; `_promises_secret` says whether it does."""
_FIRST: Final = (
    r"(?:access|account|admin|api|app|auth|client|encryption|license|master|private|secret|service|signing"
    r"|subscription|webhook)"
)
"""The first word of a name of two, as people write it: `API key`."""
_VALUE: Final = r"(?=(?P<value>[A-Za-z0-9+/_.~$-]{16,512}={0,2}))"
"""Looked at and not taken, since it can begin with the next name; it ends at a sign that ends a name, so that
two values never overlap."""
_GIVEN: Final = (
    re.compile(rf"(?i)(?P<name>\bbearer)\s{{1,4}}{_VALUE}"),
    re.compile(
        rf"(?i)(?<![A-Za-z0-9_.-])(?P<name>(?:{_FIRST} )?{_PROMISE})[\"'`\\*]{{0,4}}\s{{0,8}}"
        rf"(?:=>|:=|->|[:=|>→]|is\b)[*]{{0,2}}\s{{0,8}}[\"'`\\*]{{0,4}}(?:(?:bearer|token|bot|apikey|key|[a-z]{{3,12}}key|splunk|ssws)\s{{1,4}})?{_VALUE}"
    ),
    re.compile(rf"(?i)(?<![A-Za-z0-9_-])--?(?P<name>{_PROMISE})[ \t]{{1,4}}[\"']?{_VALUE}"),
    re.compile(
        r"(?i)(?<![A-Za-z0-9_])(?:name|key|header|env|variable)[\"']?\s{0,4}[:=]\s{0,4}[\"']?"
        rf"(?P<name>{_PROMISE})[\"']?\s{{0,8}},?\s{{0,40}}[\"']?(?:value|val|content)[\"']?\s{{0,4}}[:=]"
        rf"\s{{0,4}}[\"']?{_VALUE}"
    ),
    re.compile(rf"[?&](?P<name>auth|code|key)={_VALUE}"),
)
"""How a text gives a secret: a header, an assignment, an option, a pair of name and value, or a query."""
_MARKED: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{20,512}(?![A-Za-z0-9])")
_MARK: Final = re.compile(r"(?:^|[^A-Za-z0-9_.-])(?P<mark>(?:[A-Za-z0-9]{1,12}[-_]){1,4})\Z")
_MARK_LENGTH: Final = 50
_KEY_MARK: Final = re.compile(r"\b(?:api|apikey|key|live|pat|private|prod|pw|rk|secret|sk|tok|token)\b")
_SURE_MARK: Final = re.compile(r"\b(?:api ?key|rk|secret key|sk)\b")
"""A mark that stands before no hash."""
_PUBLISHABLE: Final = re.compile(r"\bpk (?:live|test)\b")
"""A mark of keys that web pages show."""
_HASH: Final = re.compile(r"\b(?:commit|digest|etag|hash|integrity|md|sha)\b")
_SHORTEST: Final = 12
"""Characters of the shortest text in which anything is found."""
_LONG: Final = 32
"""Characters of a random text that are hardly an identifier, which have 16 to 29."""
_NOT_SECRET: Final = re.compile(r"(?i)\b(?:commit|sha|sha1|sha256|hash|digest|checksum|revision|etag)\b")
"""Words before an assignment that say what the value is instead."""
_REACH: Final = 24
"""Characters before an assignment in which such a word is looked for."""
_BARE: Final = re.compile(r"(?i)[0-9a-f]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A hash or a UUID, which need not be secret."""
_ENCODED: Final = re.compile(
    r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{20,}(?:(?:\r?\n[ \t]{0,16}| )[A-Za-z0-9+/_-]{4,})*={0,2}"
)
"""Also in several lines, and in lines that YAML folded to one."""
_LINE_END: Final = re.compile(r"\\[nrt]")
"""A line end or tab that is written out, as in JSON that is a text itself: a word ends before it."""
_BETWEEN: Final = "\n\0\n"
"""Between two texts, so that nothing is found across."""
_PLAIN: Final = re.compile(r"[\t\n\r\x20-\x7e]*")

Finding = tuple[str, Likeness]
"""A kind, and how sure it is."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A field whose content looks like a credential; the content itself is not kept."""

    path: str
    kind: str
    is_certain: bool = field(default=True, compare=False)
    """Whether it is one with high confidence; otherwise it is worth a warning."""


def find_credentials(value: object, path: str) -> Iterator[Suspicion]:
    """Every field of `value` that looks like a credential, in document order, at most one finding a field.

    A key of a map can be one too; then every path given is that of the whole, since the field's own path
    would tell it.
    """
    named = max(filter(None, map(scan, keys(value))), key=lambda finding: finding[1], default=None)
    if named is not None:
        yield Suspicion(path, named[0], named[1] is Likeness.SECRET)
    for leaf in leaves(value, path):
        finding = _of_leaf(leaf)
        if finding is not None:
            yield Suspicion(path if named else leaf.path, finding[0], finding[1] is Likeness.SECRET)


def scan(text: str) -> Finding | None:
    """The most certain thing to say of one text; None if nothing.

    A pure function of the text, in time linear in it: 0.2 to 1.4 s of CPU for 900 KiB, whatever is in it. No
    single step takes longer than 0.2 s, so a thread that scans lets others run in between. A text may be cut
    into slices where there is a space or a line end, if each slice keeps the last 8,192 characters of the one
    before: nothing that is searched for is longer, but for wrapped base64.
    """
    if len(text) < _SHORTEST:
        return None
    return max(_findings(text), key=lambda finding: finding[1], default=None)


def _findings(text: str) -> Iterator[Finding]:
    text = _LINE_END.sub(" \n", text) if "\\" in text else text
    yield from _plain_findings(text)
    if hidden := _BETWEEN.join((*_hidden(text), *_escaped(text))):  # at once, as there can be thousands
        yield from _plain_findings(hidden)


def _plain_findings(text: str) -> Iterator[Finding]:
    yield from known_forms(text)
    for pattern in _GIVEN:
        for match in pattern.finditer(text):
            if (how := _likeness_given(match)) is not Likeness.PLACEHOLDER:
                yield "a text that contains a secret", how
    for match in _MARKED.finditer(text):
        if (how := _likeness_marked(match)) is not Likeness.PLACEHOLDER:
            yield "a random text that is marked as a key", how


def _of_leaf(leaf: Leaf) -> Finding | None:
    if not isinstance(leaf.value, str):
        return None
    finding = scan(f'"auth": "{leaf.value}"' if leaf.key == "auth" else leaf.value)
    if finding is not None and finding[1] is Likeness.SECRET:
        return finding
    if _promises_secret(leaf.key) and _has_random(leaf.value):
        how = _likeness_of_value(leaf.value)
        if how is not Likeness.PLACEHOLDER:
            return f"a secret, by the name {leaf.key}", how
    if finding is None and _PASSWORD.search(leaf.key) and _is_password(leaf.value):
        return f"a password, by the name {leaf.key}", Likeness.DOUBTFUL
    return finding


def _has_random(value: str) -> bool:
    """Whether a value is random, or one side of a colon in it, unless it says where the secret is."""
    parts = [] if ":" in value and _ELSEWHERE.match(value) else value.split(":")
    return any(len(part) >= _SHORTEST_SECRET and looks_random(part) for part in parts)


def _is_password(text: str) -> bool:
    """Whether a text is short, not made of words, and does not stand for any password."""
    is_mixed = text.isalpha() or (any(map(str.isdigit, text)) and any(map(str.isalpha, text)))
    has_form = _PASSWORD_LENGTH <= len(text) <= _LONG and not any(map(str.isspace, text))
    return has_form and is_mixed and likeness_of_password(text) is Likeness.SECRET


def _likeness_given(match: re.Match[str]) -> Likeness:
    """What a text assigns to a secret's name."""
    name, value = match["name"], match["value"].rstrip(".")  # of the sentence
    is_bearer = name.lower() == "bearer"
    before = match.string[max(0, match.start() - _REACH) : match.start()]
    is_query = match[0][0] in "?&"
    is_named = is_bearer or is_query or _promises_secret(name)
    if not is_named or not looks_random(value) or _NOT_SECRET.search(before):
        return Likeness.PLACEHOLDER
    how = _likeness_of_value(value)
    if is_query:
        return Likeness.PLACEHOLDER if _BARE.fullmatch(value) else min(how, Likeness.DOUBTFUL)
    is_vague = is_bearer or name.lower().endswith(("token", "authorization"))
    return min(how, Likeness.DOUBTFUL) if is_vague and _BARE.fullmatch(value) else how


def _likeness_marked(match: re.Match[str]) -> Likeness:
    """What a random text with words before it is: `acme_live_`, `sk-acme-` mark a key, `msg_` does not."""
    before = match.string[max(0, match.start() - _MARK_LENGTH) : match.start()]
    mark, text = _MARK.search(before), match[0]
    if mark is None or not looks_random(text):
        return Likeness.PLACEHOLDER
    words = " ".join(_WORD.findall(mark["mark"])).lower()
    is_mixed = text.lower() != text and text.upper() != text
    if _HASH.search(words) or _PUBLISHABLE.search(words) or not (is_mixed or _SURE_MARK.search(words)):
        return Likeness.PLACEHOLDER
    if is_mixed and _KEY_MARK.search(words):
        return _likeness_of_value(text)
    return min(_likeness_of_value(text), Likeness.DOUBTFUL) if len(text) >= _LONG else Likeness.PLACEHOLDER


def _likeness_of_value(value: str) -> Likeness:
    return Likeness.PLACEHOLDER if is_documented(value) else likeness(value)


def _hidden(text: str) -> Iterator[str]:
    """The texts that base64 hides, also where it is wrapped into lines."""
    for match in _ENCODED.finditer(text):
        lines = match[0].split()
        whole = _text_of("".join(lines)) or _text_of("".join(lines[:-1]))  # a word can follow the last line
        yield from (each for each in ([whole] if whole else map(_text_of, lines)) if each)


def _escaped(text: str) -> Iterator[str]:
    """The words that are encoded for a URL, as they were before."""
    if "%" in text:
        yield " ".join(unquote(word) for word in text.split() if "%" in word)


def _text_of(encoded: str) -> str | None:
    content = decoded(encoded)
    if content is None or not content.isascii():
        return None
    text = content.decode("ascii")
    return text if _PLAIN.fullmatch(text) else None


def _promises_secret(name: str) -> bool:
    """Whether a name promises a secret: `dbPassword` and `API_KEY` do, `tokenizer`, `secretName` do not."""
    words = " ".join(_WORD.findall(name)).lower()
    if _REFERENCE.search(words):
        return False
    return bool(_SECRET.search(words) or (name.isupper() and _VARIABLE_KEY.search(words)))
