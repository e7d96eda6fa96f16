import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.reasons import Reason
from agentrollouts.core.release.bundle import MAX_BYTES, is_bundle, read_bundle, references
from agentrollouts.core.release.canonical import canonical
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.content import ConfigMapData
from tests.core.release.releases import COMPONENTS, SMALL, a_release, bundle_of, refusal_of, with_part

GUARDRAILS = {"support-guardrails": ConfigMapData({"approvals.yaml": "refund: {upToUsd: 250}\n"})}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e15, 1e15, allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
CONTENT = st.dictionaries(st.text("abcdé😀.-", max_size=6), JSON, max_size=5)


def a_tool(**schema: object) -> dict[str, Any]:
    """A tool with this schema."""
    return {"name": "get_row", "version": "1.0.0", "schema": schema}


def shuffled(value: Any, order: Any) -> Any:  # noqa: ANN401  any JSON
    """The same JSON with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = order.draw(st.permutations(list(value)))
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def test_known_bundle_has_the_known_text() -> None:
    """The whole text of a bundle: fields of each component, content from both sources, defaults left out."""
    text = bundle_of(COMPONENTS, GUARDRAILS).text

    assert json.loads(text) == {
        "prompt": {"version": "3.1.0", "content": {"system": "Help with orders.", "examples": []}},
        "model": {
            "version": "2.0.0",
            "provider": "openai",
            "name": "gpt-x-2026-08-01",
            "releaseDate": "2026-08-01",
        },
        "config": {"version": "1.4.0", "content": {"temperature": 0.2, "maxTokens": 1200}},
        "tools": COMPONENTS["tools"],
        "permissions": {"version": "1.0.0", "content": {"scopes": ["orders.read", "refunds.write"]}},
        "knowledge": COMPONENTS["knowledge"],
        "memory": {
            "version": "1.0.0",
            "content": {"schema": 3},
            "snapshot": {"uri": "s3://mem/2026-11-20"},
        },
        "guardrails": {"version": "1.2.0", "content": {"approvals.yaml": "refund: {upToUsd: 250}\n"}},
        "routing": {"version": "1.0.0", "content": {}},
        "runtime": COMPONENTS["runtime"],
    }


def test_known_bundles_keep_their_digest_for_ever() -> None:
    """Digests are in history, labels and other people's records: these may never change."""
    assert bundle_of(SMALL).text == (
        '{"model":{"name":"gpt-x-2026-08-01","provider":"openai","version":"1.0.0"},'
        '"prompt":{"content":{"system":"Be kind."},"version":"1.0.0"}}'
    )
    assert (
        bundle_of(SMALL).digest == "sha256:391c0d796c6e74746145083f36128101a326edb0b17851fd8ea88bbc4f6f4b9c"
    )
    assert (
        bundle_of(COMPONENTS, GUARDRAILS).digest
        == "sha256:b47e0df33aac3ccc53ce019a7237403afdf5b06013b8d1ff4730c0f498f4a41d"
    )
    assert (
        bundle_of(COMPONENTS, GUARDRAILS).component_digests["tools"]
        == "sha256:11af6bd85eddd033832dcf64567e455326014766d308bee930b10945c33957c2"
    )


def test_numbers_and_texts_are_written_as_rfc_8785_does() -> None:
    """The examples of RFC 8785, section 3.2.2, as content, are written as the RFC writes them."""
    content = {
        "numbers": [333333333.33333329, 4.50, 2e-3, 1e-27, -0.0, 1.0],
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
        "\ufb33": "",
        "\U0001f600": "sorts before the last, as UTF-16 does",
    }

    assert bundle_of(with_part("config", inline=content)).text.startswith(
        '{"config":{"content":{"literals":[null,true,false],'
        '"numbers":[333333333.3333333,4.5,0.002,1e-27,0,1],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/",'
        '"\U0001f600":"sorts before the last, as UTF-16 does","\ufb33":""},"version":"1.0.0"},'
    )


@pytest.mark.parametrize(
    ("written", "as_kubectl_sends_it"),
    [
        ({"a": None}, {}),
        ({"a": {"b": None}}, {"a": {}}),
        ({"a": [None, {"b": None, "c": 1}]}, {"a": [None, {"c": 1}]}),
        ({"enum": [None, "x"], "default": None}, {"enum": [None, "x"]}),
        ({"x": {"default": None, "type": "string"}}, {"x": {"type": "string"}}),
    ],
)
def test_digest_does_not_depend_on_how_the_file_was_applied(
    written: dict[str, Any], as_kubectl_sends_it: dict[str, Any]
) -> None:
    """Client-side apply drops null fields at every depth and keeps nulls in lists: both have one digest."""
    tool = {"name": "find", "version": "1.0.0"}
    for components, expected in (
        (with_part("config", inline=written), with_part("config", inline=as_kubectl_sends_it)),
        (
            with_part("tools", items=[{**tool, "schema": written}]),
            with_part("tools", items=[{**tool, "schema": as_kubectl_sends_it}]),
        ),
        (
            with_part("runtime", image="i", inline=written),
            with_part("runtime", image="i", inline=as_kubectl_sends_it),
        ),
    ):
        assert bundle_of(components) == bundle_of(expected)


@pytest.mark.parametrize("number", [2**53, 2**53 + 1, 2**63 - 1, -(2**63), 1234567890123456789])
def test_integers_are_exact_to_64_bits(number: int) -> None:
    """The snapshot has each digit that the release has, and so has the digest."""
    bundle = bundle_of(with_part("tools", items=[a_tool(maximum=number)]))
    near = bundle_of(with_part("tools", items=[a_tool(maximum=number - (1 if number > 0 else -1))]))

    assert f'"maximum":{number}}}' in bundle.text
    assert read_bundle(bundle.text) == bundle
    assert bundle.digest != near.digest


@given(content=JSON)
def test_canonical_text_is_that_of_rfc_8785_within_its_numbers(content: Any) -> None:  # noqa: ANN401 any JSON
    """Where RFC 8785 has a text for a value, ours is the same, so that digests stay what they were."""
    try:
        expected = rfc8785.dumps(content)
    except rfc8785.IntegerDomainError:
        return
    assert canonical(content) == expected


def test_bundle_is_read_back() -> None:
    """A snapshot's text gives the whole bundle again, digests of components included."""
    bundle = bundle_of(COMPONENTS, GUARDRAILS)

    assert read_bundle(bundle.text) == bundle


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{}", True),
        ('{"prompt":{"version":"1.0.0"}}', True),
        ("", False),
        ("[]", False),
        ('{"prompt":"1.0.0"}', False),
        ('{"prompt":{"version":"one"}}', False),
        ('{"prompt":{}}', False),
        ("[" * 100_000, False),
        ("9" * 10_000, False),
    ],
)
def test_text_of_strangers(text: str, *, answer: bool) -> None:
    """What anybody may have written into a ConfigMap with our labels is a bundle only in a bundle's form."""
    assert is_bundle(text) is answer


def test_digest_can_be_checked_with_sha256sum() -> None:
    """The digest is that of the text's bytes, and a component's that of its part of the text."""
    bundle = bundle_of()
    part = '{"content":{"system":"Be kind."},"version":"1.0.0"}'

    assert bundle.digest == f"sha256:{hashlib.sha256(bundle.text.encode()).hexdigest()}"
    assert bundle.component_digests["prompt"] == f"sha256:{hashlib.sha256(part.encode()).hexdigest()}"
    assert part in bundle.text


@given(content=CONTENT, order=st.data())
def test_order_and_formatting_do_not_matter(content: dict[str, Any], order: Any) -> None:  # noqa: ANN401  st.data
    """The same content in another order of keys, or after a trip through text, has the same digest."""
    first = bundle_of(with_part("config", inline=content))
    again = json.loads(json.dumps(shuffled(content, order), indent=3, ensure_ascii=False))

    assert bundle_of(with_part("config", inline=again)) == first


@given(one=CONTENT, other=CONTENT)
def test_digests_differ_exactly_when_content_does(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two contents have one digest if they are the same JSON, and two if not."""
    digests = {bundle_of(with_part("config", inline=content)).digest for content in (one, other)}

    assert (len(digests) == 1) == (_plain(one) == _plain(other))


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON
    """JSON without null fields, and with a mark for what Python takes for equal: true and 1."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return ("bool", value) if isinstance(value, bool) else value


@given(content=CONTENT)
def test_text_is_canonical_after_reading_it_back(content: dict[str, Any]) -> None:
    """Whoever reads a bundle and resolves it again gets the same bytes."""
    bundle = bundle_of(with_part("config", inline=content))
    back = json.loads(bundle.text)["config"]["content"]

    assert bundle_of(with_part("config", inline=back)).text == bundle.text


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": {**COMPONENTS["prompt"], "version": "3.1.1"}},
        {"model": {**COMPONENTS["model"], "name": "gpt-x-2026-09-01"}},
        {"model": {**COMPONENTS["model"], "fallbacks": [{"provider": "openai", "name": "gpt-w"}]}},
        {"tools": {**COMPONENTS["tools"], "items": []}},
        {"tools": {**COMPONENTS["tools"], "compatiblePrompt": ">=3.0.0"}},
        {
            "knowledge": {
                "version": "2026.11.1",
                "artifact": {"uri": "s3://kb/x", "digest": "sha256:" + "cd" * 32},
            }
        },
        {"memory": {"version": "1.0.0", "inline": {"schema": 3}}},
        {"routing": None},
        {"runtime": {**COMPONENTS["runtime"], "image": "registry.example/agent@sha256:4567"}},
    ],
)
def test_every_part_of_a_component_counts(changed: dict[str, Any]) -> None:
    """A change of any field of any component changes the digest, and of that component's digest alone."""
    before = bundle_of(COMPONENTS, GUARDRAILS)
    after = bundle_of({**COMPONENTS, **changed}, GUARDRAILS)
    differing = {
        name for name in COMPONENTS if before.component_digests.get(name) != after.component_digests.get(name)
    }

    assert (after.digest != before.digest, differing) == (True, set(changed))


def test_who_made_it_does_not_count() -> None:
    """Name, version of the whole, author, approvals, parent and service are not behavior."""
    other = a_release(
        SMALL,
        "support-agent-5",
        version="5.0.0",
        description="The same once more",
        source={"author": "dana@example.com"},
        approvedBy=["lee@example.com"],
        riskTier="HighStakes",
        parent={"name": "support-agent-4.1.0"},
        serving={"service": {"name": "support-agent-5", "port": 8080}},
        requires=[{"agent": "billing-agent", "versions": ">=2.0.0"}],
    )

    assert bundle_of(other.spec.components.to_json()) == bundle_of(SMALL)


def test_content_by_value_and_by_reference_is_the_same_content() -> None:
    """Moving texts from a ConfigMap into the release changes nothing that the agent sees, nor the digest."""
    texts = {"system": "Be kind."}
    inline = bundle_of(with_part("guardrails", inline=texts))
    referred = bundle_of(
        with_part("guardrails", configMapRef={"name": "texts"}), {"texts": ConfigMapData(texts)}
    )

    assert referred == inline


def test_field_at_its_default_is_as_good_as_absent() -> None:
    """A field that a later version adds with a default changes no digest of today's releases."""
    explicit = {**SMALL["model"], "fallbacks": []}

    assert bundle_of({**SMALL, "model": explicit}) == bundle_of(SMALL)


def test_references_are_named_once() -> None:
    """Each ConfigMap is named once, in order."""
    components = {
        **COMPONENTS,
        "config": {"version": "1.0.0", "configMapRef": {"name": "b"}},
        "routing": {"version": "1.0.0", "configMapRef": {"name": "b"}},
        "memory": {"version": "1.0.0", "configMapRef": {"name": "a"}},
    }

    assert references(a_release(components)) == ("a", "b", "support-guardrails")


@pytest.mark.parametrize(("room", "fits"), [(0, True), (-1, False)])
def test_largest_bundle(room: int, *, fits: bool) -> None:
    """A bundle may have 900 KiB in UTF-8, and one byte more is refused with the largest part's name."""
    empty = len(bundle_of(with_part("config", inline={"text": ""})).text)
    text = "é" * ((MAX_BYTES - empty) // 2) + "x" * ((MAX_BYTES - empty) % 2 - room)
    components = with_part("config", inline={"text": text})

    if fits:
        assert len(bundle_of(components).text.encode()) == MAX_BYTES
    else:
        assert refusal_of(a_release(components)) == Refusal(
            Reason.TOO_LARGE,
            "spec.components.config",
            "The bundle has 921,601 bytes, and the limit is 921,600; use an artifact for "
            "spec.components.config, its largest part (a file above 256 KiB needs kubectl apply "
            "--server-side)",
        )
