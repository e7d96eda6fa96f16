"""Inputs: what a server on loopback does, a kubeconfig. Outputs: what is returned, raised, and sent.

How the real API server answers is tested in tests/e2e/parts/test_cluster.py.
"""

import asyncio
import inspect
import json
import os
import re
import signal
import stat
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.calls import encoded
from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NoCredentialsError,
    NotFoundError,
    NotServedError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.pages import PAGE
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from tests.adapters.server import Behavior, answer, hang, serving

DEADLINE = 0.4
TOLERANCE = 20.0
"""What a busy machine may add to a deadline; without it, a call would never end, or only after 30 s."""
TOKEN = "t0ken-of-the-operator"  # noqa: S105 - it protects nothing
ROUTE = Ref("HTTPRoute", "support", "agent")
MANIFEST: Manifest = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {
        "namespace": "support",
        "name": "agent",
        "resourceVersion": "7",
        "uid": "u",
        "labels": {"a": "b"},
    },
    "spec": {"rules": []},
    "status": {"conditions": []},
}
EVENT: Manifest = {"apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "support", "name": "e"}}
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/support/httproutes"

VERBS: dict[str, Callable[[Cluster], Awaitable[object]]] = {
    "get": lambda cluster: cluster.get(ROUTE),
    "list": lambda cluster: cluster.list("HTTPRoute"),
    "apply": lambda cluster: cluster.apply(MANIFEST),
    "replace_status": lambda cluster: cluster.replace_status(MANIFEST),
    "create": lambda cluster: cluster.create(EVENT),
    "patch": lambda cluster: cluster.patch(ROUTE, [{"op": "test", "path": "/spec", "value": {}}]),
    "delete_version": lambda cluster: cluster.delete_version(MANIFEST),
}


def kubeconfig(folder: Path, url: str, user: Mapping[str, object]) -> Path:
    """A kubeconfig for one server and one user."""
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": dict(user)}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(content))
    return path


@asynccontextmanager
async def connected(
    folder: Path,
    url: str,
    calls: list[tuple[str, str, str]] | None = None,
    may_write: Callable[[], bool] = lambda: True,
) -> AsyncIterator[Cluster]:
    """A connection with a token, closed at the end; `calls` collects what the metrics get."""

    def on_call(verb: str, kind: str, code: str, seconds: float) -> None:
        assert 0 <= seconds < DEADLINE + TOLERANCE
        if calls is not None:
            calls.append((verb, kind, code))

    path = kubeconfig(folder, url, {"token": TOKEN})
    cluster = await Cluster.connect(path, on_call=on_call, may_write=may_write, timeout_seconds=DEADLINE)
    try:
        yield cluster
    finally:
        await cluster.close()


def good(content: object) -> Behavior:
    """A success with this JSON."""
    return answer(200, json.dumps(content).encode(), "Content-Type: application/json")


def status(
    code: int, message: str = "no", *headers: str, reason: str = "Unknown", **details: str
) -> Behavior:
    """A refusal in the API server's form."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    more = {"reason": reason} | ({"details": details} if details else {})
    return answer(code, json.dumps(body | more).encode(), *headers)


@pytest.mark.parametrize(
    ("verb", "line", "query"),
    [
        ("get", f"GET {ROUTES}/agent", {}),
        ("list", "GET /apis/gateway.networking.k8s.io/v1/httproutes", {"limit": [str(PAGE)]}),
        ("apply", f"PATCH {ROUTES}/agent", {"fieldManager": ["agentrollouts"], "force": ["true"]}),
        ("replace_status", f"PUT {ROUTES}/agent/status", {"fieldManager": ["agentrollouts"]}),
        ("create", "POST /api/v1/namespaces/support/events", {"fieldManager": ["agentrollouts"]}),
        ("patch", f"PATCH {ROUTES}/agent", {"fieldManager": ["agentrollouts"]}),
        ("delete_version", f"DELETE {ROUTES}/agent", {}),
    ],
)
async def test_each_verb_is_one_request(
    verb: str, line: str, query: dict[str, list[str]], tmp_path: Path
) -> None:
    """A verb costs one round trip, with the token, to the path of its kind, and is counted once."""
    calls: list[tuple[str, str, str]] = []
    async with serving(good({"items": []})) as server, connected(tmp_path, server.url, calls) as cluster:
        await VERBS[verb](cluster)
    (request,) = server.requests
    method, target, _ = request.line.split(" ")
    assert f"{method} {urlsplit(target).path}" == line
    assert parse_qs(urlsplit(target).query) == query
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    name = verb.removesuffix("_version")
    assert calls == [(name, "Event" if verb == "create" else "HTTPRoute", "200")]


@pytest.mark.parametrize("verb", VERBS)
async def test_without_the_lease_nothing_is_written(verb: str, tmp_path: Path) -> None:
    """A replica that may not write reads as before, and none of its writes reaches the API server."""
    async with (
        serving(good({"items": []})) as server,
        connected(tmp_path, server.url, may_write=bool) as cluster,
    ):
        if verb in {"get", "list"}:
            await VERBS[verb](cluster)
        else:
            with pytest.raises(UnavailableError, match="this replica does not hold the Lease"):
                await VERBS[verb](cluster)
    assert len(server.requests) == (verb in {"get", "list"})


async def test_an_apply_sends_json_as_an_apply_patch(tmp_path: Path) -> None:
    """The manifest goes as it is; another manager without force is said so."""
    async with serving(good(MANIFEST)) as server, connected(tmp_path, server.url) as cluster:
        assert await cluster.apply(MANIFEST, manager="other", force=False) == MANIFEST
    (request,) = server.requests
    assert request.headers["content-type"] == "application/apply-patch+yaml"
    assert json.loads(request.body) == MANIFEST
    assert request.line.endswith("?fieldManager=other HTTP/1.1")


async def test_a_status_is_sent_without_the_rest_of_the_object(tmp_path: Path) -> None:
    """Only identity, version and status travel: the API server takes nothing else from there."""
    async with serving(good(MANIFEST)) as server, connected(tmp_path, server.url) as cluster:
        await cluster.replace_status(MANIFEST)
    assert json.loads(server.requests[0].body) == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"namespace": "support", "name": "agent", "resourceVersion": "7", "uid": "u"},
        "status": {"conditions": []},
    }


async def test_a_status_without_a_version_is_a_bug(tmp_path: Path) -> None:
    """A status that could overwrite a newer one is not sent."""
    blind = MANIFEST | {"metadata": {"namespace": "support", "name": "agent"}}
    async with serving(good({})) as server, connected(tmp_path, server.url) as cluster:
        with pytest.raises(ValueError, match="resourceVersion"):
            await cluster.replace_status(blind)
    assert server.requests == []


async def test_a_list_names_kind_and_labels(tmp_path: Path) -> None:
    """Items of a list carry their kind, as single objects do, and the selector is that of the labels."""
    items = good({"kind": "ServiceList", "items": [{"metadata": {"name": "a"}}]})
    async with serving(items) as server, connected(tmp_path, server.url) as cluster:
        listed = await cluster.list("ConfigMap", "support", {"a": "b", "c/d": "e"})
    assert listed == [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}]
    target = urlsplit(server.requests[0].line.split(" ")[1])
    assert (target.path, parse_qs(target.query)) == (
        "/api/v1/namespaces/support/configmaps",
        {"labelSelector": ["a=b,c/d=e"], "limit": [str(PAGE)]},
    )


async def test_a_long_list_is_read_page_by_page(tmp_path: Path) -> None:
    """Each page is asked for with the word of the one before, until there is none."""
    pages = iter(
        [
            good({"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "there is more"}}),
            good({"items": [{"metadata": {"name": "b"}}], "metadata": {}}),
        ]
    )

    async def next_page(writer: asyncio.StreamWriter) -> None:
        await next(pages)(writer)

    async with serving(next_page) as server, connected(tmp_path, server.url) as cluster:
        listed = [
            [manifest["metadata"]["name"] for manifest in page] async for page in cluster.pages("ConfigMap")
        ]
    queries = [parse_qs(urlsplit(request.line.split(" ")[1]).query) for request in server.requests]
    assert listed == [["a"], ["b"]]
    assert queries == [{"limit": [str(PAGE)]}, {"limit": [str(PAGE)], "continue": ["there is more"]}]


async def test_a_dry_run_creates_under_a_name_that_the_server_picks(tmp_path: Path) -> None:
    """The query says that nothing is to be stored, and an error names what there is of a name."""
    action = {"kind": "AgentRolloutAction", "metadata": {"namespace": "support", "generateName": "agent-"}}
    async with serving(good(action)) as server, connected(tmp_path, server.url) as cluster:
        await cluster.create(action, dry_run=True)
        server.behavior = status(403, "may not")
        with pytest.raises(ForbiddenError, match="create AgentRolloutAction support/agent-: may not"):
            await cluster.create(action, dry_run=True)
    method, target, _ = server.requests[0].line.split(" ")
    assert (method, urlsplit(target).path) == (
        "POST",
        "/apis/agentrollouts.dev/v1alpha1/namespaces/support/agentrolloutactions",
    )
    assert parse_qs(urlsplit(target).query) == {"fieldManager": ["agentrollouts"], "dryRun": ["All"]}


async def test_a_review_has_neither_a_name_nor_a_namespace(tmp_path: Path) -> None:
    """It is sent to the path of its kind, and the answer is what it is for."""
    review = {"kind": "SelfSubjectReview", "status": {"userInfo": {"username": "dana"}}}
    async with serving(good(review)) as server, connected(tmp_path, server.url) as cluster:
        assert await cluster.create({"kind": "SelfSubjectReview"}) == review
        server.behavior = status(403, "may not")
        with pytest.raises(ForbiddenError, match="Failed to create SelfSubjectReview: may not"):
            await cluster.create({"kind": "SelfSubjectReview"})
    assert urlsplit(server.requests[0].line.split(" ")[1]).path == (
        "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    )


async def test_an_absent_object_is_none(tmp_path: Path) -> None:
    """Not being there is an answer to `get`."""
    absent = status(404, "not found", name="agent", kind="httproutes")
    async with serving(absent) as server, connected(tmp_path, server.url) as cluster:
        assert await cluster.get(ROUTE) is None


REFUSALS: dict[str, tuple[Behavior, type[ClusterError], str]] = {
    "conflict": (status(409, "the object has been modified"), ConflictError, "the object has been modified"),
    "exists": (
        status(409, "already exists", reason="AlreadyExists"),
        AlreadyExistsError,
        "already exists",
    ),
    "gone": (status(404, 'ns "x" not found', name="x", kind="namespaces"), NotFoundError, 'ns "x" not found'),
    "kind unknown, plain text": (
        answer(404, b"404 page not found\n"),
        NotServedError,
        "does not serve this kind",
    ),
    "kind unknown, as a status": (status(404, "could not find"), NotServedError, "does not serve this kind"),
    "forbidden": (status(403, "may not"), ForbiddenError, "may not"),
    "invalid": (status(422, "spec.x:\n  Invalid\tvalue"), InvalidError, "spec.x: Invalid value"),
    "malformed": (status(400, "strict decoding error"), InvalidError, "strict decoding error"),
    "overloaded": (status(429, "slow down"), UnavailableError, "slow down"),
    "denied, 404": (status(404, 'admission webhook "x" denied'), ForbiddenError, 'webhook "x" denied'),
    "denied, 409": (status(409, 'admission webhook "x" denied'), ForbiddenError, 'webhook "x" denied'),
    "internal": (status(500, "etcd"), UnavailableError, "etcd"),
    "gateway": (
        answer(502, b"<html>secret</html>"),
        UnavailableError,
        "HTTP 502 and no message from the API server",
    ),
    "HTML with 200": (
        answer(200, b"<html>"),
        UnavailableError,
        "HTTP 200 and no message from the API server",
    ),
    "cut JSON": (answer(200, b'{"kind":'), UnavailableError, "HTTP 200 and no message from the API server"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_each_refusal_has_its_class_and_the_servers_message(name: str, tmp_path: Path) -> None:
    """What the caller can act on is the class; the text says which call failed and why, on one line."""
    behavior, kind, message = REFUSALS[name]
    async with serving(behavior) as server, connected(tmp_path, server.url) as cluster:
        with pytest.raises(ClusterError) as caught:
            await cluster.apply(MANIFEST)
    assert type(caught.value) is kind
    assert str(caught.value).startswith("Failed to apply HTTPRoute support/agent: ")
    assert message in str(caught.value)


async def test_a_long_message_is_cut(tmp_path: Path) -> None:
    """A validation message may repeat a whole object; the error's text stays short."""
    async with serving(status(422, "x" * 100_000)) as server, connected(tmp_path, server.url) as cluster:
        with pytest.raises(InvalidError) as caught:
            await cluster.apply(MANIFEST)
    assert len(str(caught.value)) < 600


async def test_the_wait_that_the_server_asks_for_is_kept(tmp_path: Path) -> None:
    """Retry-After in seconds is given on; anything else in it is not."""
    async with (
        serving(status(429, "no", "Retry-After: 3")) as server,
        connected(tmp_path, server.url) as cluster,
    ):
        waits = []
        for behavior in (server.behavior, status(503, "no", "Retry-After: Sat, 21 Nov 2026 10:00:00 GMT")):
            server.behavior = behavior
            with pytest.raises(UnavailableError) as caught:
                await cluster.get(ROUTE)
            waits.append(caught.value.retry_after)
    assert waits == [3.0, None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("verb", VERBS)
async def test_no_redirect_is_followed(verb: str, status: int, tmp_path: Path) -> None:
    """Neither a body nor a token reaches the host that the API server names; the error says what to do."""
    async with serving(answer(200, b"{}")) as other:
        where = f"Location: http://user:secret@127.0.0.1:{other.port}/stolen"
        async with serving(answer(status, b"", where)) as server, connected(tmp_path, server.url) as cluster:
            with pytest.raises(
                UnavailableError, match=f"HTTP {status}, a redirect, is not followed"
            ) as raised:
                await VERBS[verb](cluster)
        assert (len(server.requests), other.connections) == (1, 0)
        assert "secret" not in str(raised.value)


def test_every_verb_is_in_the_table() -> None:
    """The deadline is tested for every public method that talks to the API server."""
    public = {name for name, _ in inspect.getmembers(Cluster, inspect.iscoroutinefunction) if name[0] != "_"}
    assert public - {"connect", "close"} == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
async def test_every_verb_ends_at_its_deadline(verb: str, tmp_path: Path) -> None:
    """No call waits longer than the timeout for a server that does not answer."""
    calls: list[tuple[str, str, str]] = []
    async with serving(hang) as server, connected(tmp_path, server.url, calls) as cluster:
        started = time.monotonic()
        with pytest.raises(UnavailableError, match=r"did not respond within 0\.4 s"):
            await VERBS[verb](cluster)
        assert time.monotonic() - started < DEADLINE + TOLERANCE
    assert [code for _, _, code in calls] == ["timeout"]


async def test_a_dripping_answer_ends_at_the_deadline(tmp_path: Path) -> None:
    """Bytes that keep coming do not extend the deadline."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as server, connected(tmp_path, server.url) as cluster:
        started = time.monotonic()
        with pytest.raises(UnavailableError):
            await cluster.get(ROUTE)
        assert time.monotonic() - started < DEADLINE + TOLERANCE


async def test_a_refused_connection_is_unavailable(tmp_path: Path) -> None:
    """A server that is down is an error of its own class, without our token in the text."""
    calls: list[tuple[str, str, str]] = []
    async with serving(hang) as server:
        url = server.url
    async with connected(tmp_path, url, calls) as cluster:
        with pytest.raises(UnavailableError) as caught:
            await cluster.apply(MANIFEST)
    assert "not reachable" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert calls == [("apply", "HTTPRoute", "unreachable")]


async def test_connections_are_reused(tmp_path: Path) -> None:
    """A second call pays for no second connection."""
    async with serving(good({})) as server, connected(tmp_path, server.url) as cluster:
        for _ in range(5):
            await cluster.apply(MANIFEST)
    assert (server.connections, len(server.requests)) == (1, 5)


async def test_an_expired_token_is_read_again(tmp_path: Path) -> None:
    """A 401 makes the credentials be read once more and the call be repeated once, not for ever."""
    token = tmp_path / "token"
    token.write_text("old")
    async with serving(status(401, "Unauthorized")) as server:
        path = kubeconfig(tmp_path, server.url, {"tokenFile": str(token)})
        cluster = await Cluster.connect(path, timeout_seconds=DEADLINE)
        token.write_text("new")
        with pytest.raises(ForbiddenError):
            await cluster.get(ROUTE)
        with pytest.raises(ForbiddenError):
            await cluster.get(ROUTE)
        await cluster.close()
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer old", "Bearer new", "Bearer new"]


@pytest.mark.parametrize("name", ["..", "a/b", "a?b", "A", "", "a%2fb", "a" * 254, "-a", "a\n"])
async def test_a_text_that_is_no_name_reaches_no_path(name: str, tmp_path: Path) -> None:
    """A reference out of a tenant's object cannot ask for anything but an object of its kind."""
    async with serving(good({})) as server, connected(tmp_path, server.url) as cluster:
        for ref in (Ref("ConfigMap", "support", name), Ref("ConfigMap", name, "a")):
            with pytest.raises(InvalidError):
                await cluster.get(ref)
    assert server.requests == []


@pytest.mark.parametrize("content", [None, "", "[]", "a: [", "clusters: 3", "current-context: x"])
async def test_a_kubeconfig_that_is_none_is_named(content: str | None, tmp_path: Path) -> None:
    """Whatever is wrong with the file, the error is one class and names the file."""
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(NoCredentialsError, match=str(path)):
        await Cluster.connect(path)


async def test_a_hanging_credential_program_ends_at_the_deadline(tmp_path: Path) -> None:
    """A program that should print a token and does not cannot hold the start."""
    program = tmp_path / "program"
    pid = tmp_path / "pid"
    program.write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 30\n")
    program.chmod(stat.S_IRWXU)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}}
    started = time.monotonic()
    with pytest.raises(NoCredentialsError, match=r"not finished within 0\.4 s"):
        await Cluster.connect(kubeconfig(tmp_path, "http://127.0.0.1:1", user), timeout_seconds=DEADLINE)
    assert time.monotonic() - started < DEADLINE + TOLERANCE
    await ended(int(pid.read_text()))


async def ended(pid: int) -> None:
    """End the program that the client leaves behind, before the loop that watches it closes."""
    os.kill(pid, signal.SIGKILL)
    for thread in threading.enumerate():
        if "waitpid-" in thread.name:  # asyncio's, one for each child
            await asyncio.to_thread(thread.join)
    for _ in range(10):  # the exit, then the end of each pipe, each told in a turn of its own
        await asyncio.sleep(0)


async def test_the_environment_names_the_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """KUBECONFIG is looked at when no file is given, at the time of the call."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(NoCredentialsError, match="missing"):
        await Cluster.connect()


async def test_a_pod_without_a_service_account_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod the service account is used, and its absence is named."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(NoCredentialsError, match="service account"):
        await Cluster.connect()


@given(
    text=st.text(st.characters(), max_size=40) | st.text(st.characters(categories=["Cs", "Cc", "Zl", "Zp"]))
)
@example("🙂")
@example("\ud83d")
@example("\ud83d\ude42")
@example("\x7f\x85\x9f\u2028\ufeff\ufffe\uffff\U0001fffe")
@example("x" * 1_000_000)
def test_what_is_sent_is_utf_8_for_readers_of_json_and_of_yaml(text: str) -> None:
    """Any text, as a key or a value, arrives as it is; only halves of surrogate pairs become U+FFFD."""
    body = encoded({"metadata": {"annotations": {"text": text, text[:100]: "key"}}})

    whole = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    expected = {"metadata": {"annotations": {"text": whole, whole[:100]: "key"}}}
    assert json.loads(body.decode()) == expected
    assert not re.search(r"\\u[dD][89a-fA-F]", body.decode().replace("\\\\", ""))
    if len(text) <= 100:
        assert yaml.safe_load(body.decode()) == expected
