"""The forms of known kinds of keys: how each looks, and which part of it is the secret.

Most begin with a prefix (`secret_table`); here are those with a structure of their own. Every pattern is
anchored or of bounded length, so that time is linear in the text.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final

from agentrollouts.core.release.placeholders import Likeness, likeness, likeness_of_password, looks_random
from agentrollouts.core.release.secret_table import HEX, UUID, Prefixed, prefixed

_KINDS: Final = {
    "a private key": r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
    "a private key of PuTTY": r"Private-Lines: \d{1,3}\s{1,4}([A-Za-z0-9+/]{40,64})",
    "a JSON web key": r"\"(?:d|k)\"\s{0,4}:\s{0,4}\"([\w-]{32,1400})\"",
    "an Azure storage key": r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,88})",
    "an Azure key": r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40,80}(?:JQQJ99|AzSe|AzFu|AzCa|\+ASt|\+ACR|\+AMC|\+AIoT"
    r"|ACDb|APIM|ACV)[A-Za-z0-9+/]{6,36}"
    r"|(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])",
    "a signed URL": r"[?&](?:sig|X-Amz-Signature|X-Goog-Signature|Signature)=([A-Za-z0-9%+/=_-]{40,512})",
    "a chat webhook": r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z]\w{6,12}/\w{6,20}"
    r"/(?:\d{17,19}/)?(\w{20,40})"
    r"|discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/\d{17,20}/([\w-]{60,80})"
    r"|webhook\.office\.com/webhookb2/[\w@-]{40,90}/IncomingWebhook/([0-9a-f]{32})/"
    r"|hooks\.zapier\.com/hooks/catch/(\d{4,12}/\w{6,12})"
    r"|chat\.googleapis\.com/v1/spaces/[\w-]{6,20}/messages\?key=[\w-]{20,50}&(?:amp;)?token=([\w%-]{30,80})",
    "a bot's token": r"(?<![\w.-])[MNO][A-Za-z0-9_-]{23,27}\.[\w-]{6}\.([\w-]{27,40})(?![\w-])"
    r"|(?<!\d)\d{8,10}:(AA[\w-]{32,34})(?![\w-])",
    "a developer service's key": r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.([\w=-]{60,70})"
    r"|(?<!\w)([0-9a-f]{32})-us\d{1,2}(?!\w)|(?<!\w)(?:eu01xx)?([0-9a-f]{26,40})(?:FFFFNRAL|-NRMA)(?!\w)"
    r"|(?<!\w)00D[A-Za-z0-9]{12,15}!([\w.]{60,120})"
    r"|(?<![\w/])[0-2]/(?:1\d{15}/)?1\d{15}:([0-9a-f]{32})(?!\w)"
    r"|(?<![\w.])0\.[0-9a-f-]{36}\.([A-Za-z0-9]{30}):[A-Za-z0-9+/]{22}==",
    "a mail service's key": r"(?<!\w)([0-9a-f]{32})-[0-9a-f]{8}-[0-9a-f]{8}(?![\w-])",
    "a JSON web token": r"(?<![\w-])eyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{0,1000}",
    "a password in a URL": r"://(?P<user>[^\s/:@]{0,128}):(?P<password>[^\s/:@]{1,128})@"
    r"|://(?P<alone>[^\s/:@]{16,256}):?@",
    "a password in a connection string": r"(?i)\b(?:server|data source|host|addr|uid|user id|username)="
    r"[^;\n]{1,128};(?:[^;=\n]{1,40}=[^;\n]{0,128};){0,6}\s?(?:password|pwd)=(?P<connecting>[^;\s\"']{4,128})"
    r"|[?&](?:password|passwd|pwd)=(?P<query>[^&\s\"']{4,128})",
    "a user and a password": r"(?i)(?:\bbasic\s{1,4}|\"auth\"\s{0,4}:\s{0,4}\"|\b_auth\s{0,4}=\s{0,4}\"?)"
    r"(?P<basic>[A-Za-z0-9+/_-]{8,512}={0,2})"
    r"|\bcurl\b[^\n]{0,120}?\s(?:-u|--user)[ =]{0,2}[\"']?(?P<user>[^\s:\"']{1,64})"
    r":(?P<password>[^\s\"']{4,128})"
    r"|\blogin\s{1,8}(?P<login>[^\s\"']{1,64})\s{1,8}password\s{1,8}(?P<netrc>[^\s\"']{4,128})"
    r"|\b(?:(?:mariadb|mysql[a-z]{0,8})\b[^\n]{0,120}?\s-p"
    r"|(?:redis-cli|sshpass|(?:docker|helm registry|oras|podman) login)\b[^\n]{0,120}?"
    r"\s(?:-[ap] ?|--pass(?:word)?[ =]))[\"']?(?P<option>[^\s\"'-][^\s\"']{7,127})",
}
_PATTERNS: Final = {kind: re.compile(pattern, re.ASCII) for kind, pattern in _KINDS.items()}
_HINTS: Final = {
    "a private key": ("PRIVATE KEY",),
    "an Azure key": ("JQQJ99", "AzSe", "AzFu", "AzCa", "+ASt", "+ACR", "+AMC", "+AIoT", "ACDb", "APIM", "Q~"),
    "an Azure storage key": ("AccountKey=", "AccessKey="),
    "a signed URL": ("sig=", "Signature="),
    "a chat webhook": ("hooks.", "webhook", "chat.googleapis."),
    "a password in a URL": ("://",),
    "a password in a connection string": ("assword=", "wd=", "ASSWORD=", "WD="),
    "a user and a password": (
        *("asic ", "ASIC ", '"auth"', "_auth", "curl ", "login ", "mariadb", "mysql", "redis-cli", "sshpass"),
    ),
    "a private key of PuTTY": ("Private-Lines: ",),
    "a JSON web key": ('"kty"',),
    "a JSON web token": ("eyJ",),
    "a developer service's key": (".atlasv1.", "-us", "FFFFNRAL", "-NRMA", "00D", "0/1", "1/1", "2/1", "=="),
}
"""A text without any of these has none of that kind; looking for them is cheaper than the pattern."""

_HEADER: Final = re.compile(r"(?:\\[nr]|\s|[A-Za-z-]{4,12}: [^\n\\]{1,80})*")
_BODY: Final = re.compile(
    r"(?:MII[A-Z][A-Za-z0-9+/]{2}|MI[GH][A-Za-z0-9+/]{4}|MC4C|MHcC|MHQC|MFMC|b3BlbnNzaC1rZXk|l[A-Za-z0-9+/]{39})"
    r"(?P<rest>[A-Za-z0-9+/=]{0,2000})(?P<more>\.{2,3}|…)?"
)
"""How the base64 of a private key begins: DER of the usual kinds, OpenSSH's own form, OpenPGP."""
_SHORT_BODY: Final = 100

_DOCUMENTED: Final = (
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    "wJalrXUtnFEMI",
    "4eC39HqLyjWDarjtT1",
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1",
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJ",
)
"""Parts of keys that are printed in documentation everywhere: the token of jwt.io, the keys of AWS, Stripe,
and the emulators of Azure Storage and Cosmos DB."""
_MIN_SIGNATURE: Final = 20
_HASH: Final = re.compile(r"[0-9a-f-]+")
"""A hash, also a UUID."""
_HASH_OF_SENTRY: Final = 32


def known_forms(text: str) -> Iterator[tuple[str, Likeness]]:
    """Each kind of key that a text has the form of, with how much it looks like a real one."""
    for key in prefixed(text):
        if (how := _judge_prefixed(key)) is not Likeness.PLACEHOLDER:
            yield key.form.kind, how
    for kind, pattern in _PATTERNS.items():
        hints = _HINTS.get(kind)
        if hints and not any(hint in text for hint in hints):
            continue
        judge = _JUDGES.get(kind, _judge_key)
        how = max((judge(match) for match in pattern.finditer(text)), default=Likeness.PLACEHOLDER)
        if how is not Likeness.PLACEHOLDER:
            yield kind, how


def is_documented(text: str) -> bool:
    """Whether a text holds a key that is public because some documentation prints it."""
    return any(part in text for part in _DOCUMENTED)


def _judge_prefixed(key: Prefixed) -> Likeness:
    is_hash = key.form.alphabet not in {HEX, UUID} and _HASH.fullmatch(key.secret)
    is_name = key.form.is_short and (is_hash or not looks_random(key.secret))  # `client-3b18e512...`
    return Likeness.PLACEHOLDER if is_name or is_documented(key.secret) else likeness(key.secret)


def _judge_key(match: re.Match[str]) -> Likeness:
    secret = next((group for group in match.groups() if group), match[0])
    return Likeness.PLACEHOLDER if is_documented(secret) else likeness(secret)


def _judge_private_key(match: re.Match[str]) -> Likeness:
    """A private key has a body; a rule that speaks of its first line has none."""
    text = match.string[match.end() : match.end() + 3000]
    begin = _HEADER.match(text)
    body = _BODY.match(text, begin.end() if begin else 0)
    if body is None:
        return Likeness.PLACEHOLDER
    if body["more"] and len(body["rest"]) < _SHORT_BODY:
        return Likeness.PLACEHOLDER
    return Likeness.SECRET


def _judge_web_token(match: re.Match[str]) -> Likeness:
    header, _, signature = match[0].split(".", 2)
    if is_documented(signature):
        return Likeness.PLACEHOLDER
    if b'"alg"' not in (decoded(header) or b"") or len(signature) < _MIN_SIGNATURE:
        return Likeness.DOUBTFUL
    return likeness(signature)


def _judge_url(match: re.Match[str]) -> Likeness:
    """A user and a password, or a key alone, but not the hash in an address of Sentry, which is public."""
    alone = match["alone"]
    if alone is None:
        return likeness_of_password(match["password"], match["user"])
    if not looks_random(alone) or (_HASH.fullmatch(alone) and len(alone) == _HASH_OF_SENTRY):
        return Likeness.PLACEHOLDER
    return min(likeness(alone), Likeness.DOUBTFUL) if _HASH.fullmatch(alone) else likeness(alone)


def _judge_connection(match: re.Match[str]) -> Likeness:
    return likeness_of_password(match["connecting"] or match["query"])


def _judge_basic(match: re.Match[str]) -> Likeness:
    """What `Authorization: Basic` sends, the base64 of a user, a colon and a password; or in clear."""
    if option := match["option"] or match["netrc"]:
        is_word = option.replace(".", "").replace("_", "").isalpha()
        return Likeness.PLACEHOLDER if is_word else likeness_of_password(option, match["login"] or "")
    if match["basic"] is None:
        return likeness_of_password(match["password"], match["user"])
    try:
        user, colon, password = (decoded(match["basic"]) or b"").decode("ascii").partition(":")
    except UnicodeDecodeError:
        return Likeness.PLACEHOLDER
    is_pair = colon and user.isprintable() and password.isprintable() and " " not in password
    return likeness_of_password(password, user) if is_pair else Likeness.PLACEHOLDER


def decoded(text: str) -> bytes | None:
    """What a text is the base64 of, in either alphabet and with or without padding; None if of nothing."""
    plain = text.rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return None


_URL_SAFE: Final = str.maketrans("-_", "+/")
_JUDGES: Final[dict[str, Callable[[re.Match[str]], Likeness]]] = {
    "a private key": _judge_private_key,
    "a JSON web token": _judge_web_token,
    "a password in a URL": _judge_url,
    "a password in a connection string": _judge_connection,
    "a user and a password": _judge_basic,
}
