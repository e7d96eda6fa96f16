"""kopf as the source of events: it keeps the watches, and each event is taken in, and nothing else.

The outermost layer of the shell. No kopf patch, result, timer, daemon or finalizer: each was measured to
lose work or to block a deletion when the API server stumbles (reliability notes, traps K1 to K6).
"""

import asyncio
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final, cast

import aiohttp
import kopf

from agentrollouts.adapters.cluster.pages import PAGE
from agentrollouts.adapters.cluster.resources import KINDS, Manifest, selector_of
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.resync import WATCHED
from agentrollouts.shell.inputs.session import InputSession, Lists

LOGIN_SECONDS: Final = 2.0
"""Time between two logins at the least: while the API server refuses a token (401), kopf logs in at once."""


def register(registry: kopf.OperatorRegistry, intake: Intake, lists: Lists) -> None:
    """Watch our kinds and our children; all changes feed `intake`, and `lists` makes kopf's lists."""

    def take_in(kind: str, verb: str, manifest: Manifest) -> None:
        manifest = {"apiVersion": KINDS[kind].api_version, "kind": kind} | manifest
        (intake.drop if verb == "DELETED" else intake.put)(manifest)

    next_login = 0.0

    async def log_in_to_watch(**given: Any) -> kopf.AiohttpSession | None:  # noqa: ANN401 as for `log_in`
        nonlocal next_login
        loop = asyncio.get_running_loop()
        await asyncio.sleep(next_login - loop.time())
        next_login = loop.time() + LOGIN_SECONDS
        logged_in = await log_in(**given)
        if logged_in is None:
            return None
        inner, kinds = logged_in.aiohttp_session, frozenset(WATCHED)
        session = InputSession(inner, logged_in.server, kinds, lists, take_in)
        return replace(logged_in, aiohttp_session=cast("aiohttp.ClientSession", session))

    async def watched(**_: object) -> None:
        """Has kopf watch a kind; what it reports has been taken in before."""

    kopf.on.login(registry=registry, id="log-in")(log_in_to_watch)
    for kind in WATCHED:
        kopf.on.event(*_address(kind), registry=registry, id=f"watch-{KINDS[kind].plural}")(watched)


async def log_in(**given: Any) -> kopf.AiohttpSession | None:  # noqa: ANN401 whatever kopf gives its handlers
    """Log kopf in as ever, with a session that follows no redirect: it would lead to another host's objects.

    The session also decides how long kopf waits for a server that is busy.

    The reader of credentials may start a program and wait for it, so it has a thread.
    """
    info = await asyncio.to_thread(kopf.login_via_client, **given)
    if info is None:
        return None
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        proxy=info.proxy_url,
        trust_env=info.trust_env,
        middlewares=(only_answers,),
    )
    return kopf.AiohttpSession(
        server=info.server, default_namespace=info.default_namespace, aiohttp_session=session
    )


async def only_answers(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """An answer of an API server that serves.

    kopf would wait for as long as `Retry-After` says, which can be an hour, and end if that is a date. It
    would also end after a few answers of 500.

    Raises:
        aiohttp.ClientConnectionError: it is a redirect, or says to try again; kopf does so in seconds.
    """
    response = await handler(request)
    status = response.status
    is_busy = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_busy or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        response.close()
        what = f"HTTP {status}" if is_busy else f"HTTP {status}, a redirect, is not followed"
        raise aiohttp.ClientConnectionError(what)
    return response


def configure(settings: kopf.OperatorSettings) -> None:
    """Bounds on everything that kopf does on the network.

    Routes are watched without a selector, since our label on a route of someone else would be one more
    difference from Git.

    kopf looks for no new namespaces and CRDs: `session` says that all kinds are served.
    """
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = (1, 2, 4, 8)
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.reconnect_backoff = 1
    settings.watching.chunk_size = PAGE
    for kind, labels in WATCHED.items():
        if labels:
            settings.watching.label_selectors[_address(kind)] = selector_of(labels)
    settings.queueing.idle_timeout = 0.1  # until then, a task is kept for every namespace that was listed
    settings.queueing.error_delays = (1, 2, 5, 10, 30, 60)
    settings.process.ultimate_exiting_timeout = 10


def _address(kind: str) -> tuple[str, str, str]:
    """Group, version and plural, by which kopf knows a kind."""
    group, _, version = KINDS[kind].api_version.rpartition("/")
    return group, version, KINDS[kind].plural
