"""Prints what the image installs, as a CycloneDX 1.6 document (https://cyclonedx.org/docs/1.6/json/).

Runs in the image's own environment during the build, so it lists what is there and not what was requested.
"""

import json
from importlib import metadata


def component(found: metadata.Distribution) -> dict[str, object]:
    """One installed package."""
    name, version = found.metadata["Name"], found.version
    entry: dict[str, object] = {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name.lower().replace('_', '-')}@{version}",
    }
    if expression := found.metadata.json.get("license_expression"):
        entry["licenses"] = [{"expression": expression}]
    return entry


def document() -> dict[str, object]:
    """The whole document."""
    components = sorted(map(component, metadata.distributions()), key=lambda entry: str(entry["purl"]))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "agentrollouts"}},
        "components": components,
    }


if __name__ == "__main__":
    print(json.dumps(document(), indent=1))
