from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import Requirement
from agentrollouts.core.release.bundle import Bundle, resolve
from agentrollouts.core.release.checks import ANNOTATION_ALLOW, MAX_VALUES, Refusal
from agentrollouts.core.release.content import MAX_DEPTH, ConfigMapData
from tests.core.release.releases import COMPONENTS, a_release, bundle_of, refusal_of, with_part

KEY = "q7Zp1Xv9Kd3Lw8Rb5Tn2"
PATH = "spec.components.config"


def nested(depth: int) -> Any:  # noqa: ANN401  any JSON
    """A value that lies so many levels deep."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (
            with_part("guardrails", configMapRef={"name": "rules"}),
            Refusal(
                Reason.REFERENCE_MISSING,
                "spec.components.guardrails.configMapRef",
                "spec.components.guardrails.configMapRef names ConfigMap rules, which is not in this"
                " namespace;"
                " create it",
            ),
        ),
        (
            with_part("knowledge", artifact={"uri": "s3://kb/2026-11-01"}),
            Refusal(
                Reason.ARTIFACT_WITHOUT_DIGEST,
                "spec.components.knowledge.artifact.digest",
                "spec.components.knowledge.artifact.digest is missing; give the sha256 digest of the"
                " content, so"
                " that it cannot change unseen",
            ),
        ),
        (
            with_part("tools", compatiblePrompt=">=3.0.0, <4.0.0"),
            Refusal(
                Reason.TOOLS_DO_NOT_FIT_PROMPT,
                "spec.components.tools.compatiblePrompt",
                "spec.components.tools.compatiblePrompt accepts >=3.0.0, <4.0.0, but"
                " spec.components.prompt.version is 1.0.0; change one of them",
            ),
        ),
        (
            with_part("tools", compatiblePrompt=">=1 || <2"),
            Refusal(
                Reason.INVALID_SPEC,
                "spec.components.tools.compatiblePrompt",
                "spec.components.tools.compatiblePrompt is not a version range; write it as >=3.0.0,<4.0.0",
            ),
        ),
        (
            with_part("tools", items=[{"name": "refund", "version": "1.0.0-rc..1"}]),
            Refusal(
                Reason.INVALID_SPEC,
                "spec.components.tools.items[0].version",
                "spec.components.tools.items[0].version is not a semantic version; write it as 4.2.0 or"
                " 4.2.0-rc.1",
            ),
        ),
        (
            with_part("config", inline={"limits": [1, 2**63]}),
            Refusal(
                Reason.INVALID_SPEC,
                f"{PATH}.inline.limits[1]",
                f"{PATH}.inline.limits[1] is an integer above 64 bits, which the API server has rounded;"
                " remove it, or write a number from -9223372036854775808 to 9223372036854775807",
            ),
        ),
        (
            with_part("config", inline={"a.b": "\ud800"}),
            Refusal(
                Reason.INVALID_SPEC,
                f'{PATH}.inline["a.b"]',
                f'{PATH}.inline["a.b"] has half of a surrogate pair, which is not Unicode text; remove it',
            ),
        ),
    ],
)
def test_refusal_names_the_field_and_what_to_do(components: dict[str, Any], expected: Refusal) -> None:
    """Each kind of mistake has its own reason, the path of the field, and a sentence with what to do."""
    assert refusal_of(a_release(components)) == expected


@pytest.mark.parametrize(
    "version_range", ["banana", ">=1 || <2", "1.x", "v1.0.0", ">=", "~*", "^*", "<=*", ">=1.0.0,"]
)
def test_a_range_of_another_agent_must_be_one(version_range: str) -> None:
    """A release that was stored under an older schema is refused by the field, though nothing enforces it."""
    release = a_release()
    spec = release.spec.replace(requires=(Requirement(agent="billing", versions=version_range),))

    assert refusal_of(release.replace(spec=spec)) == Refusal(
        Reason.INVALID_SPEC,
        "spec.requires[0].versions",
        "spec.requires[0].versions is not a version range; write it as >=3.0.0,<4.0.0",
    )


def test_binary_data_is_refused() -> None:
    """A ConfigMap with binary data is refused by the names of its keys, since a bundle is text."""
    release = a_release(with_part("guardrails", configMapRef={"name": "rules"}))
    path = "spec.components.guardrails.configMapRef"

    assert refusal_of(release, {"rules": ConfigMapData({"a": "text"}, ("logo.png",))}) == Refusal(
        Reason.INVALID_SPEC,
        path,
        f"{path} names ConfigMap rules with binaryData (logo.png); use an artifact for it",
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 2**63, -(2**63) - 1, 1e16, 10**400])
def test_number_that_json_cannot_keep_is_refused(number: float) -> None:
    """What is not finite or too large for every reader is refused, so that one value has one spelling."""
    assert refusal_of(a_release(with_part("config", inline={"n": number}))).reason == Reason.INVALID_SPEC


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53 - 1, 0, -0.0, 1e-300, True])
def test_number_that_json_keeps_is_taken(number: float) -> None:
    """The largest exact number, zeros and booleans are no mistake."""
    bundle_of(with_part("config", inline={"n": number}))


def test_nesting_has_a_limit() -> None:
    """Content may lie 64 levels deep; deeper content is refused, in a tool's schema too."""
    bundle_of(with_part("config", inline=nested(MAX_DEPTH)))
    tool = {"name": "refund", "version": "1.0.0", "schema": nested(900)}

    for components, path in (
        (with_part("config", inline=nested(MAX_DEPTH + 1)), f"{PATH}.inline{'.a' * MAX_DEPTH}"),
        (with_part("tools", items=[tool]), f"spec.components.tools.items[0].schema{'.a' * MAX_DEPTH}"),
    ):
        message = f"{path} is nested more than {MAX_DEPTH} levels deep; make it flatter"
        assert refusal_of(a_release(components)) == Refusal(Reason.INVALID_SPEC, path, message)


def test_long_path_is_cut_in_the_message() -> None:
    """A key of any length gives a path and a message that a condition can hold."""
    refusal = refusal_of(a_release(with_part("config", inline={"k" * 5000: float("nan")})))

    assert (refusal.path.startswith(f"{PATH}.inline"), len(refusal.path) < 300) == (True, True)
    assert len(refusal.message) < 400


@pytest.mark.parametrize("content", [{"apiKey": KEY}, {"notes.txt": f"token: {KEY}"}])
def test_credential_is_refused_and_not_told(content: dict[str, str]) -> None:
    """Content that looks like a credential is refused by its path; the value is in no part of the answer."""
    by_value = refusal_of(a_release(with_part("config", inline=content)))
    by_reference = refusal_of(
        a_release(with_part("config", configMapRef={"name": "c"})), {"c": ConfigMapData(content)}
    )

    assert (by_value.reason, by_reference.reason) == (Reason.LOOKS_LIKE_CREDENTIAL,) * 2
    assert KEY not in repr((by_value, by_reference))


def test_credential_message() -> None:
    """The message says what it looks like, where it should be, and how to declare that it is not one."""
    refusal = refusal_of(a_release(with_part("config", inline={"apiKey": KEY})))

    assert refusal.message == (
        f"{PATH}.inline.apiKey looks like a secret, by the name apiKey; many people can read a"
        " bundle, so keep"
        f" it in a Secret or, if it is not one, list the path in annotation {ANNOTATION_ALLOW}"
    )


def test_credential_in_a_tool_schema_and_in_a_plain_field() -> None:
    """Schemas of tools and bounded fields are looked at like content."""
    tool = {"name": "refund", "version": "1.0.0", "schema": {"default": {"token": KEY}}}
    in_schema = refusal_of(a_release(with_part("tools", items=[tool])))
    uri = "https://bot:" + "s3cret@kb.example/1"
    in_uri = refusal_of(a_release(with_part("memory", inline={}, snapshot={"uri": uri})))

    assert [in_schema.path, in_uri.path] == [
        "spec.components.tools.items[0].schema.default.token",
        "spec.components.memory.snapshot.uri",
    ]


def test_named_paths_may_look_like_credentials() -> None:
    """The annotation allows exactly the paths that it names."""
    content = {"apiKey": KEY, "token": KEY}
    allow = {"annotations": {ANNOTATION_ALLOW: f"{PATH}.inline.apiKey, spec.elsewhere"}}
    release = a_release(with_part("config", inline=content), metadata=allow)

    assert refusal_of(release).path == f"{PATH}.inline.token"

    allow = {"annotations": {ANNOTATION_ALLOW: f"{PATH}.inline.apiKey,{PATH}.inline.token"}}
    release = a_release(with_part("config", inline=content), metadata=allow)

    assert isinstance(resolve(release, {}), Bundle)


@pytest.mark.parametrize(
    ("prompt", "fits"), [("2.9.9", False), ("3.0.0", True), ("3.9.0", True), ("4.0.0", False)]
)
def test_range_of_the_prompt(prompt: str, *, fits: bool) -> None:
    """The tools fit a prompt exactly within their range, ends as written."""
    components = with_part("tools", compatiblePrompt=">=3.0.0,<4.0.0") | with_part("prompt", version=prompt)
    components["tools"] = {"version": "1.0.0", "compatiblePrompt": ">=3.0.0,<4.0.0"}

    assert isinstance(resolve(a_release(components), {}), Bundle) is fits


@given(
    name=st.sampled_from(["config", "routing", "permissions"]),
    content=st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
        ),
        max_size=4,
    ),
)
def test_every_content_gets_an_answer(name: str, content: dict[str, Any]) -> None:
    """Whatever JSON a person writes, the answer is a bundle or a refusal that can be sent as UTF-8."""
    answer = resolve(a_release(with_part(name, inline=content)), {})

    text = answer.text if isinstance(answer, Bundle) else answer.message
    assert text.encode()


def test_whole_release_has_nothing_wrong() -> None:
    """All ten components in their usual forms are accepted."""
    assert isinstance(resolve(a_release(COMPONENTS), {"support-guardrails": ConfigMapData({})}), Bundle)


def test_a_bundle_of_countless_values_is_refused_before_any_is_searched() -> None:
    """A list of ones is as large as a book and takes a thousand times as long."""
    refusal = Refusal(
        Reason.TOO_LARGE,
        "spec.components",
        "spec.components has more than 100,000 values; use an artifact for its largest part",
    )
    assert refusal_of(a_release(with_part("config", inline={"n": [1] * MAX_VALUES}))) == refusal
    assert bundle_of(with_part("config", inline={"n": [1] * 1000})).text
