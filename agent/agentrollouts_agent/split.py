"""Which release serves a user, for agents that split their requests themselves: the extra `split`.

The operator writes the weights to `flags.json` in the ConfigMap `<rollout>-traffic`. Each choice looks at the
file first, so a rollback takes effect as soon as the kubelet has updated the mounted file. Shares are nested:
a user who got the canary at 5% keeps it at 25%.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from agentrollouts_agent import StartError

_LOG = logging.getLogger(__name__)
_UNREADABLE = (OSError, OpenFeatureError, AttributeError, TypeError, ValueError)
"""What a file of any content can cause here and in the evaluator."""
_Version = tuple[int, int, int] | None


class Choice(NamedTuple):
    """A release, and the ConfigMap with its bundle."""

    release: str
    snapshot: str


class _Flag(NamedTuple):
    """One version of the file, ready to be evaluated."""

    version: _Version
    core: FlagdCore
    name: str

    def choose(self, key: str) -> Choice:
        found = self.core.resolve_string_value(self.name, "", EvaluationContext(targeting_key=key))
        return Choice(str(found.variant), found.value)


class Split:
    """The weights of a rollout, as they are now. Safe for threads.

    Args:
        path: `flags.json`. If a later version cannot be read, a warning says so once, and the weights stay.

    Raises:
        StartError: The file is missing, or is not one that the operator wrote.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        try:
            self._flag = self._read(self._version())
        except _UNREADABLE as error:
            raise StartError(f"Cannot read the split {path}: {error}") from None

    def choose(self, key: str) -> Choice:
        """Return the release for a user or conversation; the same one at the same weights.

        Raises:
            ValueError: The key is empty: all requests without a key would get one release.
        """
        if not key.strip():
            raise ValueError(
                "The key is empty, so everyone would get one release; pass a user or conversation id"
            )
        version = self._version()
        if version != self._flag.version:
            try:
                self._flag = self._read(version)
            except _UNREADABLE as error:
                _LOG.warning("Cannot read %s, so the last weights stay: %s", self._path, error)
                self._flag = self._flag._replace(version=version)
        return self._flag.choose(key)

    def _version(self) -> _Version:
        """What changes with the file; a mounted ConfigMap is replaced as a whole. None if it is missing."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self, version: _Version) -> _Flag:
        content: Any = json.loads(self._path.read_text())
        if not isinstance(content, dict) or len(content.get("flags", ())) != 1:
            raise ValueError("it must have one flag")
        core = FlagdCore()
        core.set_flags(content)
        flag = _Flag(version, core, next(iter(content["flags"])))
        flag.choose("anyone")  # a flag that cannot be evaluated is found here and not by a user
        return flag
