import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.api.model.text import within_bytes, writable
from agentrollouts.api.objects import Condition
from testkit.builders.names import START

ANY_TEXT = st.text(st.characters(), max_size=60) | st.text(st.characters(categories=["Cs", "Cc", "So"]))
"""All of Unicode as Python knows it, halves of surrogate pairs included."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The canary failed 🙂 in 8 of 19 runs", "The canary failed 🙂 in 8 of 19 runs"),
        ("日本語 ümlaut e\u0301 👩\u200d💻", "日本語 ümlaut e\u0301 👩\u200d💻"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("one\nline\tof\r\ntext", "one line of  text"),
        ("bell \x07 escape \x1b[31m delete \x7f", "bell \ufffd escape \ufffd[31m delete \ufffd"),
        ("a turned \u202egnp.exe", "a turned \ufffdgnp.exe"),
        ("no \ufffe character \uffff", "no \ufffd character \ufffd"),
    ],
)
def test_text_is_kept_and_what_cannot_be_written_is_replaced(text: str, expected: str) -> None:
    """Every script and emoji stays; control characters, halves of pairs and turns of direction do not."""
    assert writable(text, 1024) == expected


@given(text=ANY_TEXT, limit=st.integers(1, 80))
@example("🙂" * 300_000, 1024)
@example("\ud83d" * 1_000_000, 1024)
def test_any_text_becomes_bounded_utf_8(text: str, limit: int) -> None:
    """Characters and bytes are within their limits, and what comes out is UTF-8 that stays as it is."""
    fit, cut = writable(text, limit), within_bytes(text, limit)

    assert len(fit) <= limit
    assert len(cut.encode()) <= limit
    assert (writable(fit, limit), within_bytes(cut, limit)) == (fit, cut)
    assert fit.isprintable() or not any(char in fit for char in "\n\r\t\x00\x1b\x7f")


@given(text=ANY_TEXT)
@example("x" * 1_000_000)
def test_a_condition_takes_any_text(text: str) -> None:
    """A condition is built from any text, and its JSON is UTF-8 within the limit of the CRD."""
    condition = Condition.model_validate(
        {"type": "Ready", "status": "False", "reason": "Held", "message": text, "lastTransitionTime": START}
    )

    assert len(json.dumps(condition.to_json(), ensure_ascii=False).encode().decode()) < 33_000
