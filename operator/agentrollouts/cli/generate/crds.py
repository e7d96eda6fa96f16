"""`agentrollouts crds`: writes the CustomResourceDefinitions that `api` generates."""

import argparse

from agentrollouts.api.crd.manifest import render


def run_crds(options: argparse.Namespace) -> int:
    """Write one YAML file for each kind, replacing older ones."""
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (options.directory / name).write_text(text)
    return 0
