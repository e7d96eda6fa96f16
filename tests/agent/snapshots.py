"""Folders as a kubelet mounts them: the files that the operator writes for a release."""

import hashlib
import json
from pathlib import Path

import rfc8785

COMPONENTS = {
    "prompt": {"version": "1.0.0", "content": {"system": "Be kind.", "examples": ["Q: hi A: hello"]}},
    "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
}
NAME = "support-agent-4.2.0"


def snapshot(components: object = COMPONENTS) -> dict[str, bytes]:
    """The two files of a release by their names."""
    text = rfc8785.dumps(components)  # type: ignore[arg-type]  # any JSON
    facts = {
        "agent": "support-agent",
        "digest": f"sha256:{hashlib.sha256(text).hexdigest()}",
        "name": NAME,
        "version": "4.2.0",
    }
    return {"bundle.json": text, "release.json": json.dumps(facts).encode()}


def mount(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files and return the folder."""
    for name, text in files.items():
        (folder / name).write_bytes(text)
    return folder
