"""Reads the results of promptfoo, of Inspect, and JUnit XML. Each mistake names the file and the field."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from agentrollouts.cli.evals.format import Cases, Format, Scoring
from agentrollouts.cli.evals.junit import junit
from agentrollouts.cli.mistakes import WrongUseError

MOST_BYTES: Final = 256 * 2**20
"""Size of the largest file; a log with every message of ten thousand cases has fewer."""
_SHOWN: Final = 64
"""Characters of a value that a message shows."""
_LETTERS: Final[Mapping[str, float]] = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Scores that Inspect writes as letters: correct, partial, incorrect, no answer."""


def read_cases(kind: Format, name: str, scoring: Scoring) -> Cases:
    """The cases of a file. Raises `WrongUseError`."""
    try:
        if Path(name).stat().st_size > MOST_BYTES:
            raise WrongUseError(f"{name}: has more than {MOST_BYTES // 2**20} MiB; name a file of results")
        content = Path(name).read_bytes()
    except OSError as error:
        raise WrongUseError(f"{name}: cannot be read: {error.strerror or error}") from None
    cases = READERS[kind](name, content, scoring)
    if not cases.total:
        raise WrongUseError(f"{name}: has no case that was run; run the evals first")
    return cases


def _promptfoo(name: str, content: bytes, _: Scoring) -> Cases:
    """`results.stats`: successes, failures and errors."""
    stats = _field(name, _json(name, content), "results.stats")
    counts = {key: _count(name, f"results.stats.{key}", stats.get(key, 0)) for key in _STATS}
    failed = counts["failures"] + counts["errors"]
    return Cases(failed, counts["successes"] + failed, counts["errors"])


_STATS: Final = ("successes", "failures", "errors")


def _inspect(name: str, content: bytes, scoring: Scoring) -> Cases:
    """The score of each sample by one scorer."""
    log = _json(name, content)
    if log.get("status") != "success":
        raise WrongUseError(f"{name}: status is {_shown(log.get('status'))}, not success; run the eval again")
    samples = log.get("samples")
    if not isinstance(samples, list):
        raise WrongUseError(f"{name}: samples: must be a list; dump the log with its samples")
    failed = errors = 0
    for index, sample in enumerate(samples):
        place = f"{name}: samples[{index}]"
        if not isinstance(sample, dict):
            raise WrongUseError(f"{place}: must be an object")
        if sample.get("error"):
            errors += 1
        failed += bool(sample.get("error")) or _score(place, sample, scoring) < scoring.pass_at
    return Cases(failed, len(samples), errors)


def _score(place: str, sample: Mapping[str, Any], scoring: Scoring) -> float:
    scores = sample.get("scores")
    if not isinstance(scores, dict) or not scores:
        raise WrongUseError(f"{place}.scores: is missing; score the log first (`inspect score`)")
    if scoring.scorer is None and len(scores) > 1:
        names = ", ".join(_shown(each) for each in list(scores)[:8])
        raise WrongUseError(f"{place}.scores: has {names}; name one with --scorer")
    scorer = next(iter(scores)) if scoring.scorer is None else scoring.scorer
    score = scores.get(scorer)
    value = score.get("value") if isinstance(score, dict) else None
    if isinstance(value, str):
        value = _LETTERS.get(value)
    if not isinstance(value, int | float):
        raise WrongUseError(
            f"{place}.scores.{_shown(scorer)}.value: must be a number or one of C, I, P and N"
        )
    return float(value)


def _junit(name: str, content: bytes, _: Scoring) -> Cases:
    return junit(name, content)


READERS: Final[Mapping[Format, Callable[[str, bytes, Scoring], Cases]]] = {
    Format.PROMPTFOO: _promptfoo,
    Format.INSPECT: _inspect,
    Format.JUNIT: _junit,
}
"""How each format is read."""


def _json(name: str, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise WrongUseError(f"{name}: is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise WrongUseError(f"{name}: must be a JSON object")
    return value


def _field(name: str, value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401 any JSON
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise WrongUseError(f"{name}: {path}: is missing; name a file of that format")
    return value


def _count(name: str, path: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2**53:
        raise WrongUseError(f"{name}: {path}: must be a number of cases")
    return value


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
