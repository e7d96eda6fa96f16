"""The official releases that replace a build, each pinned by its checksum.

A row counts only for the version that we would build, which a test checks. To move a version, replace the
checksums by those of the publisher: the lists of hashes of kops (`pkg/assets/assetdata`) for Kubernetes,
`sha256sums.txt` of the release for Prometheus, and the release notes for helm. A part without a row is built:
etcd 3.6.16, whose checksums we have not seen, and the programs of a node, which only tests use.
"""

import dataclasses
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox.parts import cache

_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""What a kernel calls a processor, and what publishers call it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """A file of a publisher for one platform, and the programs in it."""

    name: str
    version: str
    url: str
    sha256: str
    """Of the file, as 64 hex digits."""
    programs: Mapping[str, str]
    """Each program and its member of the archive (gzipped tar); an empty member: the file is the program."""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.name} {self.version}"

    def place(self) -> Path:
        """The folder of its programs in the cache; version and checksum are part of the name."""
        return cache.folder() / "parts" / f"{self.name}-{self.version}-{self.sha256[:16]}"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A release on all platforms; `{version}` and `{machine}` are filled in."""

    name: str
    version: str
    url: str
    programs: Mapping[str, str]
    sha256: Mapping[str, str]
    """By machine."""

    def on(self, machine: str) -> Release:
        """The release for one machine of those in `sha256`."""
        filled = {"version": self.version, "machine": machine}
        members = {program: member.format(**filled) for program, member in self.programs.items()}
        return Release(self.name, self.version, self.url.format(**filled), self.sha256[machine], members)


ROWS: Final = (
    Row(
        "kube-apiserver",
        "1.36.3",
        "https://dl.k8s.io/release/v{version}/bin/linux/{machine}/kube-apiserver",
        {"kube-apiserver": ""},
        {
            "amd64": "1f217d397234a6d065da663c6e086fdb02c0f0de97a0758ff3e6f3956f4ef8ab",
            "arm64": "16001b9d35d23634c361a1e2b7b0fc7abe186984af697ef7a869c8c8cded78b7",
        },
    ),
    Row(
        "kube-controller-manager",
        "1.36.3",
        "https://dl.k8s.io/release/v{version}/bin/linux/{machine}/kube-controller-manager",
        {"kube-controller-manager": ""},
        {
            "amd64": "7edfe976d5a06c7a702d653e914095f4a732a04bb2139115b6a6eba6a9b781c7",
            "arm64": "27868a5c822824945b93f2d8a724a5dcd99affc68b47230ae766bff8795bbb84",
        },
    ),
    Row(
        "prometheus",
        "3.15.0",
        "https://github.com/prometheus/prometheus/releases/download/"
        "v{version}/prometheus-{version}.linux-{machine}.tar.gz",
        {
            "prometheus": "prometheus-{version}.linux-{machine}/prometheus",
            "promtool": "prometheus-{version}.linux-{machine}/promtool",
        },
        {
            "amd64": "2a542df32eac02ee17b9d844fb2aa1de00dafa5476579ba8a3ba862e9d572ea0",
            "arm64": "f1f90ec08e849d494ca66c611470afc50192f0355f1a61c33f2cbde02d067823",
        },
    ),
    Row(
        "helm",
        "4.2.4",
        "https://get.helm.sh/helm-v{version}-linux-{machine}.tar.gz",
        {"helm": "linux-{machine}/helm"},
        {
            "amd64": "c306b46f719b0a4da32d0f78ee21bf90ce8d602f15b22ab753f0674d1670a7f3",
            "arm64": "564de2191b881e9f71b5606b25345821ea1682f06ab90499d3ab22b530176da1",
        },
    ),
)


def here() -> dict[str, Release]:
    """The releases for this machine, by their names; none where nothing is pinned for it."""
    machine = _MACHINES.get(platform.machine(), "") if sys.platform == "linux" else ""
    return {row.name: row.on(machine) for row in ROWS if machine in row.sha256}
