"""Which servers count the first value of a series themselves: by their build information, or by the settings.

Input: the answers that the servers document. Not faked: HTTP, threads and deadlines.
"""

import asyncio
from typing import Final

import pytest

from tests.adapters.prometheus.test_client import poll
from tests.adapters.server import Server, answer, hang, serving

VICTORIA: Final = b'{"status":"success","data":{"version":"2.24.0"}}'
PROMETHEUS: Final = (
    b'{"status":"success","data":{"version":"2.42.0","revision":"225c61122d88b01d1f0eaaee0e05b6f3e0567ac0",'
    b'"branch":"HEAD","buildUser":"root@c67d48967507","buildDate":"20230201-07:53:32","goVersion":"go1.19.5"}}'
)
MIMIR: Final = b'{"status":"success","data":{"application":"Grafana Mimir","version":"2.9.0","revision":"x"}}'


async def ask_twice(body: bytes | None, *, status: int = 200, flavor: str = "Auto") -> tuple[bool, list[str]]:
    """Twice whether the server counts births, and what it was asked."""
    async with serving(hang if body is None else answer(status, body)) as server:
        async with poll(server.url, flavor=flavor) as client:
            answers = [await client.counts_births(), await client.counts_births()]
        assert answers[0] == answers[1]
        return answers[0], _lines(server)


def _lines(server: Server) -> list[str]:
    return [request.line for request in server.requests]


@pytest.mark.parametrize(
    ("body", "status", "counts"),
    [
        pytest.param(VICTORIA, 200, True, id="VictoriaMetrics"),
        pytest.param(PROMETHEUS, 200, False, id="Prometheus"),
        pytest.param(MIMIR, 200, False, id="Mimir"),
        pytest.param(b"not found", 404, False, id="none"),
        pytest.param(b"[]", 200, False, id="garbled"),
        pytest.param(None, 200, False, id="hanging"),
    ],
)
def test_the_build_information_tells_victoria_metrics(body: bytes | None, status: int, counts: bool) -> None:  # noqa: FBT001 expected
    """It is asked once; a server that does not tell is taken for Prometheus."""
    counts_births, lines = asyncio.run(ask_twice(body, status=status))

    assert counts_births is counts
    assert lines == ["GET /api/v1/status/buildinfo HTTP/1.1"]


@pytest.mark.parametrize(("flavor", "counts"), [("VictoriaMetrics", True), ("Prometheus", False)])
def test_the_settings_outrank_it(flavor: str, counts: bool) -> None:  # noqa: FBT001 expected
    """A proxy may hide what lies behind it; then nothing is asked."""
    assert asyncio.run(ask_twice(PROMETHEUS if counts else VICTORIA, flavor=flavor)) == (counts, [])
