"""Log lines, as JSON or as text: each with its fields, none forged by a value, none with a secret in it.

Set up once by `main` for the whole process, kopf and the clients included. What is redacted is the
finished line, so message, arguments, fields and tracebacks are all covered. Messages are in the Kubernetes
style: past tense for failures, no final period, the kind named, values as fields (`extra`).
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal


def set_up_logging(form: Literal["json", "console"], level: str, secrets: Iterable[str] = ()) -> None:
    """Sends all log lines and uncaught exceptions of the process to standard error, redacted.

    Args:
        form: `json` gives one object a line, `console` gives text.
        level: The least severity that is written.
        secrets: Values that are never written, whatever they look like.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter(form, secrets))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    log = logging.getLogger("agentrollouts")
    sys.excepthook = lambda kind, error, trace: log.critical("Crashed", exc_info=(kind, error, trace))
    threading.excepthook = lambda args: log.error("Thread crashed", exc_info=args.exc_value or True)


class Formatter(logging.Formatter):
    """One record: message, fields (whatever was given as `extra`) and traceback, redacted.

    A JSON record is one line; as text, the lines of a traceback follow it, indented.

    Args:
        form: `json` or `console`.
        secrets: Values to blot out wherever they stand.
    """

    def __init__(self, form: Literal["json", "console"], secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._is_json = form == "json"
        words = {word for secret in secrets if secret for word in (secret, json.dumps(secret)[1:-1])}
        pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        self._secrets = re.compile(f"{pattern}|{_REVEALING}" if pattern else _REVEALING)

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = (
            datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD | _KOPF}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        head = {
            "time": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line = json.dumps(head | fields, default=str) if self._is_json else _console(head, fields)
        return self._secrets.sub(_BLOT, line)


_BLOT: Final = "[redacted]"
_REVEALING: Final = (
    r"(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
    r"|(?<=://)[^\s/:@\"\\]{0,128}:[^\s/@\"\\]{1,128}(?=@)"
    r"|\b(?:sk-|gh[opsur]_|github_pat_|glpat-|xox[abeoprs]-|hf_|hvs\.|AKIA|AIza)[\w-]{12,}"
)
"""Authorization values, JSON web tokens, user and password in a URL, and keys with a known prefix."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every record has."""
_KOPF: Final = frozenset({"settings", "k8s_skip"})
"""What kopf hangs onto its records for its own use; all other attributes are fields."""


def _console(head: dict[str, str], fields: dict[str, Any]) -> str:
    """Text for people, control characters escaped: no value forges a line or colors a terminal."""
    details = "".join(f" {key}={value!s}" for key, value in fields.items() if key != "error")
    line = _escaped(f"{head['time']} {head['level']:<8} {head['message']}{details}")
    trace = str(fields.get("error", "")).splitlines()
    return "\n".join([line, *(f"    | {_escaped(text)}" for text in trace)])


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
