"""The forms of known kinds of keys: how each looks, and which part of it is the secret.

Every pattern is anchored or of bounded length, so that time is linear in the text. Sources: the providers'
documentation and the rules of public secret scanners.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Final

from agentrollouts.core.release.placeholders import Likeness, likeness, likeness_of_password

_KINDS: Final = {
    "a private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----",
    "an AWS access key": r"(?<![A-Z0-9])(?:AKIA|ASIA)([A-Z0-9]{16})(?![A-Z0-9])",
    "a Google API key": r"(?<![\w-])AIza([\w-]{35})",
    "a Google OAuth token": r"(?<![\w-])(?:ya29\.|GOCSPX-)([\w-]{20,400})",
    "an Azure storage key": r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,88})",
    "a GitHub token": r"(?<!\w)(?:gh[opsur]_([A-Za-z0-9]{36})|github_pat_(\w{22,90}))",
    "a GitLab token": r"(?<![\w-])gl(?:pat|dt|ptt|rt|cbt|ft)-([\w-]{20,60})",
    "a Slack token": r"(?<![\w-])(?:xox[abeoprs]-|xapp-\d-)([A-Za-z0-9-]{10,200})"
    r"|hooks\.slack\.com/services/T\w{6,12}/B\w{6,12}/(\w{20,30})",
    "a Stripe key": r"(?<!\w)(?:[rs]k_live_|whsec_)([A-Za-z0-9]{16,120})",
    "a model provider's key": r"(?<![\w-])(?:sk-(?:ant|proj|or|svcacct|admin)-([\w-]{20,250})"
    r"|sk-([A-Za-z0-9]{32,120})|gsk_([A-Za-z0-9]{40,60})|xai-([A-Za-z0-9]{60,100})"
    r"|pplx-([A-Za-z0-9]{40,60})|r8_([A-Za-z0-9]{37}))",
    "a Hugging Face token": r"(?<!\w)hf_([A-Za-z0-9]{30,40})",
    "a SendGrid key": r"(?<![\w-])SG\.([\w-]{22}\.[\w-]{0,60})",
    "a Twilio key": r"(?<!\w)SK([0-9a-f]{32})(?!\w)",
    "a Vault token": r"(?<![\w-])hv[sb]\.([\w-]{24,200})",
    "a DigitalOcean token": r"(?<!\w)do[opr]_v1_([0-9a-f]{64})",
    "an npm token": r"(?<!\w)npm_([A-Za-z0-9]{36})",
    "a PyPI token": r"(?<![\w-])pypi-([\w-]{32,250})",
    "a JSON web token": r"(?<![\w-])eyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{0,1000}",
    "a password in a URL": r"://(?P<user>[^\s/:@]{0,128}):(?P<password>[^\s/:@]{1,128})@",
    "a password in a connection string": r"(?i)\b(?:server|data source|host|addr|uid|user id|username)="
    r"[^;\n]{1,128};(?:[^;=\n]{1,40}=[^;\n]{0,128};){0,6}\s?(?:password|pwd)=(?P<connecting>[^;\s\"']{4,128})",
}
_PATTERNS: Final = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}
_HINTS: Final = {
    "a private key": ("PRIVATE KEY",),
    "a password in a URL": ("://",),
    "a password in a connection string": ("assword=", "wd=", "ASSWORD=", "WD="),
    "a JSON web token": ("eyJ",),
}
"""A text without any of these has none of that kind; looking for them is cheaper than the pattern."""

_HEADER: Final = re.compile(r"(?:\\[nr]|\s|[A-Za-z-]{4,12}: [^\n\\]{1,80})*")
_BODY: Final = re.compile(
    r"(?:MII[A-Z][A-Za-z0-9+/]{2}|MI[GH][A-Za-z0-9+/]{4}|MC4C|MHcC|MHQC|MFMC|b3BlbnNzaC1rZXk|l[A-Za-z0-9+/]{39})"
    r"(?P<rest>[A-Za-z0-9+/=]{0,2000})(?P<more>\.{2,3}|…)?"
)
"""How the base64 of a private key begins: DER of the usual kinds, OpenSSH's own form, OpenPGP."""
_SHORT_BODY: Final = 100

_DOCUMENTED: Final = ("SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", "wJalrXUtnFEMI")
"""Parts of keys that are printed in documentation everywhere: the token of jwt.io, the key of AWS."""
_MIN_SIGNATURE: Final = 20


def known_forms(text: str) -> Iterator[tuple[str, Likeness]]:
    """Each kind of key that a text has the form of, with how much it looks like a real one."""
    for kind, pattern in _PATTERNS.items():
        hints = _HINTS.get(kind)
        if hints and not any(hint in text for hint in hints):
            continue
        judge = _JUDGES.get(kind, _judge_key)
        found = max((judge(match) for match in pattern.finditer(text)), default=Likeness.PLACEHOLDER)
        if found is not Likeness.PLACEHOLDER:
            yield kind, found


def is_documented(text: str) -> bool:
    """Whether a text holds a key that is public because some documentation prints it."""
    return any(part in text for part in _DOCUMENTED)


def _judge_key(match: re.Match[str]) -> Likeness:
    secret = next((group for group in match.groups() if group), "")
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
    try:
        is_token = b'"alg"' in base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
    except (binascii.Error, ValueError):
        is_token = False
    if not is_token or len(signature) < _MIN_SIGNATURE:
        return Likeness.DOUBTFUL
    return likeness(signature)


def _judge_url(match: re.Match[str]) -> Likeness:
    return likeness_of_password(match["password"], match["user"])


def _judge_connection(match: re.Match[str]) -> Likeness:
    return likeness_of_password(match["connecting"])


_JUDGES: Final[dict[str, Callable[[re.Match[str]], Likeness]]] = {
    "a private key": _judge_private_key,
    "a JSON web token": _judge_web_token,
    "a password in a URL": _judge_url,
    "a password in a connection string": _judge_connection,
}
