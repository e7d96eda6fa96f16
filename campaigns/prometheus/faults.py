"""The catalog of what can go wrong between the agents' counters and the judge.

Each fault says where it is done, what the object must say while it lasts, and what may follow. `doors` and
`agents` do it, `prometheus_faults` judges.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from campaigns.prometheus import misbehavior
from campaigns.prometheus.misbehavior import (
    Manner,
    altered,
    fails,
    redirects,
    result,
    says,
    text,
    valued,
    without,
)

MAIN: Final = 4
"""The first faults of the catalog are in every sample: those that other tools were measured on."""


class Place(Enum):
    """Where a fault is done."""

    ANSWER = auto()
    """What is answered to a request."""
    NOBODY = auto()
    """Nobody listens."""
    NO_NAME = auto()
    """The settings name a host that has no address."""
    CERTIFICATE = auto()
    """A server with the certificate of another one."""
    NO_TLS = auto()
    """A server that does not speak TLS where it should."""
    AGENT = auto()
    """What the agent exports; Prometheus is well."""
    PROMETHEUS_KILLED = auto()
    """The server itself ends, and starts again."""
    PROMETHEUS_FROZEN = auto()
    """The server itself stops: its port is open, nobody answers, nothing is scraped."""


class Effect(Enum):
    """What may follow."""

    HOLDS = auto()
    """The canary keeps its weight."""
    MISSING = auto()
    """A metric seems not to exist: the canary keeps its weight, and goes back where `noData: Fail` asks."""
    HARMLESS = auto()
    """Nothing is wrong; only a rollback would be."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    told: str
    """What a condition of the rollout must say meanwhile."""
    manner: Manner | None = None
    place: Place = Place.ANSWER
    effect: Effect = Effect.HOLDS
    lingers: float = 0.0
    """Seconds after its end for which the operator rightly distrusts what it sees."""

    @property
    def is_tls(self) -> bool:
        """Whether the source is asked by https."""
        return self.place in {Place.CERTIFICATE, Place.NO_TLS}


_CREDENTIALS: Final = "check bearerTokenFile"
_LATE: Final = "no response within 2 s"
_NO_COUNT: Final = "is not a valid count"
_NO_USE: Final = "its response is unusable"
_REDIRECT: Final = "a redirect, which is not followed"

FAULTS: Final[Sequence[Fault]] = (
    Fault("nan", _NO_COUNT, valued("NaN")),
    Fault("empty", "does the agent export it", without(), effect=Effect.MISSING),
    Fault("refused", "no connection", place=Place.NOBODY),
    Fault("hang", _LATE, misbehavior.hang),
    # the connection
    Fault("no-name", "no connection", place=Place.NO_NAME),
    Fault("certificate-of-another", "its certificate", place=Place.CERTIFICATE),
    Fault("http-for-https", "does not speak TLS", place=Place.NO_TLS),
    Fault("hang-in-body", _LATE, misbehavior.hang_in_body),
    Fault("slow-30s", _LATE, misbehavior.slow),
    Fault("drip-head", _LATE, misbehavior.drip_head),
    Fault("drip-body", _LATE, misbehavior.drip_body),
    Fault("vanish", "no connection", misbehavior.vanish),
    Fault("break-off", "its response ends early", misbehavior.break_off),
    Fault("not-http", "not HTTP", misbehavior.gibberish),
    Fault("62-mb", "longer than", misbehavior.flood),
    Fault("gzip-bomb", "it is not JSON", misbehavior.bomb),
    # the status
    Fault("204", "it responded with HTTP 204", says(204)),
    Fault("302", _REDIRECT, redirects(302)),
    Fault("307", _REDIRECT, redirects(307)),
    Fault("400", "the error type bad_data", fails(400, "bad_data")),
    Fault("400-plain", "it responded with HTTP 400", says(400)),
    Fault("401", _CREDENTIALS, says(401)),
    Fault("403", _CREDENTIALS, says(403)),
    Fault("404", "there is no query API at this address", says(404)),
    Fault("422", "the error type execution", fails(422, "execution")),
    Fault("429", "it receives too many requests", says(429)),
    Fault("500", "it responded with HTTP 500", says(500)),
    Fault("502-html", "it responded with HTTP 502", says(502, "<html>")),
    Fault("503", "the error type unavailable", fails(503, "unavailable")),
    Fault("503-timeout", "the error type timeout", fails(503, "timeout")),
    Fault("error-with-200", "the error type internal", fails(200, "internal")),
    Fault("unknown-error-with-200", "it responded with HTTP 200, but not", fails(200, "eldritch")),
    # the body
    Fault("html-with-200", "it is not JSON", says(200, "<html>")),
    Fault("no-body", "it is not JSON", text("")),
    Fault("cut-json", "it ends early", misbehavior.cut_json),
    Fault("null", _NO_USE, text("null")),
    Fault("deep-json", "it is not JSON", text("[" * 200_000)),
    Fault("scalar", "not a vector", result("scalar")),
    Fault("string", "not a vector", result("string")),
    Fault("matrix", "not a vector", result("matrix")),
    Fault("empty-matrix", "not a vector", result("matrix", empty=True)),
    # the data
    Fault("warnings", "something might be missing", misbehavior.with_field("warnings", ["a store is away"])),
    Fault("partial", "a partial result", misbehavior.with_field("isPartial", value=True)),
    Fault("another-time", "another time", altered(misbehavior.another_time)),
    Fault("nan-of-canary", _NO_COUNT, valued("NaN", term=".increase", release="2.0.0")),
    Fault("nan-of-stable", _NO_COUNT, valued("NaN", term=".increase", release="1.0.0")),
    Fault("infinite", _NO_COUNT, valued("+Inf")),
    Fault("minus-infinite", _NO_COUNT, valued("-Inf")),
    Fault("negative", _NO_COUNT, valued("-3", term=".increase")),
    Fault("astronomic", _NO_COUNT, valued("1e300")),
    Fault("not-a-number", "not a number", valued("many")),
    Fault("foreign-rows", "not queried", altered(misbehavior.foreign_rows)),
    Fault("row-twice", "returned twice", altered(misbehavior.twice)),
    Fault("two-replicas", "returned twice", altered(misbehavior.two_series)),
    Fault("thousands-of-rows", "returned twice", altered(misbehavior.thousands)),
    Fault("stale-samples", "s old, more than", misbehavior.shifted(-300, term=".newest")),
    Fault("future-samples", "from the future", misbehavior.shifted(300, term=".newest")),
    Fault("without-stable", "does the agent export it", without(release="1.0.0"), effect=Effect.MISSING),
    Fault("without-canary", "does the agent export it", without(release="2.0.0"), effect=Effect.MISSING),
    Fault("without-times", "stopped reporting", without(term=".newest")),
    Fault("without-scrapes", "0 of 4 scrapes", without(term=".scrapes")),
    Fault("infos", "", misbehavior.with_field("infos", ["a remark"]), effect=Effect.HARMLESS),
    # the agent
    Fault("agent-exports-nan", _NO_COUNT, place=Place.AGENT),
    Fault("agent-gone", "stopped reporting", place=Place.AGENT),
    Fault("counter-reset", "", place=Place.AGENT, effect=Effect.HARMLESS),
    Fault("counter-resets", "more often than its process can restart", place=Place.AGENT, lingers=300),
)

WHOLE: Final[Sequence[Fault]] = (
    Fault("prometheus-killed", "no connection", place=Place.PROMETHEUS_KILLED),
    Fault("prometheus-frozen", _LATE, place=Place.PROMETHEUS_FROZEN),
)
"""Faults of the one Prometheus, and so of everybody; each is played by itself."""


def sample(size: int, seed: int) -> list[Fault]:
    """Some faults: the main ones, and others by chance; none that needs longer than a sample lasts."""
    others = [fault for fault in FAULTS[MAIN:] if fault.place is not Place.NO_NAME and not fault.lingers]
    chosen = random.Random(seed).sample(others, min(len(others), max(0, size - MAIN)))
    return [*FAULTS[:MAIN][:size], *chosen]
