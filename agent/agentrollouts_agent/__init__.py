"""What an agent needs to be rolled out: its verified bundle, and its identity in everything it sends.

`load` reads the two files that the operator wrote for a release, once, at the start of the process. The
bundle can be neither another one than was judged nor changed later. `asgi` adds its identity to answers and
calls; `split` chooses a release for each request, in agents that split their requests themselves.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentrollouts_agent.frozen import freeze
from agentrollouts_agent.identity import Identity

FILES = ("bundle.json", "release.json")


class StartError(SystemExit):
    """The agent must not start: what it reads is missing, or is not what the operator wrote.

    Uncaught, it ends the process with code 1 and its text, one sentence without a traceback. `except
    Exception` does not catch it, so no agent serves by accident without its bundle.
    """


@dataclass(frozen=True, slots=True)
class Bundle(Mapping[str, Any]):
    """The components of a release by name, as in docs/files.md. Nothing in them can be changed."""

    identity: Identity
    components: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 any JSON
        return self.components[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.components)

    def __len__(self) -> int:
        return len(self.components)


def load(path: str | os.PathLike[str] = "/etc/agent", *, release: str | None = None) -> Bundle:
    """Read and verify the bundle in a folder.

    Args:
        path: Folder with `bundle.json` and `release.json`.
        release: Name of the AgentRelease that this process serves. Defaults to the variable AGENT_RELEASE of
            a managed workload, and then to the name in `release.json`. Releases with the same content share
            these files, so only the first two are certain.

    Raises:
        StartError: A file is missing, or the SHA-256 of `bundle.json` differs from the digest in
            `release.json` or from the variable AGENT_DIGEST.
    """
    try:
        files = {name: (Path(path) / name).read_bytes() for name in FILES}
    except OSError as error:
        raise StartError(f"Cannot read the bundle: {error.filename}: {error.strerror}") from None
    found = verify(files, str(path), release=release or os.environ.get("AGENT_RELEASE"))
    expected = os.environ.get("AGENT_DIGEST", found.identity.digest)
    if found.identity.digest != expected:
        raise StartError(
            f"{path}: bundle.json has digest {found.identity.digest}, AGENT_DIGEST is {expected}"
        )
    return found


def verify(files: Mapping[str, bytes], where: str, *, release: str | None = None) -> Bundle:
    """Make a bundle of the contents of both files, from wherever they came.

    Args:
        files: `bundle.json` and `release.json`.
        where: Where they are, for the error.
        release: As in `load`.

    Raises:
        StartError: As in `load`.
    """
    try:
        text, facts = files["bundle.json"], json.loads(files["release.json"])
        digest, agent, version = str(facts["digest"]), str(facts["agent"]), str(facts["version"])
        name = release or str(facts["name"])
    except (KeyError, TypeError, ValueError):
        raise StartError(
            f"{where} is not a snapshot: it needs bundle.json, "
            "and release.json with digest, agent, name and version"
        ) from None
    actual = f"sha256:{hashlib.sha256(text).hexdigest()}"
    if actual != digest:
        raise StartError(f"{where}: bundle.json has digest {actual}, release.json says {digest}")
    try:
        components = json.loads(text)
    except ValueError as error:
        raise StartError(f"{where}: bundle.json is not JSON: {error}") from None
    if not isinstance(components, dict):
        raise StartError(f"{where}: bundle.json must be an object of components")
    return Bundle(Identity(agent, name, version, digest), freeze(components))
