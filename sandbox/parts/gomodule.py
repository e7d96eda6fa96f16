"""A Go module of ours beside this file: built once, cached by the hash of its files.

It is the way to a part that works everywhere; `sandbox.parts.supply` decides when it is needed.
"""

import dataclasses
import functools
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox.errors import MissingPartError, SandboxError
from sandbox.parts import cache, toolchain

_HERE = Path(__file__).parent
_BUILD = "run `python -m sandbox build` (about nine minutes the first time), or any target of the Makefile"

_CRDS: Final[Mapping[str, Sequence[str]]] = {
    "sigs.k8s.io/gateway-api": ("config/crd/standard/*.yaml",),
    "github.com/argoproj/argo-cd/v3": ("manifests/crds/application-crd.yaml",),
    "github.com/fluxcd/kustomize-controller": ("config/crd/bases/*_kustomizations.yaml",),
    "github.com/fluxcd/source-controller": ("config/crd/bases/*_gitrepositories.yaml",),
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/*_podmonitors.yaml",
        "example/prometheus-operator-crd/*_prometheusrules.yaml",
    ),
}
"""Where the CRDs that we install are in the modules that ship them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """A Go module beside this file, and the one thing that we take from it."""

    name: str
    arguments: tuple[str, ...]
    """Of `go build`; for the module without a program, of `go mod download`."""
    expected: int
    """Seconds on two cores with empty caches, downloads included."""
    pages: tuple[str, ...] = ()
    """Web pages that the program embeds and that its module does not contain, as import paths. They are made
    empty; without them it does not compile."""

    @property
    def source(self) -> Path:
        """Its folder beside this file."""
        return _HERE / self.name

    def place(self) -> Path:
        """Where the result is in the cache; whatever it was made from is part of the name."""
        files = [file for file in self.source.iterdir() if file.suffix in {".go", ".mod", ".sum"}]
        machine = platform.machine()
        return (
            cache.folder()
            / "parts"
            / f"{self.name}-{cache.key([machine, *self.arguments, *self.pages], files)}"
        )

    def find(self) -> Path:
        """Where the result is in the cache.

        Raises:
            MissingPartError: it is not built.
        """
        place = self.place()
        if not place.exists():
            raise MissingPartError(f"{self.name} is not built yet; {_BUILD}")
        return place


def compile_missing(programs: Sequence[Module]) -> None:
    """Build the programs that are not in the cache, one after the other.

    Raises:
        SandboxError: a build failed.
    """
    missing = [module for module in programs if not module.place().exists()]
    if missing:
        names = ", ".join(module.name for module in missing)
        seconds = sum(module.expected for module in missing)
        print(f"building once, for about {seconds} s on two cores: {names}", file=sys.stderr, flush=True)
    for module in missing:
        _make(module, _compile)


def copy_crds(module: Module) -> None:
    """Make the folder of CRDs that a module without a program is about, unless it is there.

    Raises:
        SandboxError: they could not be fetched.
    """
    _make(module, _copy_crds)


def _make(module: Module, how: Callable[[Module, Path], None]) -> None:
    cache.make(module.place(), module.name, functools.partial(how, module))


def _compile(module: Module, target: Path) -> None:
    if not module.pages:
        _build(module, target, module.source, "readonly")
        return
    with tempfile.TemporaryDirectory() as folder:
        _vendor(module, Path(folder))
        _build(module, target, Path(folder), "vendor")


def _build(module: Module, target: Path, folder: Path, mode: str) -> None:
    flags: list[str | Path] = [f"-mod={mode}", "-trimpath", "-buildvcs=false", "-o", target]
    command = [toolchain.go(), "build", *flags, *module.arguments]
    cache.run(f"building {module.name}", command, toolchain.environment(), module.expected, folder)


def _vendor(module: Module, folder: Path) -> None:
    """Copy the module and all that it needs into a folder, where missing pages can be put in their place."""
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(module.source / name, folder / name)
    command: list[str | Path] = [toolchain.go(), "mod", "vendor", "-e"]  # -e: although pages are missing
    title = f"fetching {module.name}"
    cache.run(title, command, toolchain.environment(), module.expected, folder)
    for page in module.pages:
        place = folder / "vendor" / page
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _copy_crds(module: Module, target: Path) -> None:
    """Copy the CRDs out of Go's module cache; `go.sum` vouches for the content of the modules."""
    command: list[str | Path] = [toolchain.go(), "mod", "download", "-json", *module.arguments]
    answer = subprocess.run(
        command, env=toolchain.environment(), cwd=module.source, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise SandboxError(
            f"the CRDs of {module.name} could not be fetched: {answer.stderr or answer.stdout}"
        )
    target.mkdir()
    found = json.loads("[" + answer.stdout.replace("}\n{", "},{") + "]")  # one object after the other
    for downloaded in found:
        for pattern in _CRDS[downloaded["Path"]]:
            for file in Path(downloaded["Dir"]).glob(pattern):
                shutil.copyfile(file, target / file.name)
