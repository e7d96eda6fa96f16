"""How `check --probe` asks: over a socket that leads nowhere else, with an end, and without the body."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click
import pytest

from agentrollouts.insight.check.lines import Answer
from agentrollouts.plugin.checking import probe
from agentrollouts.plugin.checking.probe import ask
from agentrollouts.plugin.commands.check import ProbePath
from testkit.builders.names import AGENT, NEW, OLD
from testkit.builders.rollouts import a_rollout
from tests.plugin.fake import Done, fake, run

HEAD: Final = b"HTTP/1.1 200 OK\r\nAgent-Release: a-1\r\nagent-release-digest: sha256:1\r\n\r\n"
NAMED: Final = Answer(200, ("a-1",), ("sha256:1",))
FLAGS: Final = ("--context=prod", "--as=dana")


@contextmanager
def answering(folder: Path, *parts: bytes, is_open: bool = False) -> Iterator[tuple[Path, list[bytes]]]:
    """A socket that answers one request with these bytes, and what it was sent."""
    found, asked = folder / "socket", list[bytes]()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(found))
        server.listen()
        over = threading.Event()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65_536))
                with suppress(BrokenPipeError):  # what is too long is not read
                    for each in parts:
                        connection.sendall(each)
                if is_open:
                    over.wait()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield found, asked
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ([HEAD], NAMED),
        ([HEAD[:9], HEAD[9:40], HEAD[40:]], NAMED),
        ([b"HTTP/1.1 103 Early Hints\r\nagent-release: b\r\n\r\n", HEAD], NAMED),
        ([HEAD, b"x" * 1_000], NAMED),
        ([b"HTTP/1.1 302\r\nlocation: /other\r\n\r\n"], Answer(302)),
        (
            [HEAD.replace(b"\r\n\r\n", b"\r\nagent-release: b\r\n\r\n")],
            Answer(200, ("a-1", "b"), ("sha256:1",)),
        ),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], "what it sent is not HTTP"),
        ([b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 200, b"\r\n"], "what it sent is not HTTP"),
        ([b"HTTP/1.1 200 OK\r\n"], "the connection ended before the head of the answer"),
        ([b"HTTP/1.1 200 OK\r\na: ", b"x" * 65_536], "the head of its answer has more than 65536 bytes"),
    ],
)
def test_the_head_is_all_that_counts(tmp_path: Path, parts: list[bytes], answer: Answer | str) -> None:
    """In one piece or many, and after hints. A redirect is an answer, and what is not a head is named."""
    with answering(tmp_path, *parts) as (found, asked):
        assert ask(found, "/healthz") == answer
    assert [each.split(b"\r\n")[0] for each in asked] == [b"GET /healthz HTTP/1.1"]


def test_the_body_is_not_waited_for(tmp_path: Path) -> None:
    """An answer that never ends has its head, and that is enough."""
    with answering(tmp_path, HEAD, is_open=True) as (found, _):
        assert ask(found, "/events") == NAMED


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\n"])
def test_silence_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: bytes) -> None:
    """Who accepts the request and does not complete a head has no answer."""
    monkeypatch.setattr(probe, "SECONDS", 0.1)
    with answering(tmp_path, part, is_open=True) as (found, _):
        assert ask(found, "/") == "no answer within 0.1 s"


def test_nobody_listens(tmp_path: Path) -> None:
    """That is said in the words of the system."""
    assert ask(tmp_path / "socket", "/") == "No such file or directory"


def check(folder: Path, path: str, *, allowed: str = "true", proxy: str = "exit 7") -> Done:
    """Probe a canary with a kubectl that knows nothing else."""
    rollout = a_rollout().serving(OLD).trying(NEW).build().to_json()
    (folder / "rollout.json").write_text(json.dumps(rollout))
    status = rollout["status"]
    services = [
        f"{each['name']}:{each['port']}" for each in (status[s]["service"] for s in ("canary", "stable"))
    ]
    reviews = "\\n".join(f"{allowed} get {each}" for each in services)
    script = f"""
echo "$@" >> {folder}/calls
case "$1 $2" in
  "get agentrollout") cat {folder}/rollout.json ;;
  "get --raw") echo '{{"resources": []}}' ;;
  get*) echo '{{"items": []}}' ;;
  create*) cat > {folder}/reviews; printf '{reviews}\\n' ;;
  proxy*) {proxy} ;;
esac"""
    return run(fake(folder, script), "check", AGENT, "-n", "support", *FLAGS, "--probe", path)


def proxies(folder: Path) -> list[list[str]]:
    """How `kubectl proxy` was started."""
    calls = (folder / "calls").read_text().splitlines()
    return [each.split() for each in calls if each.startswith("proxy ")]


def test_the_proxy_leads_to_these_paths_alone(tmp_path: Path) -> None:
    """Both paths from beginning to end, GET alone, and the flags of the caller; its refusal is printed."""
    done = check(tmp_path, "/a.b/", proxy='echo "Error: no" >&2; exit 7')
    ((_, where, paths, methods, *flags),) = proxies(tmp_path)
    name, accepted = paths.split("=", 1)
    home = r"^/api/v1/namespaces/support/services/"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Error: no\n")
    assert where.startswith("--unix-socket=/")
    assert not Path(where.split("=")[1]).parent.exists()
    assert (name, len(accepted.split(","))) == ("--accept-paths", 2)
    for each in accepted.split(","):
        assert each.replace("\\-", "-").startswith(home)
        assert each.endswith(r"/proxy/a\.b/$")
    assert methods == "--reject-methods=^(HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE)$"
    assert flags == ["--namespace=support", *FLAGS]


def test_without_the_right_nothing_is_started(tmp_path: Path) -> None:
    """The right that is reviewed is that on the Service with its port; the lines name it."""
    done = check(tmp_path, "/healthz", allowed="false")
    reviews = json.loads((tmp_path / "reviews").read_text())["items"]
    assert proxies(tmp_path) == []
    assert done.stdout.count("! you may not send requests to Service") == 2, done
    rights = [each["spec"]["resourceAttributes"] for each in reviews]
    assert {(each["verb"], each["resource"], each["subresource"]) for each in rights} == {
        ("get", "services", "proxy")
    }
    assert all(each["name"].endswith(":8080") for each in rights), rights


@pytest.mark.parametrize(
    "path",
    [
        "healthz",
        "",
        "//",
        "/a//b",
        "/..",
        "/a/../b",
        "/./a",
        "/a/.",
        "/a?b=c",
        "/a#b",
        "/%2e%2e/b",
        "/a\\b",
        "/a b",
        "/a,b",
        "/a\r\nx: y",
        "/a\n",
        "http://example.com/",
        "/a" * 9,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    """Before anything is run, as wrong usage."""
    with pytest.raises(click.BadParameter):
        ProbePath().convert(path, None, None)


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/v1/agents/x:run", "/a/b/", "/...", "/.well-known/agent.json"]
)
def test_a_plain_path_is_taken(path: str) -> None:
    """As it is."""
    assert ProbePath().convert(path, None, None) == path


def test_a_probe_needs_a_rollout(tmp_path: Path) -> None:
    """The installation alone has no release to ask."""
    done = run(fake(tmp_path, "exit 7"), "check", "--probe", "/healthz")
    assert (done.returncode, done.stdout) == (2, "")
    assert "name the rollout" in done.stderr
