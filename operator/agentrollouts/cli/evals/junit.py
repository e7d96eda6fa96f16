"""Reads JUnit XML: one element for each case. A document type is refused: no report has one."""

from typing import NoReturn
from xml.parsers import expat

from agentrollouts.cli.evals.format import Cases
from agentrollouts.cli.mistakes import WrongUseError


class _Reader:
    """Counts the cases of a document as it is read, so that nothing of it is kept."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failed = self.errors = self.total = self.depth = 0
        self._case: set[str] | None = None
        """What is in the current case; None outside of one."""

    def start(self, tag: str, _: object) -> None:
        if self.depth == 0 and tag not in {"testsuites", "testsuite"}:
            raise WrongUseError(f"{self.name}: the root is not testsuites or testsuite; name JUnit XML")
        self.depth += 1
        if tag == "testcase":
            self._case = set()
        elif self._case is not None:
            self._case.add(tag)

    def end(self, tag: str) -> None:
        self.depth -= 1
        if tag != "testcase" or self._case is None:
            return
        if "skipped" not in self._case:
            self.total += 1
            self.errors += "error" in self._case
            self.failed += bool(self._case & {"error", "failure"})
        self._case = None

    def refuse(self, *_: object) -> NoReturn:
        raise WrongUseError(f"{self.name}: has a document type, which JUnit XML does not need; remove it")


def junit(name: str, content: bytes) -> Cases:
    """The cases of a document. Raises `WrongUseError`."""
    parser, reader = expat.ParserCreate(), _Reader(name)
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = reader.refuse
    try:
        parser.Parse(content, True)  # noqa: FBT003 the signature is expat's
    except (expat.ExpatError, ValueError) as error:
        raise WrongUseError(f"{name}: is not XML: {error}") from None
    return Cases(reader.failed, reader.total, reader.errors)
