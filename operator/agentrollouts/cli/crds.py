"""`agentrollouts crds`: writes the CustomResourceDefinitions that `api` generates."""

from pathlib import Path

from agentrollouts.api.crd.manifest import render


def write_crds(directory: Path) -> None:
    """Write one YAML file for each kind, replacing older ones."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (directory / name).write_text(text)
