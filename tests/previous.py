"""The version before this one: its chart and its operator, as they were, for tests of upgrades.

Nothing is released yet, so it is the last commit before the operator had a Lease. The archive beside this
module was made by

    git archive --format=tar 086ad7a operator charts | xz -9e > tests/previous.tar.xz

Each release replaces it by an archive of itself. A checkout may have no history, so it is kept as a file.
"""

import tarfile
from pathlib import Path
from typing import Final

from sandbox.operator import Version

_ARCHIVE: Final = Path(__file__).with_suffix(".tar.xz")


def unpacked(folder: Path) -> Version:
    """The version before this one, unpacked into a folder."""
    with tarfile.open(_ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return Version(chart=folder / "charts" / "agentrollouts", source=folder / "operator")
