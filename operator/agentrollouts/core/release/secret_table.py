"""The table of keys that begin with a prefix: whose they are, how they begin, and what follows.

Prefixes and lengths are those of the vendors' documentation and of public secret scanners, as of 2026; a
length is a range, since vendors lengthen keys without notice. Add a vendor by adding a row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

ALNUM: Final = "[A-Za-z0-9]"
BASE64: Final = "[A-Za-z0-9+/=_-]"
DOTTED: Final = "[A-Za-z0-9_.=-]"
HEX: Final = "[0-9a-fA-F]"
SMALL: Final = "[a-z0-9]"
UPPER: Final = "[A-Z0-9]"
UPPER_DASH: Final = "[A-Z0-9-]"
UUID: Final = "[0-9a-fA-F-]"
WORD: Final = "[A-Za-z0-9_-]"


class Form(NamedTuple):
    """A row of the table."""

    kind: str
    """What people call it, with its article."""
    prefixes: str
    """How it can begin, separated by spaces."""
    alphabet: str
    """What follows, as a class of characters."""
    least: int
    """Number of characters after the prefix, at least."""
    most: int
    is_short: bool = False
    """Whether the prefix is so short that names begin with it too; then the rest must look random."""


_PROVIDER: Final = "a model provider's key"
_VECTOR: Final = "a vector store's or database's key"
_TRACES: Final = "an observability key"
_CHAT: Final = "a chat or mail service's key"
_CLOUD: Final = "a cloud provider's key"
_BUILD: Final = "a developer service's key"
_SHOP: Final = "a payment or shop service's key"
_SLACK: Final = "a Slack token"

TABLE: Final[tuple[Form, ...]] = (
    # Models, tools for agents, and search.
    Form(_PROVIDER, "sk-ant- sk-proj- sk-or- sk-svcacct- sk-admin- sk-service- sk-None-", WORD, 20, 400),
    Form(_PROVIDER, "sk-lf- sk-helicone- sk-kimi- sk-cp- sk-sp- sk-litellm- sk-bf-", WORD, 20, 200),
    Form(_PROVIDER, "sk-", ALNUM, 32, 128),
    Form(_PROVIDER, "sk-", WORD, 20, 31, is_short=True),
    Form(_PROVIDER, "gsk_", ALNUM, 40, 60),
    Form(_PROVIDER, "xai-", WORD, 60, 100),
    Form(_PROVIDER, "pplx-", ALNUM, 32, 64),
    Form(_PROVIDER, "r8_", WORD, 36, 40),
    Form(_PROVIDER, "csk-", ALNUM, 40, 64),
    Form(_PROVIDER, "fw_ fpk_", ALNUM, 20, 48, is_short=True),
    Form(_PROVIDER, "tgp_v1_", WORD, 40, 64),
    Form(_PROVIDER, "nvapi-", WORD, 60, 80),
    Form(_PROVIDER, "pa- al-", WORD, 40, 50, is_short=True),
    Form(_PROVIDER, "AQ.Ab", WORD, 30, 120),
    Form(_PROVIDER, "jina_", WORD, 50, 80),
    Form(_PROVIDER, "tvly-", WORD, 20, 80),
    Form(_PROVIDER, "fc-", HEX, 32, 32),
    Form(_PROVIDER, "BSA", WORD, 24, 36, is_short=True),
    Form(_PROVIDER, "rpa_ rps_", ALNUM, 30, 64),
    Form(_PROVIDER, "e2b_", HEX, 40, 64),
    Form(_PROVIDER, "llx-", WORD, 40, 64),
    Form(_PROVIDER, "sk_car_ sk_V2_ sk_us_ sk_eu_ sk_in_", WORD, 20, 120),
    Form(_PROVIDER, "sk_", HEX, 40, 64),
    Form(_PROVIDER, "key_ user_ak_", HEX, 24, 64, is_short=True),
    Form(_PROVIDER, "ak- as-", ALNUM, 22, 22, is_short=True),
    Form(_PROVIDER, "bb_live_ bb_test_", WORD, 20, 80),
    Form(_PROVIDER, "dtn_", HEX, 48, 80),
    Form(_PROVIDER, "m0- z_1", DOTTED, 36, 300, is_short=True),
    Form(_PROVIDER, "crsr_ ydc-sk- sgai-", WORD, 36, 90),
    Form(_PROVIDER, "cpk_", DOTTED, 60, 110),
    Form(_PROVIDER, "bu_ zut_ zwt_ zqt_", WORD, 34, 43, is_short=True),
    Form(_PROVIDER, "apify_api_", ALNUM, 30, 64),
    Form(_PROVIDER, "ABSK", BASE64, 90, 300),
    Form(_PROVIDER, "bedrock-api-key-", BASE64, 40, 4000),
    Form(_PROVIDER, "bce-v3/ALTAK-", "[A-Za-z0-9/]", 40, 80),
    Form("a Hugging Face token", "hf_ api_org_", ALNUM, 30, 40),
    # Vector stores and databases.
    Form(_VECTOR, "pcsk_", WORD, 50, 90),
    Form(_VECTOR, "ck-", ALNUM, 40, 50, is_short=True),
    Form(_VECTOR, "tpuf_ zilliz_", ALNUM, 28, 64),
    Form(_VECTOR, "mdb_sa_sk_", WORD, 30, 80),
    Form(_VECTOR, "essu_", BASE64, 40, 200),
    Form(_VECTOR, "napi_", SMALL, 40, 80),
    Form(_VECTOR, "npg_", ALNUM, 10, 24),
    Form(_VECTOR, "sbp_ sbp_v0_ sbp_oauth_", HEX, 40, 64),
    Form(_VECTOR, "sb_secret_", WORD, 20, 64),
    Form(_VECTOR, "pscale_tkn_ pscale_pw_ pscale_oauth_ pscale_app_secret_", DOTTED, 30, 64),
    Form(_VECTOR, "dapi", HEX, 32, 36),
    Form(_VECTOR, "4b1d", ALNUM, 38, 38),
    Form(_VECTOR, "AstraCS:", "[A-Za-z0-9:]", 80, 100),
    Form(_VECTOR, "CCDB1_", WORD, 60, 70),
    Form(_VECTOR, "standard_", HEX, 128, 256),
    # Logs, metrics, traces, and evaluation.
    Form(_TRACES, "lsv2_pt_ lsv2_sk_ ls__", WORD, 32, 64),
    Form(_TRACES, "glsa_", WORD, 40, 44),
    Form(_TRACES, "glc_ eyJrIjoi", BASE64, 32, 400),
    Form(_TRACES, "sntryu_ sntrya_ sntryi_", HEX, 64, 64),
    Form(_TRACES, "sntrys_", BASE64, 60, 400),
    Form(_TRACES, "NRAK- NRRA-", ALNUM, 24, 44),
    Form(_TRACES, "NRII- NRIQ- NRSP-", WORD, 24, 44),
    Form(_TRACES, "NRBR- NRJS-", HEX, 19, 19),
    Form(_TRACES, "dt0c01. dt0s01. dt0s02. dt0s03. dt0s06. dt0s08. dt0s16.", "[A-Z0-9.]", 80, 100),
    Form(_TRACES, "hcaik_ hcbik_ hccik_ hcdik_ hcxik_ hcxlk_ hcamk_ hcxmk_", SMALL, 50, 70),
    Form(_TRACES, "pylf_v1_ pylf_v2_", WORD, 36, 80),
    Form(_TRACES, "phx_ phs_", WORD, 40, 60),
    Form(_TRACES, "xaat- xapt-", UUID, 36, 36),
    Form(_TRACES, "wandb_v1_ wandb_v2_", WORD, 40, 120),
    Form(_TRACES, "ddpat_ ddsat_ ddapp_", WORD, 24, 80),
    Form(_TRACES, "cx_ cxtp_ cxup_", ALNUM, 30, 40, is_short=True),
    Form(_TRACES, "sdk- api-", UUID, 36, 36, is_short=True),
    Form(_TRACES, "secret- client-", ALNUM, 40, 64, is_short=True),
    Form(_TRACES, "rootly_", HEX, 64, 64),
    Form(_TRACES, "cu_", HEX, 32, 32),
    # Chat and mail.
    Form(
        _SLACK,
        "xoxa- xoxb- xoxe- xoxe.xoxp-1- xoxe.xoxb-1- xoxo- xoxp- xoxr- xoxs- xoxc- xoxd-",
        WORD,
        10,
        400,
    ),
    Form(_SLACK, "xapp- xwfp-", WORD, 12, 200),
    Form("a SendGrid key", "SG.", "[A-Za-z0-9_.-]", 23, 84),
    Form("a Twilio key", "SK", HEX, 32, 32),
    Form(_CHAT, "key-", HEX, 32, 32),
    Form(_CHAT, "xkeysib- xsmtpsib-", "[A-Za-z0-9-]", 60, 100),
    Form(_CHAT, "re_", WORD, 24, 48, is_short=True),
    Form(_CHAT, "dG9rO", BASE64, 40, 90),
    Form(_CHAT, "EAA", ALNUM, 80, 300, is_short=True),
    Form(_CHAT, "pk_", HEX, 34, 34),
    Form(_CHAT, "vk1.a.", WORD, 80, 300),
    Form(_CHAT, "pat-na1- pat-na2- pat-eu1- pat-ap1-", UUID, 36, 36),
    # Clouds and hosting.
    Form("an AWS access key", "AKIA ASIA ABIA ACCA", UPPER, 16, 16),
    Form("an AWS session token", "IQoJb3JpZ2lu FwoGZXIvYXdz FQoGZXIvYXdz", BASE64, 100, 4000),
    Form("a Google API key", "AIza", WORD, 35, 35),
    Form("a Google OAuth token", "ya29. GOCSPX- 1//0", WORD, 20, 2000),
    Form(_CLOUD, "LTAI AKID AKLT", ALNUM, 12, 60, is_short=True),
    Form(_CLOUD, "cfut_ cfat_ cfk_", ALNUM, 40, 64),
    Form(_CLOUD, "v1.0-", "[0-9a-f-]", 140, 190),
    Form(_CLOUD, "fm1r_ fm1a_ fm2_ fo1_", "[A-Za-z0-9+/=,_-]", 40, 900),
    Form(_CLOUD, "HRKU-", WORD, 36, 80),
    Form(_CLOUD, "vcp_ vck_ vca_ vci_ vcr_ vercel_blob_rw_", WORD, 24, 80),
    Form(_CLOUD, "nfp_ nfc_ nfo_ nfu_ nfb_", ALNUM, 32, 48),
    Form(_CLOUD, "rnd_", ALNUM, 28, 40),
    Form(_CLOUD, "AQVN", WORD, 34, 44),
    Form(_CLOUD, "y0_ y1_ y2_ y3_", WORD, 36, 130, is_short=True),
    Form(_CLOUD, "ApiKey-", UUID, 36, 36),
    Form(_CLOUD, "sha256~", WORD, 43, 43),
    Form(_CLOUD, "ddp_ ddw_", ALNUM, 36, 36),
    Form(_CLOUD, "akab-", "[a-z0-9-]", 33, 33),
    Form(_CLOUD, "K001 K002 K003 K004 K005", "[A-Za-z0-9+/]", 27, 27, is_short=True),
    Form(_CLOUD, "tskey-auth- tskey-api- tskey-client- tskey-scim- tskey-webhook- tskey-", WORD, 20, 90),
    Form("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", HEX, 64, 64),
    # Code, builds, packages, and secrets.
    Form("a GitHub token", "ghp_ gho_ ghs_ ghu_ ghr_", ALNUM, 36, 255),
    Form("a GitHub token", "ghs_ ghu_", DOTTED, 100, 1500),
    Form("a GitHub token", "github_pat_", WORD, 22, 90),
    Form(
        "a GitLab token",
        "glpat- gldt- glptt- glrt- glrtr- glcbt- glft- glffct- glimt- glagent- gloas- glsoat- GR1348941",
        DOTTED,
        20,
        320,
    ),
    Form("a Vault token", "hvs. hvb. hvr.", WORD, 24, 300),
    Form("an npm token", "npm_", ALNUM, 36, 36),
    Form("a PyPI token", "pypi-", WORD, 32, 400),
    Form(_BUILD, "ATATT3 ATCTT3 ATSTT3", BASE64, 40, 300),
    Form(_BUILD, "ATTA", ALNUM, 72, 72),
    Form(_BUILD, "ATBB", ALNUM, 32, 32),
    Form(_BUILD, "bkua_ bkaj_ bkct_", ALNUM, 40, 64),
    Form(_BUILD, "CCIPAT_ CCIPRJ_", WORD, 50, 80),
    Form(_BUILD, "dckr_pat_ dckr_oat_", WORD, 24, 40),
    Form(_BUILD, "rubygems_", HEX, 48, 48),
    Form(_BUILD, "oy2", SMALL, 43, 43, is_short=True),
    Form(_BUILD, "cio", ALNUM, 32, 32, is_short=True),
    Form(_BUILD, "CLOJARS_", HEX, 60, 60),
    Form(_BUILD, "AKCp", ALNUM, 60, 80),
    Form(_BUILD, "cmVmd", ALNUM, 56, 64),
    Form(_BUILD, "pul-", HEX, 40, 40),
    Form(_BUILD, "dp.pt. dp.ct. dp.sa. dp.scim. dp.audit. dp.st.", DOTTED, 40, 90),
    Form(_BUILD, "ops_eyJ", BASE64, 200, 4000),
    Form(_BUILD, "A3-", UPPER_DASH, 30, 40, is_short=True),
    Form(_BUILD, "AGE-SECRET-KEY-1", UPPER, 58, 58),
    Form(_BUILD, "PMAK-", "[0-9a-f-]", 50, 64),
    Form(_BUILD, "figd_ figp_ figu_ figo_", WORD, 36, 64),
    Form(_BUILD, "ntn_ secret_", ALNUM, 40, 52, is_short=True),
    Form(_BUILD, "lin_api_ lin_oauth_ lin_wh_", ALNUM, 32, 64),
    Form(_BUILD, "pat", "[A-Za-z0-9.]", 79, 79, is_short=True),
    Form(_BUILD, "pnu_ pnb_", ALNUM, 36, 36),
    Form(_BUILD, "sgp_", WORD, 40, 64),
    Form(_BUILD, "sqp_ squ_ sqa_ sqb_ sqco_", ALNUM, 40, 64),
    Form(_BUILD, "snyk_uat. snyk_sat.", DOTTED, 32, 300),
    Form(_BUILD, "dbtc_ dbtu_ dbts_", WORD, 30, 64),
    Form(_BUILD, "CFPAT-", WORD, 40, 50),
    Form(_BUILD, "sk.eyJ p.eyJ", DOTTED, 60, 260),
    Form(_BUILD, "sk", ALNUM, 170, 190, is_short=True),
    Form(_BUILD, "pk_", "[A-Z0-9_]", 38, 44),
    Form(_BUILD, "sl.", DOTTED, 130, 1500, is_short=True),
    Form(_BUILD, "packagist_ort_ packagist_out_ packagist_uut_", HEX, 68, 68),
    Form(_BUILD, "tfp_", WORD, 40, 70),
    Form(_BUILD, "fio-u-", WORD, 60, 70),
    Form(_BUILD, "rdme_", ALNUM, 60, 80),
    Form(_BUILD, "API-", UPPER, 26, 32, is_short=True),
    Form(_BUILD, "p8e-", ALNUM, 32, 32, is_short=True),
    Form(_BUILD, "ico-", ALNUM, 32, 32, is_short=True),
    Form(_BUILD, "cal_live_ cal_test_ cal_", HEX, 32, 32),
    Form(_BUILD, "pat. sat.", DOTTED, 60, 90, is_short=True),
    # Payments and shops.
    Form("a Stripe key", "sk_live_ rk_live_ sk_test_ rk_test_ sk_prod_ rk_prod_", WORD, 16, 250),
    Form("a Stripe key", "whsec_", BASE64, 16, 120),
    Form(_SHOP, "shpat_ shpca_ shppa_ shpss_ shpua_", HEX, 32, 32),
    Form(_SHOP, "sq0atp- sq0csp- sandbox-sq0atb- sandbox-sq0csb-", WORD, 22, 80),
    Form(_SHOP, "EAAA", WORD, 22, 80, is_short=True),
    Form(_SHOP, "access_token$production$", SMALL, 16, 16),
    Form(_SHOP, "EZAK EZTK", ALNUM, 50, 60, is_short=True),
    Form(_SHOP, "shippo_live_ shippo_test_", HEX, 40, 40),
    Form(_SHOP, "duffel_live_ duffel_test_", BASE64, 40, 50),
    Form(_SHOP, "rzp_live_ rzp_test_", ALNUM, 14, 24),
    Form(_SHOP, "FLWSECK-", "[A-Za-z0-9-]", 20, 60, is_short=True),
    Form(_SHOP, "FLWSECK_TEST-", "[A-Za-z0-9-]", 12, 60),
    Form(_SHOP, "sec-c-", "[A-Za-z0-9=-]", 36, 64),
    Form(_SHOP, "pdl_live_apikey_ pdl_sdbx_apikey_ polar_oat_", WORD, 36, 80),
    Form(_SHOP, "access-production- access-sandbox- access-development-", UUID, 36, 36),
)
"""In any order: a text is searched for every prefix."""

_BEGINNING: Final = re.compile(r"(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-Fa-f]{2}))[A-Za-z0-9]")
"""The beginning of a word, also after a character as a URL encodes it."""


class Prefixed(NamedTuple):
    """A text in the form of a row."""

    form: Form
    secret: str
    """What follows the prefix."""


def prefixed(text: str) -> Iterator[Prefixed]:
    """All keys of the table in a text.

    Time: one step for each word, and as many as the rows allow for each word that begins like a prefix.
    """
    for begins in _BEGINNING.finditer(text):
        start = begins.start()
        for form, prefix, rest in _SEARCHES.get(text[start : start + 2], ()):
            if text.startswith(prefix, start) and (match := rest.match(text, start + len(prefix))):
                yield Prefixed(form, match[0])


def _searches() -> Mapping[str, Sequence[tuple[Form, str, re.Pattern[str]]]]:
    """For the first two characters of a prefix, the rows that begin with them."""
    searches: dict[str, list[tuple[Form, str, re.Pattern[str]]]] = {}
    for form in TABLE:
        # Possessive, so that a longer text is given up at once and not tried at each shorter length.
        rest = re.compile(f"{form.alphabet}{{{form.least},{form.most}}}+(?![A-Za-z0-9])")
        for prefix in form.prefixes.split():
            searches.setdefault(prefix[:2], []).append((form, prefix, rest))
    return searches


_SEARCHES: Final = _searches()
