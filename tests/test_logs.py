"""Inputs: log records. Output: the text that would be written."""

import json
import logging
from typing import Any, Literal

import pytest

from agentrollouts.logs import Formatter

SECRET = 'pa"ss\\wörd'  # noqa: S105 - it protects nothing; its characters are escaped in JSON
WEB_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"  # noqa: S105 - it opens nothing
FORMS: list[Literal["json", "console"]] = ["json", "console"]


def line(form: Literal["json", "console"], message: str, *args: object, **extra: Any) -> str:  # noqa: ANN401 - a log call
    """A record as it is written."""
    record = logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, message, args, None, extra=extra)
    record.created = 1_764_000_000.25
    return Formatter(form, [SECRET]).format(record)


def crash(text: str, **extra: object) -> logging.LogRecord:
    """A record of an exception whose text, and that of the message, is this."""
    error = ValueError(text)
    logger = logging.getLogger("x")
    exc_info = (ValueError, error, None)
    return logger.makeRecord("x", logging.ERROR, "f", 1, "Failed: %s", (text,), exc_info, extra=extra)


def test_a_json_line_holds_message_and_fields() -> None:
    """One object: time, level, logger, message, and each field given as extra under its own name."""
    assert json.loads(line("json", "Applied %s", "HTTPRoute", namespace="support", count=2)) == {
        "time": "2025-11-24T16:00:00.250Z",
        "level": "info",
        "logger": "x",
        "message": "Applied HTTPRoute",
        "namespace": "support",
        "count": 2,
    }


def test_a_console_line_reads_well() -> None:
    """Time, level, message, then fields as key=value."""
    text = line("console", "Applied %s", "HTTPRoute", namespace="support")
    assert text == "2025-11-24T16:00:00.250Z info     Applied HTTPRoute namespace=support"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("forged", ["a\nERROR b", "a\r\x1b[31mb", "a\x85b\u2028c"])
def test_no_value_forges_a_line(form: Literal["json", "console"], forged: str) -> None:
    """Newlines, carriage returns and terminal codes of a value are written escaped, in message and fields."""
    text = line(form, "Failed to read %s", forged, field=forged)
    assert text.isprintable()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "secret",
    [
        SECRET,
        "Authorization: Bearer abcdefgh.ijkl-mnop",
        "authorization: basic dXNlcjpwYXNz",
        WEB_TOKEN,
        "http://user:hunter2@prometheus:9090",
        "sk-" + "a1" * 16,
        "ghp_" + "a1" * 18,
        "AKIA" + "A1" * 8,
    ],
)
def test_secrets_are_blotted_out(form: Literal["json", "console"], secret: str) -> None:
    """Registered values and texts of the form of a token are gone from message, fields and tracebacks."""
    text = Formatter(form, [SECRET]).format(crash(secret, field=secret))
    needle = secret.rpartition(" ")[2].removeprefix("http://user:").removesuffix("@prometheus:9090")
    assert text.count("[redacted]") == 3
    assert needle not in text
    assert json.dumps(needle)[1:-1] not in text


def test_what_is_no_secret_stays() -> None:
    """Names, digests and addresses are what logs are for."""
    text = "support/agent sha256:0f9a http://prometheus:9090/api token of risk-standard bearer x"
    assert text in line("console", text)


def test_a_json_traceback_is_in_the_same_line() -> None:
    """A record is one line, with its traceback."""
    text = Formatter("json").format(crash("x"))
    assert len(text.splitlines()) == 1
    assert "ValueError: x" in json.loads(text)["error"]


def test_a_console_traceback_cannot_be_taken_for_lines_of_the_log() -> None:
    """The lines of a traceback are indented, so that an error's text forges none."""
    record = crash("x\n2025-11-24T16:00:00.250Z info     Promoted\x1b[2J")
    _, *trace = Formatter("console").format(record).splitlines()
    assert trace
    assert all(text.startswith("    | ") and text.isprintable() for text in trace)
