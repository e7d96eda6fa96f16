"""Input: keys of the formats of 2026, made by chance, and texts that look like keys. Output: the finding.

Of the formats at least 95% are found, and no harmless text is refused. The formats are those of public
documentation, written beside the table under test, so unknown formats are found less often. Nothing in this
file is a real key.
"""

import base64
import random
import re
import string
import uuid
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import pytest

from agentrollouts.core.release.placeholders import Likeness
from agentrollouts.core.release.secret_scan import find_credentials, scan

CLASSES: Final = {
    "A": string.ascii_letters + string.digits,
    "B": string.ascii_letters + string.digits + "+/",
    "D": string.digits,
    "H": "0123456789abcdef",
    "L": string.ascii_lowercase + string.digits,
    "T": string.ascii_letters,
    "U": string.ascii_uppercase + string.digits,
    "V": string.ascii_uppercase + "234567",
    "W": string.ascii_letters + string.digits + "-_",
}
TEMPLATE: Final = re.compile(r"\{([A-Z])(\d+)\}|\{uuid\}")


def made(template: str, seed: int) -> str:
    """A key: `{A40}` stands for 40 random letters and digits, `{uuid}` for a random UUID."""
    chance = random.Random(seed)

    def part(match: re.Match[str]) -> str:
        if match[1] is None:
            return str(uuid.UUID(int=chance.getrandbits(128), version=4))
        return "".join(chance.choices(CLASSES[match[1]], k=int(match[2])))

    return TEMPLATE.sub(part, template)


FORMATS: Final = {
    # Models and what agents call.
    "OpenAI": "sk-{A20}T3BlbkFJ{A20}",
    "OpenAI project": "sk-proj-{W74}T3BlbkFJ{W74}",
    "OpenAI service account": "sk-svcacct-{W74}T3BlbkFJ{W74}",
    "OpenAI admin": "sk-admin-{W58}T3BlbkFJ{W58}",
    "Anthropic": "sk-ant-api03-{W93}AA",
    "Anthropic admin": "sk-ant-admin01-{W93}AA",
    "Anthropic OAuth": "sk-ant-oat01-{W93}AA",
    "Google Gemini": "AIzaSy{W33}",
    "Google Gemini, new": "AQ.Ab8RN6{W44}",
    "Mistral": "MISTRAL_API_KEY={A32}",
    "Cohere": "COHERE_API_KEY={A40}",
    "AI21": 'AI21_API_KEY="{A32}"',
    "Groq": "gsk_{A52}",
    "xAI": "xai-{A80}",
    "Perplexity": "pplx-{A48}",
    "DeepSeek": "sk-{H32}",
    "OpenRouter": "sk-or-v1-{H64}",
    "LiteLLM": "sk-{W22}",
    "Cerebras": "csk-{L48}",
    "Fireworks": "fw_{A24}",
    "Together": "tgp_v1_{W43}",
    "Replicate": "r8_{A37}",
    "NVIDIA": "nvapi-{W64}",
    "Hugging Face": "hf_{T34}",
    "Hugging Face organization": "api_org_{T34}",
    "Voyage": "pa-{W43}",
    "Jina": "jina_{H32}{W28}",
    "Bedrock": "ABSK{B128}==",
    "Bedrock, short": "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t{B120}",
    "Azure OpenAI": "{A52}JQQJ99{A10}ACYeBjFXJ3w3AAABACOG{A4}",
    "Azure OpenAI, header": "api-key: {H32}",
    "watsonx": "WATSONX_APIKEY: {W44}",
    "ElevenLabs": "sk_{H48}",
    "ElevenLabs, header": "xi-api-key: {H32}",
    "Deepgram": "DEEPGRAM_API_KEY={H40}",
    "AssemblyAI": "ASSEMBLYAI_API_KEY: {H32}",
    "Cartesia": "sk_car_{A22}",
    "Stability": "sk-{A48}",
    "Fal": "FAL_KEY={uuid}:{H32}",
    "RunPod": "rpa_{U46}",
    "Modal": "ak-{A22}",
    "E2B": "e2b_{H40}",
    "LlamaCloud": "llx-{A48}",
    "Tavily": "tvly-dev-{A32}",
    "Exa": "EXA_API_KEY={uuid}",
    "Firecrawl": "fc-{H32}",
    "Brave Search": "BSA{W28}",
    "SerpAPI": "SERPAPI_API_KEY={H64}",
    "Zhipu": "ZHIPUAI_API_KEY={H32}.{A16}",
    "Browserbase": "bb_live_{W27}",
    "Apify": "apify_api_{A36}",
    "Cursor": "crsr_{H64}",
    "Chutes": "cpk_{H32}.{H32}.{A32}",
    "You.com": "ydc-sk-{H16}-{A32}-{H8}",
    "ScrapeGraphAI": "sgai-{uuid}",
    "Browser Use": "bu_{W43}",
    "Vectara": "zqt_{W36}",
    "Fal, in a pair": "- name: FAL_KEY\n  value: {uuid}:{H32}\n",
    # Vector stores and databases.
    "Pinecone": "pcsk_{A6}_{A63}",
    "Pinecone, old": "PINECONE_API_KEY={uuid}",
    "Qdrant": "QDRANT__SERVICE__API_KEY={W43}",
    "Weaviate": "WEAVIATE_API_KEY: {A36}",
    "Chroma": "ck-{A44}",
    "Turbopuffer": "tpuf_{A32}",
    "Zilliz": "ZILLIZ_TOKEN={H96}{A30}",
    "MongoDB Atlas": "mdb_sa_sk_{W40}",
    "MongoDB": "mongodb+srv://agent:{A20}@cluster0.ab1cd.mongodb.net/",
    "PostgreSQL": "postgresql://agent:{A24}@db.internal:5432/shop",
    "Redis": "rediss://default:{A32}@cache.internal:6379",
    "Neon": "napi_{L64}",
    "Neon, password": "npg_{A12}",
    "Supabase": "sbp_{H40}",
    "Supabase secret": "sb_secret_{W22}_{A8}",
    "PlanetScale": "pscale_pw_{W43}",
    "Elastic": "Authorization: ApiKey {A60}",
    "Upstash": "UPSTASH_REDIS_REST_TOKEN={A56}",
    "Databricks": "dapi{H32}-2",
    "ClickHouse": "4b1d{A38}",
    "Astra DB": "AstraCS:{T24}:{H64}",
    "CockroachDB": "CCDB1_{A22}_{A40}",
    "Appwrite": "standard_{H256}",
    "SQL Server": "Server=db.internal;User Id=agent;Password={A16};",
    # Observability.
    "LangSmith": "lsv2_pt_{H32}_{H10}",
    "Langfuse": "sk-lf-{uuid}",
    "Helicone": "sk-helicone-{A7}-{A7}-{A7}-{A7}",
    "Datadog": "DD_API_KEY={H32}",
    "Datadog application": "DD_APP_KEY: {H40}",
    "New Relic": "NRAK-{U27}",
    "New Relic license": "{H32}FFFFNRAL",
    "Grafana": "glsa_{A32}_{H8}",
    "Grafana Cloud": "glc_eyJ{B100}",
    "Sentry": "sntryu_{H64}",
    "Honeycomb": "hcaik_{L58}",
    "Dynatrace": "dt0c01.{V24}.{V64}",
    "Logfire": "pylf_v1_us_{A44}",
    "PostHog": "phx_{A43}",
    "Axiom": "xaat-{uuid}",
    "Splunk HEC": "Authorization: Splunk {uuid}",
    "Weights & Biases": "WANDB_API_KEY={H40}",
    "LaunchDarkly": "sdk-{uuid}",
    "Rootly": "rootly_{H64}",
    "Checkly": "cu_{H32}",
    "PagerDuty": "Authorization: Token token={A20}",
    # Chat and mail.
    "Slack bot": "xoxb-{D12}-{D13}-{A24}",
    "Slack user": "xoxp-{D12}-{D12}-{D13}-{H32}",
    "Slack app": "xapp-1-A{U10}-{D13}-{H64}",
    "Slack workflow": "xwfp-{D12}-{D12}-{A24}",
    "Slack webhook": "https://hooks.slack.com/services/T{U10}/B{U10}/{A24}",
    "Discord bot": "MT{A22}.{W6}.{W38}",
    "Discord webhook": "https://discord.com/api/webhooks/{D19}/{W68}",
    "Telegram": "{D10}:AA{W33}",
    "Teams webhook": (
        "https://shop.webhook.office.com/webhookb2/{uuid}@{uuid}/IncomingWebhook/{H32}/{uuid}/V2{A40}"
    ),
    "Twilio": "SK{H32}",
    "Twilio token": "TWILIO_AUTH_TOKEN = '{A32}'",
    "SendGrid": "SG.{W22}.{W43}",
    "Mailgun": "key-{H32}",
    "Mailgun, new": "{H32}-{H8}-{H8}",
    "Mailchimp": "{H32}-us14",
    "Brevo": "xkeysib-{H64}-{A16}",
    "Resend": "re_{A8}_{A24}",
    "Postmark": "X-Postmark-Server-Token: {uuid}",
    "Intercom": "dG9rO{A55}=",
    "HubSpot": "pat-na1-{uuid}",
    "Klaviyo": "pk_{H34}",
    "VK": "vk1.a.{W198}",
    # Clouds and hosting.
    "AWS": "AKIA{V16}",
    "AWS session": "ASIA{V16}",
    "AWS session token": "IQoJb3JpZ2luX2VjE{B600}",
    "Akamai": "akab-{L16}-{L16}",
    "Backblaze": "K005{B27}",
    "AWS secret": "aws_secret_access_key = {B40}",
    "Google OAuth": "ya29.a0{W160}",
    "Google client secret": "GOCSPX-{W28}",
    "Azure AD": "{A3}8Q~{W34}",
    "Azure storage": "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={B86}==",
    "Azure SAS": "https://shop.blob.core.windows.net/kb?sv=2024-11-04&sp=r&sig={A43}%3D",
    "DigitalOcean": "dop_v1_{H64}",
    "Cloudflare": "CLOUDFLARE_API_TOKEN={W40}",
    "Cloudflare, new": "cfut_{A40}{H8}",
    "Fly": "FlyV1 fm2_{B300}",
    "Heroku": "HRKU-AA{W58}",
    "Vercel": "VERCEL_TOKEN={A24}",
    "Vercel, new": "vcp_{A56}",
    "Netlify": "nfp_{A36}",
    "Render": "rnd_{A28}",
    "Alibaba": "LTAI5t{A18}",
    "Tencent": "AKID{A32}",
    "IBM": "IBMCLOUD_API_KEY={W44}",
    "Yandex": "AQVN{W35}",
    "Tailscale": "tskey-auth-{A12}CNTRL-{A32}",
    "OpenShift": "sha256~{W43}",
    # Code, packages and secrets.
    "GitHub": "ghp_{A36}",
    "GitHub app": "ghs_{A36}",
    "GitHub app, stateless": "ghs_{D7}_eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJ{A180}.{W172}",
    "GitHub fine-grained": "github_pat_{A22}_{A59}",
    "GitLab": "glpat-{W20}",
    "GitLab runner": "glrt-{W20}",
    "Bitbucket": "ATBB{A32}",
    "Atlassian": "ATATT3xFfGF0{W174}={U8}",
    "Atlassian service account": "ATSTT3xFfGF0{W174}={U8}",
    "Trello": "ATTA{H64}{U8}",
    "Asana": "2/1{D15}/1{D15}:{H32}",
    "Bitwarden": "0.{uuid}.{A30}:{B22}==",
    "ClickUp": "pk_{D8}_{U32}",
    "Dropbox": "sl.u.AF{W900}",
    "Sanity": "sk{A178}",
    "Tinybird": "p.eyJ1IjogIj{A80}.{W43}",
    "Packagist": "packagist_ort_{H68}",
    "npm": "npm_{A36}",
    "PyPI": "pypi-AgEIcHlwaS5vcmc{W150}",
    "RubyGems": "rubygems_{H48}",
    "crates.io": "cio{A32}",
    "NuGet": "oy2{L43}",
    "Docker Hub": "dckr_pat_{W27}",
    "Artifactory": "AKCp{A69}",
    "Terraform Cloud": "{A14}.atlasv1.{W67}",
    "Pulumi": "pul-{H40}",
    "Vault": "hvs.{W90}",
    "Doppler": "dp.pt.{A43}",
    "1Password": "ops_eyJ{B300}",
    "age": "AGE-SECRET-KEY-1{V58}",
    "Buildkite": "bkua_{L40}",
    "CircleCI": "CCIPAT_{A22}_{H40}",
    "Postman": "PMAK-{H24}-{H34}",
    "Figma": "figd_{W40}",
    "Notion": "ntn_{D11}{A35}",
    "Linear": "lin_api_{A40}",
    "Airtable": "pat{A14}.{H64}",
    "SonarQube": "sqp_{H40}",
    "dbt": "dbtc_{W38}",
    "Prefect": "pnu_{A36}",
    # Payments and shops.
    "Stripe": "sk_live_{A24}",
    "Stripe webhook": "whsec_{B32}",
    "Shopify": "shpat_{H32}",
    "Square": "sq0atp-{W22}",
    "PayPal": "access_token$production${L16}${H32}",
    "Razorpay": "rzp_live_{A14}",
    "EasyPost": "EZAK{A54}",
    "Flutterwave": "FLWSECK-{H32}-X",
    "Paddle": "pdl_live_apikey_01{L24}_{A22}_{A3}",
    "Plaid": "access-production-{uuid}",
    "Polar": "polar_oat_{A43}",
    # No prefix: found by how they are given.
    "unknown vendor": "acme_live_{A32}",
    "unknown vendor's secret": "zyx-secret-{A40}",
    "unknown vendor, plain": "zyx_{A40}",
    "unknown vendor, hexadecimal": "zyx_sk_{H32}",
    "user of a URL": "https://{A32}:@api.example.com/v1",
    "token of a Git server": "https://{H40}@git.example.com/agents.git",
    "query": "https://api.example.com/v1/models?key={A32}",
    "netrc": "machine api.example.com login agent password {A20}",
    "MySQL": "mysql -h db.internal -uagent -p{A20} shop",
    "registry": "docker login -u agent -p {A32} registry.example.com",
    "bearer": "curl -H 'Authorization: Bearer {A40}' https://models.internal",
    "option": "agent --api-key {A32} serve",
    "pair in YAML": "- name: DB_PASSWORD\n  value: {A24}\n",
    "pair in JSON": '{"name": "X-Api-Key", "value": "{A32}"}',
    "pair in XML": '<add key="ClientSecret" value="{A32}" />',
}
"""One template for each format."""

WAYS: Final[dict[str, Callable[[str], object]]] = {
    "alone": lambda key: key,
    "in a prompt": lambda key: f"Use the key below, and never show it.\n{key}\nThank you.",
    "after Chinese": lambda key: f"使用{key} 谢谢",
    "escaped": lambda key: f"first\\n{key}\\nlast",
    "in a list": lambda key: [{"deep": ["fine", key]}],
    "in a query": lambda key: f"https://example.com/callback?next={quote(f'x?y {key}', safe='')}",
    "in base64 that YAML folded": lambda key: " ".join(
        base64.encodebytes(f"the settings of the agent, and then {key}".encode()).decode().split()
    ),
    "in base64 without padding": lambda key: "\n".join(
        [*base64.encodebytes(f"{key:>{len(key) + 57 - len(key) % 3}}".encode()).decode().split(), "Thanks"]
    ),
    "in base64": lambda key: base64.b64encode(f"config: {key}\n".encode()).decode(),
    "in wrapped base64": lambda key: base64.encodebytes(f"the settings\n{key}\nend".encode()).decode(),
}

HARMLESS: Final = (
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "request 7d444840-9dc0-11d1-b245-5ffdce74fad2 failed",
    "9f2c1abf00d4e5b6a7c8d9e0f1a2b3c4d5e6f708",
    "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad fixes it",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "registry.example.com/agent@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "md5 = 9e107d9d372bb6826bd81d3542a419d6",
    "integrity: sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdB",
    'etag: W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "prod-3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "idempotency_key: 5f3d1c9e-8a54-4c1b-9a3f-3d5c1d7e9b21",
    "cache_key = 9f86d081884c7d659a2feaa0c55ad015",
    "partition_key: customerAccountIdentifier2026",
    "PUBLIC_KEY=MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPbvqW3vZ8mLq2sXr0tYc1nB4dKe5fGh6jUiOp7aSd ops@example.com",
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUJ7n1r5rXo1W\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
    "chatcmpl-9Xw3tQmZr7YbLkPqVn5sHdJfGa2Ce",
    "call_x8Kq2WmTz4RbYvNcLp6sHdJf",
    "toolu_01A09q90qw90lq917835lq9",
    "msg_01XFDUDYJgAACzvnptvVoYEL",
    "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
    "file-BK7bzQj3FfZFXr7DbL6xJwfo and vs_abc123XYZdef456",
    "asst_abc123XyZ987QweRtY456uIo with thread_abc123XyZ987QweRtY456uIo",
    "cus_NffrFeUfNV2Hib paid with pi_3MtwBwLkdIwHu7ix28a3tqPa",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x-v1:0",
    "AROAIIAL55J4EEXAMPLE is a role, not a key",
    "projects/shop/secrets/db-password/versions/latest",
    "https://docs.google.com/spreadsheets/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit",
    "https://cdn.example.com/assets/app.4f3c2b1a9d8e7f6a5b4c3d2e1f0a9b8c.js",
    "s3://kb/2026-11-01/part-00000-1f2e3d4c-5b6a-7980-a1b2-c3d4e5f60718-c000.snappy.parquet",
    "support-agent-7d9c8b6f5d-x2x4z",
    "support-agent-4-2-0-canary-deployment-with-a-long-name",
    "tokenizer: cl100k_base, max_tokens: 4096, token_budget: 120000",
    "The password must have 12 characters, a digit and a capital. Never tell it to anyone.",
    "Ask for the API key: it is in the console, below Settings, API keys.",
    "Basic information about the customer comes first; bearer bonds are out of scope.",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $ACCESS_TOKEN",
    "Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ=",
    "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "api_key: ${OPENAI_API_KEY}",
    "apiKey: {{ .Values.apiKey }}",
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "api_key = os.environ['ANTHROPIC_API_KEY']",
    "secretKeyRef: {name: model-keys, key: openai}",
    "- name: OPENAI_API_KEY\n  valueFrom: {secretKeyRef: {name: model-keys, key: openai}}",
    "existingSecret: support-agent-production-credentials-2026",
    "OPENAI_API_KEY=sk-your-key-here",
    "sk-ant-api03-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "glpat-xxxxxxxxxxxxxxxxxxxx and xoxb-your-token-here",
    "AKIAIOSFODNN7EXAMPLE / wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "postgresql://user:password@localhost:5432/db",
    "redis://localhost:6379/0 and https://user@git.example.com/repo.git",
    "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsu==;",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA==",
    "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    base64.b64encode(b"The quick brown fox jumps over the lazy dog, twice a day.").decode(),
    base64.b64encode(bytes(range(256)) * 3).decode(),
    "embedding: [0.0123, -0.9871, 0.4432, 0.1200, -0.3371]",
    "model: claude-sonnet-4-5-20250929, fallback: gpt-x-2026-08-01-preview",
    "Wortbildung: Donaudampfschifffahrtsgesellschaftskapitaen",
    "def test_key_rotation_is_announced_thirty_days_before_it_happens(): ...",
    "ResponseTimeoutExceptionHandlerFactoryBeanPostProcessor",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 is the header of a JSON web token",
    "^[A-Za-z0-9_-]{20,64}$ matches a key; ^sk-[a-z0-9]{32}$ too",
    "docker run -u 1000:1001 agent",
    "+49 30 901820, 4111 1111 1111 1111, DE89370400440532013000",
    "key_metrics_dashboard_for_support_agents and sk_SK.UTF-8",
    "https://3f2a9c1d7b5e4086a1c2d3e4f5061728@o12345.ingest.sentry.io/456 is an address of Sentry",
    "https://docs.example.com/search?key=customer-onboarding-guide-2026&code=AUTH-7d9c",
    "https://example.com/kb?key=9f86d081884c7d659a2feaa0c55ad015",
    'echo "$PASSWORD" | docker login -u agent --password-stdin registry.example.com',
    "mysql -u root -p customers_of_the_shop; mysql -uroot -pPASSWORD shop; redis-cli -a $REDIS_PASSWORD ping",
    "machine api.example.com login agent password <password>",
    "Ask for the login name and password before anything else, then for login and password again.",
    "q=api%20key%20rotation%20policy%202026&state=%7B%22from%22%3A%22page%22%7D",
    "arn:aws:kms:eu-central-1:123456789012:key/0f3d1c9e-8a54-4c1b-9a3f-3d5c1d7e9b21",
    "registry.example.com/shop:client-3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "re_3f2504e0-4f89-41d3-9a0c-0305e82c3301 and pa-3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "live-3b18e512dba79e4c8300dd08aeb37f8e728b8dad and secret-3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "key: chatcmpl-9Xw3tQmZr7YbLkPqVn5sHdJfGa2Ce, conv_68af296e8e408191a1120ab6383263c2",
    "pk_live_51H8xTqLmN4vRbYcKzPwSdJf and pk_test_51H8xTqLmN4vRbYcKzPwSdJf are for web pages",
)
"""UUIDs, hashes, identifiers, templates, documented examples, images and sentences."""

SEEDS: Final = 20


def is_found(value: object) -> bool:
    """Whether anything is said of it."""
    return bool(list(find_credentials(value, "c")))


@pytest.mark.parametrize("way", WAYS)
def test_95_percent_of_the_formats_are_found(way: str) -> None:
    """Of twenty keys of each format, at least 95% of the formats have all found, wherever they are."""
    missed = [
        name
        for name, template in FORMATS.items()
        if not all(is_found(WAYS[way](made(template, seed))) for seed in range(SEEDS))
    ]

    assert len(FORMATS) >= 120
    assert len(missed) <= 0.05 * len(FORMATS), missed


def test_90_percent_of_the_formats_are_refused() -> None:
    """What is found is mostly refused, not only warned about."""
    doubted = [
        name
        for name, template in FORMATS.items()
        if not all(
            (scan(made(template, seed)) or ("", Likeness.PLACEHOLDER))[1] is Likeness.SECRET
            for seed in range(SEEDS)
        )
    ]

    assert len(doubted) <= 0.1 * len(FORMATS), doubted


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_is_not_refused(text: str) -> None:
    """Not even warned about, alone, in a sentence, under a name, or in base64."""
    hidden = base64.b64encode(text.encode()).decode()

    for value in (
        text,
        f"See {text}. Thanks!",
        {"notes": [text]},
        {"env": [{"name": "NOTE", "value": text}]},
        hidden,
    ):
        assert list(find_credentials(value, "c")) == []


def test_there_are_60_harmless_texts() -> None:
    """The list keeps its size."""
    assert len(set(HARMLESS)) >= 60


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encryptionKey", "arn:aws:kms:eu-central-1:123456789012:key/0f3d1c9e-8a54-4c1b-9a3f-3d5c1d7e9b21"),
        ("token", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("apiKey", "env:SHOP_4_API_KEY_2026_v2"),
        ("secret", "ref+awsssm://agents/shop/4e2b9c7d1a6f8035?region=eu-central-1"),
    ],
)
def test_a_reference_is_not_a_secret(name: str, value: str) -> None:
    """Under a name that promises a secret, a value can say where the secret is, or how it hashes."""
    assert list(find_credentials({name: value}, "c")) == []


def test_a_value_has_the_name_beside_it() -> None:
    """In an `env` list, the name beside a value tells what it is."""
    pairs = [
        {"name": "SHOP_TOKEN", "value": made("{A32}", 1)},
        {"name": "SHOP_REGION", "value": made("{A32}", 2)},
        {"key": "client_secret", "val": made("{A32}", 3)},
    ]

    assert [suspicion.path for suspicion in find_credentials(pairs, "c")] == ["c[0].value", "c[2].val"]


def basic(chance: random.Random, encode: bool = True) -> str:  # noqa: FBT001, FBT002
    """A user and a random password, as HTTP sends them."""
    pair = f"agent:{''.join(chance.choices(CLASSES['A'], k=14))}"
    return base64.b64encode(pair.encode()).decode() if encode else pair


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_user_and_a_password_are_found(seed: int) -> None:
    """In a header, in the configuration of a registry, as an option, and in the query of an address."""
    encoded = basic(random.Random(seed))
    plain = basic(random.Random(seed), encode=False)

    for value in (
        f"Authorization: Basic {encoded}",
        {"headers": {"Authorization": f"Basic {encoded}"}},
        f'{{"auths": {{"registry.example.com": {{"auth": "{encoded}"}}}}}}',
        {"auths": {"registry.example.com": {"auth": encoded}}},
        f"curl -s -u {plain} https://internal.example.com/",
        f"jdbc:postgresql://db.internal/shop?user=agent&password={plain.partition(':')[2]}",
        {"database": {"password": plain.partition(":")[2]}},
        made("PGPASSWORD={A32} psql", seed),
    ):
        assert is_found(value), value


@pytest.mark.parametrize("seed", range(SEEDS))
def test_private_keys_of_other_forms_are_found(seed: int) -> None:
    """Of PuTTY, and as a JSON web key."""
    putty = "PuTTY-User-Key-File-3: ssh-ed25519\nComment: me\nPrivate-Lines: 1\n{A48}\nPrivate-MAC: {H64}"

    assert is_found(made(putty.replace("\\n", "\n"), seed))
    assert is_found(made('{"kty": "OKP", "crv": "Ed25519", "x": "{W43}", "d": "{W43}"}', seed))


def test_a_long_key_is_not_repeated_in_every_path() -> None:
    """The paths of many fields below one long key stay short, so that time is linear in the content."""
    content = {"k" * 100_000: {f"f{number}": made("ghp_{A36}", number) for number in range(3)}}

    suspicions = list(find_credentials(content, "c"))

    assert len(suspicions) == 3
    assert all(len(each.path) < 300 for each in suspicions)
