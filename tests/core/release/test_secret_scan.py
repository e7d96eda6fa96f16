import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.release.secret_scan import Suspicion, find_credentials

# Made up, in the form of the real thing; joined here so that no scanner takes this file for a leak.
KNOWN = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n",
    "an AWS access key": "key AKIA" + "Q3EGRXZ7MVLT5WNB, rotate it",
    "a Google API key": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "a Google OAuth token": "ya29." + "a0AfH6SMBx1234567890",
    "an Azure storage key": "AccountName=x;AccountKey=" + "a1B2" * 10 + "==",
    "a GitHub token": "ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8",
    "a GitLab token": "glpat-" + "a1B2c3D4e5f6G7h8i9J0",
    "a Slack token": "xoxb-" + "123456789012-abc",
    "a Stripe key": "sk_live_" + "a1B2c3D4e5f6G7h8",
    "a model provider's key": "OPENAI: sk-proj-" + "a1B2c3D4e5f6G7h8i9J0",
    "a Hugging Face token": "hf_" + "aBcDeFgHiJ" * 3,
    "a SendGrid key": "SG." + "a1B2c3D4e5f6G7h8i9J0kL." + "x",
    "a Vault token": "hvs." + "a1B2c3D4e5f6G7h8i9J0kLmN",
    "an npm token": "npm_" + "a1B2c3D4e5f6" * 3,
    "a PyPI token": "pypi-" + "AgEIcHlwaS5vcmcCJ" * 2,
    "a JSON web token": "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0In0" + ".c2lnbg",
    "a password in a URL": "postgres://bot:" + "s3cret" + "@db.support:5432/orders",
}
RANDOM = "q7Zp1Xv9Kd3Lw8Rb5Tn2"
PEM = "-----BEGIN PRIVATE" + " KEY-----\n"


@pytest.mark.parametrize(("kind", "text"), KNOWN.items())
def test_known_forms_are_found_wherever_they_stand(kind: str, text: str) -> None:
    """A text in the form of a known key is found under any name, with its kind and its path."""
    suspicions = list(find_credentials({"notes": ["fine", {"remark": f"see: {text}"}]}, "spec"))

    assert suspicions == [Suspicion("spec.notes[1].remark", kind)]


@pytest.mark.parametrize(
    "name", ["token", "apiKey", "API_KEY", "dbPassword", "client_secret", "signingKey2", "pwd"]
)
def test_random_value_under_a_name_that_promises_a_secret(name: str) -> None:
    """A value that looks random is a finding under a name that promises a secret, in every spelling."""
    expected = [] if name == "signingKeys2" else [Suspicion(f"c.{name}", f"a secret, by the name {name}")]

    assert list(find_credentials({name: RANDOM}, "c")) == expected


@pytest.mark.parametrize(
    "content",
    [
        {"maxTokens": 1200, "tokenizer": "cl100k_base_v2_2024_01x9"},
        {"secretName": RANDOM, "tokenUrl": RANDOM},
        {"token": "support-agent-session-token-v2"},
        {"token": "${SUPPORT_AGENT_TOKEN_2}", "password": "{{ vault.db1.password }}"},
        {
            "apiKey": {
                "type": "string",
                "description": "The key of the shop, from its console",
                "pattern": "^[a-f0-9]{32}$",
            }
        },
        {"system": "Never tell a password. Ask for the token: the customer finds it in the mail."},
        {"uri": "s3://kb/2026-11-01", "endpoint": "https://models.example.com:8443/v1@latest"},
        {"dsn": "postgres://bot:${DB_PASSWORD}@db.support:5432/orders"},
        {"digest": "sha256:" + "9f2c1ab4" * 8},
        {"password": "a1" * 12},
        {"checkout": "pk_live_" + "a1B2c3D4e5f6G7h8" * 2},
        {"rows": [["cache key", RANDOM], ["sort key is", RANDOM]]},
        {"note": f"The cache key is {RANDOM}, and the row key: {RANDOM}"},
    ],
)
def test_what_is_no_credential_passes(content: object) -> None:
    """Limits, names of secrets, placeholders, tool schemas, prose and digests are no credentials."""
    assert list(find_credentials(content, "c")) == []


@pytest.mark.parametrize(
    "text",
    [
        f"retries: 3\npassword: {RANDOM}\n",
        f'{{"api_key": "{RANDOM}"}}',
        f"curl -H 'Authorization: Bearer {RANDOM}' https://models.example.com",
        f"export SHOP_TOKEN={RANDOM}",
        f"Use the API key: {RANDOM}",
        f"- **Secret key:** `{RANDOM}`",
        f"The client secret is {RANDOM}, keep it",
        f"| API_KEY | {RANDOM} |",
        f"<apiKey>{RANDOM}</apiKey>",
        f"api_key -> {RANDOM}",
    ],
)
def test_secret_that_is_assigned_inside_a_text_is_found(text: str) -> None:
    """A file or a prompt that assigns a secret is found, as the content of a ConfigMap is one text."""
    suspicions = list(find_credentials({"settings.yaml": text}, "c"))

    assert suspicions == [Suspicion('c["settings.yaml"]', "a text that contains a secret")]


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"properties": {"api_key": {"type": "string", "default": RANDOM}}}, "properties.api_key.default"),
        ({"properties": {"token": {"enum": ["none", RANDOM]}}}, "properties.token.enum[1]"),
        ({"properties": {"clientSecret": {"examples": [RANDOM]}}}, "properties.clientSecret.examples[0]"),
        ({"headers": [["Accept", "*/*"], ["X-Api-Key", RANDOM]]}, "headers[1][1]"),
        ({"inputs": [{"id": "SHOP_TOKEN", "default": RANDOM}]}, "inputs[0].default"),
        ({"env": [{"title": "API key", "content": RANDOM}]}, "env[0].content"),
    ],
)
def test_a_secret_is_found_by_the_name_that_its_value_belongs_to(content: object, path: str) -> None:
    """The property of a schema, the first text of a pair, or the name beside it."""
    assert [each.path for each in find_credentials(content, "c") if each.is_certain] == [f"c.{path}"]


def test_no_text_beside_a_secret_is_taken_for_its_name() -> None:
    """A finding repeats the name, and what is not one could be a secret itself."""
    pairs = [["token=" + "s3cret-abc", RANDOM], ["a token " * 20, RANDOM]]
    found = list(find_credentials({"rows": pairs, "env": [{"name": pairs[0][0], "value": RANDOM}]}, "c"))
    assert "s3cret" not in repr(found)
    assert "a token a token" not in repr(found)


def test_credential_used_as_a_key_is_found_and_not_told() -> None:
    """Where the name of a field is the credential, the path stops above it."""
    suspicions = list(find_credentials({"limits": {"AKIA" + "Q3EGRXZ7MVLT5WNB": {"rate": 5}}}, "c"))

    assert suspicions == [Suspicion("c", "an AWS access key")]


@given(
    value=st.text(string.ascii_letters + string.digits, min_size=16, max_size=64),
    kind=st.sampled_from(["password", "notes"]),
    credential=st.sampled_from(sorted(KNOWN.values())),
)
def test_findings_never_tell_the_value(value: str, kind: str, credential: str) -> None:
    """Whatever is found, the finding holds no part of the value that could be used."""
    secret = f"{credential} {value}"
    report = repr(list(find_credentials({kind: secret}, "c")))

    assert secret not in report
    assert value not in report


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    [
        "eyJ",
        "-eyJa",
        "token=",
        "a",
        "://a:",
        "password: ",
        "-----BEGIN ",
        "A1",
        "bearer ",
        "server=a;pwd=;",
        "curl ",
        " sk-aaaaaaaaaaaa",
        "acme_live_",
        "name: token value: ",
        "--token ",
        "api key is ",
        "| private api key** ",
        "aGVsbG8gd29ybGQgaGVsbG8=\n",
        "Private-Lines: ",
        "%41 ",
        "%41",
        "login a password ",
        "docker login ",
        "mysql -",
        "://aaaaaaaaaaaaaaaaaaaa",
        "?key=",
        "aaaaaaaaaaaaaaaaaaaa aaaa ",
        PEM,
    ],
)
def test_time_is_linear_in_the_text(unit: str) -> None:
    """The largest text of a bundle, made of what suits the patterns worst, is searched in moderate time."""
    text = unit * (900 * 1024 // len(unit))

    assert list(find_credentials({"password": text}, "c")) == []
