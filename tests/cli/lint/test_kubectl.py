"""Input: scalars of YAML. Output: what `lint` takes each for, which is what the real kubectl makes of it."""

import json
import subprocess
from pathlib import Path
from typing import Final

from agentrollouts.cli.lint.documents import Found
from sandbox.parts import parts
from tests.cli.lint.test_lint import RELEASE

SCALARS: Final = (
    *(
        "10:30",
        "1:30:00",
        "1e3",
        "1E-2",
        "08",
        "010",
        "0o10",
        "0x1F",
        "0b11",
        "1_000",
        "1.",
        ".5",
        "+5",
        "-0",
    ),
    *("1.0", "1.0.0", "yes", "No", "on", "y", "N", "~", "null", "Null", "true", "TRUE", "=", "1,000", "'5'"),
    *("2026-08-01", "2026-08-01T00:00:00Z", '"\\x41"', "!!str 5", "[]", "{}", "yY", "1e", "0x", "e3", "."),
    *("1_0.5", "._5", "0X1F", "-0x1F", "0B11", "0O17", "-010", "1e400", "-1e400", "1e21", "1e30", "9" * 40),
    *("1.e400", ".5e999", "9" * 400, "9" * 5000, "-1_" + "9" * 400),
    *("!!binary aGk=", "!!set {a, b}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!int '3'", "!!float 3"),
)


def test_a_scalar_is_what_kubectl_takes_it_for(tmp_path: Path) -> None:
    """The same text, number or flag; `kubectl label --local` reads a file and asks no API server."""
    file = tmp_path / "release.yaml"
    file.write_text(
        RELEASE.replace("{system: Be kind.}", f"{{x: [{', '.join(f'[{each}]' for each in SCALARS)}]}}")
    )
    found = Found()
    found.add(str(file), file.read_bytes())

    done = subprocess.run(  # noqa: S603 ours
        [parts.kubectl(), "label", "--local", f"--filename={file}", "a=b", "--output=json"],
        capture_output=True,
        text=True,
        check=True,
        env={"KUBECONFIG": "/dev/null"},
    )

    [ours], theirs = [each.manifest for each in found.ours], json.loads(done.stdout)
    read = [each["spec"]["components"]["prompt"]["inline"]["x"] for each in (ours, theirs)]
    assert [each for each in zip(SCALARS, *read, strict=True) if repr(each[1]) != repr(each[2])] == []
