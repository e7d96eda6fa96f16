"""The operator's image as a container runtime runs it: `make image-test` builds it first."""

import json
import os
import subprocess
from typing import Final

IMAGE: Final = os.environ.get("AGENTROLLOUTS_IMAGE", "localhost/agentrollouts:dev")
LOCKED_DOWN: Final = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
COUNTS: Final = {
    "gate": {"name": "errors", "template": "error-rate"},
    "plannedPhases": 3,
    "phases": [{"canary": {"bad": 8, "total": 50}, "stable": {"bad": 11, "total": 950}}],
}


def run(*command: str, entrypoint: str | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One container without rights and without a network, removed at its end."""
    options = ["--interactive", "--rm", *LOCKED_DOWN, *(["--entrypoint", entrypoint] if entrypoint else [])]
    return subprocess.run(
        ["docker", "run", *options, IMAGE, *command], input=stdin, capture_output=True, text=True, check=False
    )


def python(program: str) -> str:
    """What a program prints in the image's own interpreter."""
    done = run("-", entrypoint="python", stdin=program)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_judge_answers_without_rights_files_or_network() -> None:
    """The image has all that the judge needs: a verdict comes from a container that may do nothing."""
    done = run("judge", stdin=json.dumps(COUNTS) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["verdict"] == "Fail"


def test_every_module_of_the_operator_can_be_imported() -> None:
    """No package is missing: what only the shell imports is installed too."""
    program = """
import pkgutil, importlib, agentrollouts
names = [found.name for found in pkgutil.walk_packages(agentrollouts.__path__, "agentrollouts.")]
for name in names:
    if name != "agentrollouts.cli.plot" and not name.startswith("agentrollouts.plugin."):  # need extras
        importlib.import_module(name)
print(len(names))
"""
    assert int(python(program)) > 100


def test_wrong_settings_are_a_sentence_and_exit_code_2() -> None:
    """The operator starts as far as its settings, and says what is wrong with them."""
    done = run("operator", "--settings", "/etc/hostname")
    assert done.returncode == 2
    assert "does not contain a mapping" in done.stderr


def test_its_user_has_no_rights_and_a_name() -> None:
    """It runs as 65532, and kopf, which reads the name of its user, finds one."""
    assert (
        python("import os, getpass; print(os.getuid(), os.getgid(), getpass.getuser())")
        == "65532 65532 agentrollouts"
    )


def test_nothing_in_it_can_be_written() -> None:
    """Its user can write neither the root nor the environment, even without a read-only root."""
    program = """
import os
for path in ("/x", "/app/x", "/usr/x", "/etc/x"):
    try:
        open(path, "w")
    except OSError:
        continue
    print(path)
"""
    done = subprocess.run(
        ["docker", "run", "--interactive", "--rm", "--network=none", "--entrypoint=python", IMAGE, "-"],
        input=program, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_it_contains_no_tool_to_install_or_become_root_with() -> None:
    """pip, a compiler, package managers and set-user-ID files are left out."""
    program = """
import importlib.util, os, shutil
print([name for name in ("pip", "ensurepip", "setuptools", "wheel") if importlib.util.find_spec(name)])
print([name for name in ("pip", "pip3", "cc", "gcc", "apt", "apt-get", "dpkg", "perl") if shutil.which(name)])
print([os.path.join(folder, name) for folder, _, names in os.walk("/usr") for name in names
       if os.lstat(os.path.join(folder, name)).st_mode & 0o6000])
"""
    assert python(program).splitlines() == ["[]", "[]", "[]"]


def test_the_bill_of_materials_lists_what_is_installed() -> None:
    """Each installed package is in /app/sbom.cdx.json with its version, and nothing else is."""
    program = """
import json
from importlib import metadata
listed = {(c["name"], c["version"]) for c in json.load(open("/app/sbom.cdx.json"))["components"]}
installed = {(d.metadata["Name"], d.version) for d in metadata.distributions()}
print(len(listed) > 30, listed == installed)
"""
    assert python(program) == "True True"


def test_labels_name_license_and_revision() -> None:
    """A registry can show what the image is and from which commit it was built."""
    inspected = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", IMAGE],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    labels = json.loads(inspected.stdout)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.revision"] == head.stdout.strip()
