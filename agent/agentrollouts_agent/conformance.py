"""Whether an agent in any language keeps rows 1 to 4 of the contract in docs/agent.md.

`python -m agentrollouts_agent.conformance --bundle FOLDER --url URL -- COMMAND` starts the agent a few times,
with the bundle and with bundles that are not what their digest says, and looks at it from outside.
"""

import argparse
import json
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from agentrollouts_agent import FILES, StartError, verify
from agentrollouts_agent.identity import Identity
from agentrollouts_agent.outside import Agent, Answer, Calls, get

GOOD, BAD, UNKNOWN = "✓", "✗", "?"
FAILED, WRONG_USE = 1, 2
_OWN: Final = frozenset({"agent", "release"})
_LABEL: Final = re.compile(r'[{,]\s*(agent|release)="((?:[^"\\]|\\.)*)"')
_ROWS: Final = {
    1: "reads its bundle once, at start, and does not start with what its digest does not fit",
    2: "leaves the labels namespace, agent and release to the scrape configuration",
    3: "names its release and its digest in every answer",
    4: "ties its calls and its log lines to the release",
}


class Line(NamedTuple):
    """What was found about a row of the contract."""

    mark: str
    row: int
    sentence: str


class Setup(NamedTuple):
    """What was said on the command line."""

    files: dict[str, bytes]
    identity: Identity
    command: Sequence[str]
    url: str
    data: bytes | None
    metrics: str
    seconds: float


def conformance(setup: Setup) -> Iterator[Line]:
    """The lines, row by row. The agent is started, and ended, three times."""
    with tempfile.TemporaryDirectory(prefix="agent-") as name, Calls() as calls:
        folder = Path(name)
        folder.chmod(0o755)  # the agent in a container is another user
        for what, files in _broken(setup.files):
            if line := _refuses(setup, folder, files, what, calls.url):
                yield line
                return
        calls.baggage.clear()
        with _started(setup, folder, setup.files, calls.url) as agent:
            first = agent.answer(setup.url, setup.data, setup.seconds)
            if first is None:
                yield Line(BAD, 1, f"does not answer {setup.url} with its bundle: {agent.state}")
                return
            for each in FILES:
                (folder / each).unlink()
            again = agent.answer(setup.url, setup.data, setup.seconds)
            yield _once(first, again)
            yield _labels(setup)
            yield _named(setup, first, again)
            yield _calls(setup.identity, calls)
        yield _logs(setup.identity, agent.log)


def _broken(files: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Two starts that must fail. Both contents are valid JSON, so only the digest can show it."""
    yield "a changed bundle.json", {**files, "bundle.json": files["bundle.json"] + b"\n"}
    facts = json.loads(files["release.json"])
    del facts["digest"]
    yield "a release.json without a digest", {**files, "release.json": json.dumps(facts).encode()}


def _started(setup: Setup, folder: Path, files: dict[str, bytes], calls: str) -> Agent:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    own = {"bundle": str(folder), "release": setup.identity.release, "digest": setup.identity.digest}
    command = [each.format_map(_Given({**own, "calls": calls})) for each in setup.command]
    return Agent(command, {"AGENT_RELEASE": own["release"], "AGENT_DIGEST": own["digest"]})


class _Given(dict[str, str]):
    """Other braces of a command stay as they are."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def _refuses(setup: Setup, folder: Path, files: dict[str, bytes], what: str, calls: str) -> Line | None:
    with _started(setup, folder, files, calls) as agent:
        if agent.answer(setup.url, setup.data, setup.seconds):
            return Line(BAD, 1, f"starts with {what}; it must end before it answers")
        if agent.code is None:
            return Line(BAD, 1, f"neither ends nor answers within {setup.seconds:g} s with {what}")
        return (
            None if agent.code else Line(BAD, 1, f"ends with code 0 with {what}; nothing shows the problem")
        )


def _once(first: Answer, again: Answer | None) -> Line:
    if again is None or again.status != first.status:
        return Line(BAD, 1, "answers otherwise once the files are gone; read them once, at start")
    return Line(GOOD, 1, _ROWS[1])


def _labels(setup: Setup) -> Line:
    if not setup.metrics:
        return Line(UNKNOWN, 2, "the labels are not checked; name the page of the metrics with --metrics")
    page = get(setup.metrics)
    if page is None or "content-type" not in page.headers:
        return Line(BAD, 2, f"{setup.metrics} must answer with a Content-Type")
    own = {"agent": setup.identity.agent, "release": setup.identity.release}
    for label, text in _LABEL.findall(page.text):
        if text != own[label]:
            return Line(BAD, 2, f'exports the label {label}="{text}"; leave it out')
    return Line(GOOD, 2, _ROWS[2])


def _named(setup: Setup, *answers: Answer | None) -> Line:
    """Also an answer to a path that does not exist."""
    where = urlsplit(setup.url)
    lost = f"{where.scheme}://{where.netloc}/{secrets.token_hex(8)}"
    for url, answer in ((setup.url, answers[0]), (setup.url, answers[-1]), (lost, get(lost))):
        if answer is None:
            return Line(BAD, 3, f"does not answer GET {url}")
        for header, text in setup.identity.headers().items():
            found = answer.headers.get_all(header) or []
            if found != [text]:
                said = f"has {header}: {', '.join(found)}" if found else f"does not have the header {header}"
                return Line(BAD, 3, f"its answer with {answer.status} to {url} {said}; it must have {text}")
    return Line(GOOD, 3, _ROWS[3])


def _calls(identity: Identity, calls: Calls) -> Line:
    if not calls.baggage:
        sentence = "no call was seen; let a request of --url make one, to {calls} in the command"
        return Line(UNKNOWN, 4, sentence)
    for text in calls.baggage:
        pairs = (each.partition(";")[0].partition("=") for each in text.split(","))
        found = {key.strip(): unquote(value.strip()) for key, _, value in pairs}
        if missing := [key for key, value in identity.baggage().items() if found.get(key) != value]:
            return Line(BAD, 4, f"a call does not carry {' and '.join(missing)} in its header baggage")
    return Line(GOOD, 4, "sends the baggage with each call")


def _logs(identity: Identity, log: str) -> Line:
    lines = [found for found in map(_fields, log.splitlines()) if found is not None]
    if not lines:
        return Line(UNKNOWN, 4, "no line of its log is a JSON object, so the fields are not checked")
    expected = identity.log_fields().items()
    wrong = sum(not expected <= {key: str(each.get(key)) for key in each}.items() for each in lines)
    if wrong:
        names = " and ".join(identity.log_fields())
        return Line(BAD, 4, f"{wrong} of {len(lines)} log lines do not have its {names}")
    return Line(GOOD, 4, "has the release in each log line")


def _fields(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each row; the exit code is 1 if the agent does not keep one."""
    options = _parser().parse_args(arguments)
    marks = []
    try:
        setup = _setup(options)
        for line in conformance(setup):
            marks.append(line.mark)
            sys.stdout.write(f"{line.mark} row {line.row}: {line.sentence}\n")
            sys.stdout.flush()
    except (OSError, StartError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    return FAILED if BAD in marks else 0


def _setup(options: argparse.Namespace) -> Setup:
    """With a name that no release has, so that an agent cannot know it from elsewhere."""
    files = {each: (Path(options.bundle) / each).read_bytes() for each in FILES}
    name = f"conformance-{secrets.token_hex(4)}"
    files["release.json"] = json.dumps({**json.loads(files["release.json"]), "name": name}).encode()
    identity = verify(files, options.bundle, release=name).identity
    if get(options.url):
        raise ValueError(f"{options.url} answers already; end what listens there")
    data = options.data.encode() if options.data is not None else None
    return Setup(files, identity, options.command, options.url, data, options.metrics, options.seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m agentrollouts_agent.conformance",
        description="Check an agent in any language against rows 1 to 4 of docs/agent.md.",
        epilog="In the command, {bundle}, {release}, {digest} and {calls} stand for the folder with the two "
        "files, the values of AGENT_RELEASE and AGENT_DIGEST, and the address of a server that takes calls.",
        allow_abbrev=False,
    )
    parser.add_argument("--bundle", required=True, metavar="FOLDER", help="bundle.json and release.json")
    parser.add_argument("--url", required=True, metavar="URL", help="what the agent answers once it is ready")
    parser.add_argument("--data", metavar="TEXT", help="body of a POST to the URL (default: a GET)")
    parser.add_argument("--metrics", default="", metavar="URL", help="page with the metrics of the agent")
    parser.add_argument(
        "--seconds", type=float, default=60, metavar="N", help="time for a start (default: 60)"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="starts the agent; put it after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
