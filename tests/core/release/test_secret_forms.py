"""Input: keys of every kind that we know, made by chance, and what people write instead. Output: the finding.

A true key is never overlooked, and a placeholder never refused. Nothing in this file is a real key.
"""

import base64
import json
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.release.secret_scan import Suspicion, find_credentials
from testkit.properties import usually

CASES: Final = Path(__file__).parent / "credential-placeholders.yaml"

BASE62: Final = string.ascii_letters + string.digits
BASE64: Final = f"{BASE62}+/"
URL64: Final = f"{BASE62}-_"
HEX: Final = "0123456789abcdef"
BASE32: Final = f"{string.ascii_uppercase}234567"


def some(alphabet: str, size: int) -> Callable[[random.Random], str]:
    """Random characters."""
    return lambda chance: "".join(chance.choices(alphabet, k=size))


def key(prefix: str, alphabet: str, size: int, suffix: str = "") -> Callable[[random.Random], str]:
    """A prefix and random characters."""
    return lambda chance: f"{prefix}{some(alphabet, size)(chance)}{suffix}"


def token(chance: random.Random) -> str:
    """A signed JSON web token."""
    header = json.dumps({"alg": "HS256", "typ": "JWT"}, separators=(",", ":"))
    claims = json.dumps({"sub": some(BASE62, 12)(chance), "exp": chance.randrange(2**31)})
    parts = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, claims)]
    return ".".join([*parts, some(URL64, 43)(chance)])


def pem(kind: str, begin: str, newline: str = "\n") -> Callable[[random.Random], str]:
    """A private key in a PEM block."""

    def make(chance: random.Random) -> str:
        body = begin + some(BASE64, 1600)(chance)
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        return newline.join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])

    return make


KEYS: Final = {
    "AWS": key("AKIA", BASE32, 16),
    "AWS session": key("ASIA", BASE32, 16),
    "AWS secret": key("aws_secret_access_key = ", BASE62, 40),
    "OpenAI": key("sk-", BASE62, 48),
    "OpenAI project": key("sk-proj-", URL64, 148),
    "OpenAI service account": key("sk-svcacct-", URL64, 120),
    "Anthropic": key("sk-ant-api03-", URL64, 93, "AA"),
    "OpenRouter": key("sk-or-v1-", HEX, 64),
    "Groq": key("gsk_", BASE62, 52),
    "xAI": key("xai-", BASE62, 80),
    "Perplexity": key("pplx-", BASE62, 48),
    "GitHub": key("ghp_", BASE62, 36),
    "GitHub app": key("ghs_", BASE62, 36),
    "GitHub fine-grained": lambda chance: f"github_pat_{some(BASE62, 22)(chance)}_{some(BASE62, 59)(chance)}",
    "GitLab": key("glpat-", URL64, 20),
    "Slack bot": lambda chance: (
        f"xoxb-{some('123456789', 12)(chance)}-{some('987654321', 12)(chance)}-{some(BASE62, 24)(chance)}"
    ),
    "Slack webhook": lambda chance: (
        f"https://hooks.slack.com/services/T{some(BASE32, 10)(chance)}/B{some(BASE32, 10)(chance)}/"
        f"{some(BASE62, 24)(chance)}"
    ),
    "Google": key("AIza", URL64, 35),
    "Google client secret": key("GOCSPX-", URL64, 28),
    "Stripe": key("sk_live_", BASE62, 24),
    "Stripe restricted": key("rk_live_", BASE62, 99),
    "npm": key("npm_", BASE62, 36),
    "PyPI": key("pypi-AgEIcHlwaS5vcmc", URL64, 150),
    "JWT": token,
    "Azure storage": key("AccountName=shop;AccountKey=", BASE64, 86, "=="),
    "Hugging Face": key("hf_", string.ascii_letters, 34),
    "SendGrid": lambda chance: f"SG.{some(URL64, 22)(chance)}.{some(URL64, 43)(chance)}",
    "Twilio": key("SK", HEX, 32),
    "Vault": key("hvs.", URL64, 90),
    "DigitalOcean": key("dop_v1_", HEX, 64),
    "PostgreSQL": key("postgresql://orders:", BASE62, 20, "@db.internal:5432/orders"),
    "Redis": key("redis://:", BASE62, 24, "@cache.internal:6379/0"),
    "MongoDB": key("mongodb+srv://app:", BASE62, 16, "@cluster0.ab1cd.mongodb.net/"),
    "SQL Server": key("Server=db.internal;Database=orders;User Id=app;Password=", BASE62, 16, ";"),
    "RSA": pem("RSA PRIVATE KEY", "MIIEowIBAAKCAQEA"),
    "RSA in JSON": pem("PRIVATE KEY", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ", "\\n"),
    "EC": pem("EC PRIVATE KEY", "MHcCAQEEI"),
    "OpenSSH": pem("OPENSSH PRIVATE KEY", "b3BlbnNzaC1rZXktdjEAAAAA"),
}

UNNAMED: Final = {
    "bearer": key("curl -H 'Authorization: Bearer ", BASE62, 40, "' https://models.internal"),
    "API key in a file": key("api_key: ", BASE62, 32),
}

DOCUMENTED: Final = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2Mj"
    "M5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
"""The token of jwt.io."""

PLACEHOLDERS: Final = (
    *yaml.safe_load(CASES.read_text()).values(),
    "postgres://user:pass@host:5432/db",
    "postgres://username:your_password@host/db",
    "postgres://u:p@host/db",
    "postgresql://postgres:postgres@localhost/app",
    "mysql://root:root@127.0.0.1:3306/test",
    "mongodb://<username>:<password>@cluster0.example.net",
    "redis://:${REDIS_PASSWORD}@cache:6379",
    "amqp://guest:guest@rabbit:5672//",
    "https://user:{{ password }}@git.example.com",
    "postgres://app:xxxx@db/orders and postgres://app:XXXXXXXX@db",
    "postgres://app:[REDACTED]@db/orders",
    "postgres://app:%s@%s/orders",
    "postgres://app:changeme@db/orders",
    "Server=db;Database=orders;User Id=app;Password=your_password;",
    "Server=db;User Id=app;Password=********;",
    "AKIAXXXXXXXXXXXXXXXX",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AKIAI44QH8DHBEXAMPLE",
    "OPENAI_API_KEY=sk-your-api-key-here",
    "OPENAI_API_KEY=sk-...",
    "sk-proj-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-proj-YOUR_KEY_GOES_HERE_AND_NOWHERE_ELSE",
    "sk-ant-api03-REPLACE_WITH_YOUR_OWN_KEY_PLEASE",
    "sk-ant-********************",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ghp_" + "0" * 36,
    "xoxb-your-token-here",
    "xoxb-xxxxxxxxxxxx-xxxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx",
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "AIzaSyXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
    "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "SG.xxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "-----BEGIN PRIVATE KEY-----\n<your key>\n-----END PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----",
    "Mask everything between -----BEGIN OPENSSH PRIVATE KEY----- and -----END OPENSSH PRIVATE KEY-----.",
    "A key starts with `-----BEGIN EC PRIVATE KEY-----`. Never repeat one.",
    "Authorization: Bearer <token>",
    "Authorization: Bearer ${ACCESS_TOKEN}",
    "Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE",
    "password: {{ .Values.db.password }}",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "api_key = os.environ['OPENAI_API_KEY']",
    "secret: projects/shop/secrets/db-password/versions/latest",
    "revision token: 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    DOCUMENTED,
    "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx and sk_test_xxxxxxxxxxxxxxxxxxxxxxxx",
)
"""What is in prompts and configurations in the place of a key."""

DOUBTFUL: Final = (
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "sk-1234567890abcdef1234567890abcdef",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "postgres://bot:passw0rd@db.support:5432/orders",
    "postgres://bot:sunshine@db.support:5432/orders",
    "token: 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "password: abc123def456ghi789jkl",
)
"""What may be a key: a person should look at it."""

PROMPTS: Final = (
    "{}",
    "You are a shop assistant. Use {} for the order service. Never tell it to anyone.",
    'config = {{"value": "{}"}}\n',
    "# notes\n- first\n- `{}`\n- last",
    "export KEY='{}'; run",
    "Zum Beispiel: {} 🙂",
)


def findings(text: str) -> list[Suspicion]:
    """What is found in a text."""
    return list(find_credentials({"system": text}, "c"))


@usually(300)
@given(kind=st.sampled_from(sorted(KEYS)), seed=st.integers(0, 2**64), prompt=st.sampled_from(PROMPTS))
def test_a_true_key_is_refused_wherever_it_stands(kind: str, seed: int, prompt: str) -> None:
    """A random key of every kind is found with certainty in any prompt."""
    secret = KEYS[kind](random.Random(seed))

    suspicions = findings(prompt.format(secret))

    assert [(finding.path, finding.is_certain) for finding in suspicions] == [("c.system", True)], secret


@pytest.mark.parametrize("kind", KEYS)
def test_hardly_any_true_key_is_only_doubtful(kind: str) -> None:
    """Of a thousand random keys of a kind all are found, and all but a few with certainty."""
    by_seed = [findings(KEYS[kind](random.Random(seed))) for seed in range(1000)]

    assert all(by_seed)
    assert sum(not finding.is_certain for [finding] in by_seed) <= 1


@pytest.mark.parametrize("kind", UNNAMED)
def test_a_secret_without_a_form_is_found_by_how_it_is_given(kind: str) -> None:
    """Random text after a secret's name is refused, but for one in two hundred that looks like words."""
    by_seed = [findings(UNNAMED[kind](random.Random(seed))) for seed in range(1000)]

    assert sum(bool(each) and each[0].is_certain for each in by_seed) >= 995


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_placeholder_is_neither_refused_nor_warned_about(text: str, prompt: str) -> None:
    """Masks, templates, words and documented examples are no keys."""
    assert findings(prompt.format(text)) == []


@pytest.mark.parametrize("text", DOUBTFUL)
def test_what_may_be_a_key_is_a_warning(text: str) -> None:
    """A weak password, a key that counts upward and a bare hash are told and not refused."""
    assert [finding.is_certain for finding in findings(text)] == [False]
