"""An object as YAML that every reader takes for the same: text is quoted unless it is plain words."""

import re
from typing import Any, Final

import yaml

from agentrollouts.core.effects import Manifest

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_./ ][A-Za-z0-9]+)*")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
"""What some versions of YAML read as something other than text."""
_WIDTH: Final = 1 << 20
"""Lines are not folded, so that texts can be compared line by line."""


class _Dumper(yaml.SafeDumper):
    """Quotes what a reader could take for a number, and writes lines as lines."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 the signature is PyYAML's
        """Write a value that is there twice twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"'
    if "\n" in text:
        style = "|"
    elif _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        style = ""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style or None)


_Dumper.add_representer(str, _text)


def as_yaml(manifest: Manifest) -> str:
    """The object as YAML."""
    return yaml.dump(dict(manifest), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
