"""What can be wrong with a release: a chain of checks; the first that finds something decides.

The API server has already enforced the schema; this checks what a schema cannot say. Each refusal names the
field and the remedy, and never a value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from agentrollouts.api.components import Component, Components
from agentrollouts.api.model.versions import fits, range_of, version_of
from agentrollouts.api.names import GROUP
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release.canonical import MAX_INTEGER, MIN_INTEGER
from agentrollouts.core.release.content import MAX_DEPTH, ConfigMaps, Leaf, leaves, parts, present, referenced
from agentrollouts.core.release.secret_scan import Suspicion, find_credentials

MAX_FLOAT: Final = 2**53 - 1
"""The largest number up to which every JSON reader keeps a double exactly (RFC 7493)."""
ANNOTATION_ALLOW: Final = f"{GROUP}/allow-credential-like"
"""Field paths, with commas between, whose values may look like credentials."""

MAX_VALUES: Final = 100_000
"""Values that a bundle can have. 900 KiB of prompts have some thousands; to search half a million takes a
minute."""

_PATH_LENGTH: Final = 256
"""Characters of a field path that a message shows."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a release cannot become a bundle."""

    reason: Reason
    path: str
    """The field to correct."""
    message: str
    """What is wrong there and what to do, the path included."""


def find_refusals(release: AgentRelease, config_maps: ConfigMaps) -> Iterator[Refusal]:
    """Everything that is wrong with a release, found lazily, in the order in which it is worth saying."""
    components = release.spec.components
    yield from _unreadable_versions(release)  # the form of the spec first: only a new release can mend it
    yield from _unreadable_ranges(release)
    yield from _unpinned_artifacts(components)  # content that could change unseen
    yield from _tools_that_do_not_fit(components)
    yield from _missing_references(components, config_maps)  # from here on all content is at hand
    values = list(parts(components, config_maps))
    yield from _too_many(values)  # each of them is searched
    yield from _credentials(release, values)  # before a message below could name a field that is one
    yield from _too_deep(values)
    yield from _inexact(values)  # the digest needs one spelling for one value


def _unreadable_versions(release: AgentRelease) -> Iterator[Refusal]:
    components, path = release.spec.components, "spec.components"
    versions = [("spec.version", release.spec.version)]
    versions += [(f"{path}.{name}.version", component.version) for name, component in present(components)]
    tools = components.tools.items if components.tools else ()
    versions += [(f"{path}.tools.items[{i}].version", tool.version) for i, tool in enumerate(tools)]
    for field, version in versions:
        if version_of(version) is None:
            yield _invalid(field, "is not a semantic version; write it as 4.2.0 or 4.2.0-rc.1")


def _unreadable_ranges(release: AgentRelease) -> Iterator[Refusal]:
    tools = release.spec.components.tools
    ranges = {"spec.components.tools.compatiblePrompt": tools.compatible_prompt if tools else None}
    ranges |= {f"spec.requires[{i}].versions": each.versions for i, each in enumerate(release.spec.requires)}
    for field, versions in ranges.items():
        if versions is not None and range_of(versions) is None:
            yield _invalid(field, "is not a version range; write it as >=3.0.0,<4.0.0")


def _unpinned_artifacts(components: Components) -> Iterator[Refusal]:
    for name, component in present(components):
        artifact = component.artifact if isinstance(component, Component) else None
        if artifact is not None and artifact.digest is None:
            field = f"spec.components.{name}.artifact.digest"
            advice = "give the sha256 digest of the content, so that it cannot change unseen"
            yield Refusal(Reason.ARTIFACT_WITHOUT_DIGEST, field, f"{field} is missing; {advice}")


def _tools_that_do_not_fit(components: Components) -> Iterator[Refusal]:
    versions, prompt = components.tools and components.tools.compatible_prompt, components.prompt.version
    if versions and not fits(prompt, versions):
        field = "spec.components.tools.compatiblePrompt"
        message = (
            f"{field} accepts {versions}, but spec.components.prompt.version is {prompt}; change one of them"
        )
        yield Refusal(Reason.TOOLS_DO_NOT_FIT_PROMPT, field, message)


def _missing_references(components: Components, config_maps: ConfigMaps) -> Iterator[Refusal]:
    for name, component in present(components):
        source, field = referenced(component), f"spec.components.{name}.configMapRef"
        if source is None:
            continue
        config_map = config_maps.get(source)
        if config_map is None:
            message = f"{field} names ConfigMap {source}, which is not in this namespace; create it"
            yield Refusal(Reason.REFERENCE_MISSING, field, message)
        elif config_map.binary_keys:
            keys = ", ".join(config_map.binary_keys)
            problem = f"names ConfigMap {source} with binaryData ({keys}); use an artifact for it"
            yield _invalid(field, problem)


def find_warnings(release: AgentRelease, config_maps: ConfigMaps) -> Iterator[str]:
    """What may be a credential without being one with high confidence: a sentence for each field."""
    values = list(parts(release.spec.components, config_maps))
    for finding in _suspicions(release, values):
        if not finding.is_certain:
            yield (
                f"{_shown(finding.path)} might contain {finding.kind}; check it, and list the path in "
                "annotation "
                f"{ANNOTATION_ALLOW} if it does not"
            )


def _credentials(release: AgentRelease, values: list[Leaf]) -> Iterator[Refusal]:
    for finding in _suspicions(release, values):
        if finding.is_certain:
            problem = f"{_shown(finding.path)} looks like {finding.kind}; many people can read a bundle"
            advice = (
                f"keep it in a Secret or, if it is not one, list the path in annotation {ANNOTATION_ALLOW}"
            )
            yield Refusal(Reason.LOOKS_LIKE_CREDENTIAL, finding.path, f"{problem}, so {advice}")


def _suspicions(release: AgentRelease, values: list[Leaf]) -> Iterator[Suspicion]:
    """What looks like a credential, without the fields of which the author says otherwise."""
    allowed = {field.strip() for field in release.metadata.annotations.get(ANNOTATION_ALLOW, "").split(",")}
    for part in values:
        for finding in find_credentials(part.value, part.path):
            if finding.path not in allowed:
                yield finding


def _too_deep(values: list[Leaf]) -> Iterator[Refusal]:
    for leaf in _all_leaves(values):
        if leaf.value and isinstance(leaf.value, Mapping | list):
            yield _invalid(leaf.path, f"is nested more than {MAX_DEPTH} levels deep; make it flatter")


def _inexact(values: list[Leaf]) -> Iterator[Refusal]:
    for leaf in _all_leaves(values):
        if isinstance(leaf.value, int) and not MIN_INTEGER <= leaf.value <= MAX_INTEGER:
            problem = (
                "is an integer above 64 bits, which the API server has rounded; remove it, or write a "
                f"number from {MIN_INTEGER} to {MAX_INTEGER}"
            )
            yield _invalid(leaf.path, problem)
        # Turned round on purpose: NaN compares as false with everything, and so is refused too.
        if isinstance(leaf.value, float) and not -MAX_FLOAT <= leaf.value <= MAX_FLOAT:
            problem = (
                f"is a floating-point number above {MAX_FLOAT}; remove it, or write an integer of at "
                "most 64 bits"
            )
            yield _invalid(leaf.path, problem)
        if not (_is_unicode(leaf.path) and (not isinstance(leaf.value, str) or _is_unicode(leaf.value))):
            yield _invalid(leaf.path, "has half of a surrogate pair, which is not Unicode text; remove it")


def _too_many(values: list[Leaf]) -> Iterator[Refusal]:
    if sum(1 for _ in islice(_all_leaves(values), MAX_VALUES + 1)) > MAX_VALUES:
        path = "spec.components"
        problem = f"has more than {MAX_VALUES:,} values; use an artifact for its largest part"
        yield Refusal(Reason.TOO_LARGE, path, f"{path} {problem}")


def _all_leaves(values: list[Leaf]) -> Iterator[Leaf]:
    return (leaf for part in values for leaf in leaves(part.value, part.path))


def _invalid(path: str, problem: str) -> Refusal:
    return Refusal(Reason.INVALID_SPEC, path, f"{_shown(path)} {problem}")


def _shown(path: str) -> str:
    """A path for people: bounded, and text that can be sent."""
    text = path if len(path) <= _PATH_LENGTH else f"{path[: _PATH_LENGTH - 1]}…"
    return text.encode(errors="replace").decode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
