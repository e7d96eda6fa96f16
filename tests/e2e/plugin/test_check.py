"""What `kubectl agentrollout check`, `who-can` and `dashboard` find on the real API server."""

import json
import re
import signal
import subprocess
from pathlib import Path

from sandbox.stack import Stack
from tests.e2e.manifests import FIRST, routed, service_of
from tests.e2e.people.readers import EDITOR, VIEWER, readers_in
from tests.e2e.plugin.by_kubectl import environment, plugin
from tests.e2e.scene import SECOND, Scene, condition_of
from tests.inside import eventually

METRICS = "MetricsAvailable"
HOOK = {"name": "repair", "at": "AfterRollback", "job": {"cronJob": "repair"}}


def test_what_is_right_has_no_problem(given: Scene, stack: Stack) -> None:
    """A routed canary: every object is found, and a person without rights sees what is unknown."""
    (shop,) = given.in_canary("fine", traffic=routed(given.namespace))
    readers_in(given)
    shop.until("its gates have data", lambda: condition_of(shop.manifest, METRICS).get("status") == "True")

    done = plugin(stack, "check", "fine", "-n", given.namespace)
    viewer = plugin(stack, "check", "fine", "-n", given.namespace, f"--as={VIEWER}", "-o", "json")

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "Installation",
        "Rollout",
        "Agent",
        "no problem",
    ]
    for sentence in (
        r"you may request .*rollback.*",
        r"the API server serves all kinds of agentrollouts\.dev/v1alpha1",
        r"operator and plugin are version \S+",
        r"\S+ leads",
        rf"fine-{SECOND} is Ready",
        rf"Service {service_of(f'fine-{SECOND}')} has a ready endpoint",
        rf"Service {service_of(f'fine-{FIRST}')} has a ready endpoint",
        r"Gateway public accepted HTTPRoute fine and resolved its backends",
        r"Prometheus responds, and the metrics of the gates exist",
    ):
        assert [line for line in lines if re.fullmatch(rf"  ✓ {sentence}", line)], (sentence, done.stdout)
    found = json.loads(viewer.stdout)
    said = {line["sentence"]: line["mark"] for section in found["sections"] for line in section["lines"]}
    assert (viewer.returncode, found["problems"]) == (0, 0)
    assert said["you may request no action in this namespace"] == "Warning"
    assert said[f"you may not read Service {service_of(f'fine-{FIRST}')}"] == "Unknown"


def test_three_problems_are_found(given: Scene, stack: Stack) -> None:
    """A right that the operator lacks, a CronJob without its label, and a fallback that does not exist."""
    cron_job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "repair", "namespace": given.namespace},
        "spec": {
            "schedule": "0 0 1 1 *",
            "suspend": True,
            "jobTemplate": {
                "spec": {
                    "template": {
                        "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}
                    }
                }
            },
        },
    }
    given.api.apply(cron_job)
    shop = given.shop(
        "wrong",
        traffic=routed(given.namespace),
        fallback={"service": {"name": "queue", "port": 8080}},
        hooks=[HOOK],
    )
    shop.until("it waits for a right", lambda: shop.ready.get("reason") == "Forbidden")

    done = plugin(stack, "check", "wrong", "-n", given.namespace)
    unknown = plugin(stack, "check", "lost", "-n", given.namespace)

    problems = [line for line in done.stdout.splitlines() if line.startswith("  ✗")]
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "3 problems"), done.stdout
    assert [line.split()[1:3] for line in problems] == [
        ["the", "rollout"],
        ["CronJob", "repair"],
        ["Service", "queue"],
    ]
    assert "kubectl create rolebinding agentrollouts-hooks" in problems[0]
    assert done.stdout.count("→") == len(problems)
    assert (unknown.returncode, unknown.stdout, '"lost" not found' in unknown.stderr) == (1, "", True)


def test_the_installation_alone_is_checked(stack: Stack, given: Scene) -> None:
    """Without a name, there is one section."""
    done = plugin(stack, "check", "-n", given.namespace)
    assert (done.returncode, done.stdout.splitlines()[0], done.stdout.count("✓")) == (0, "Installation", 4)
    assert "Rollout" not in done.stdout.splitlines()


def test_who_can_finds_the_binding(given: Scene, stack: Stack) -> None:
    """The subject, the binding and its role; without rights on bindings, that is said with exit code 1."""
    readers_in(given)
    done = plugin(stack, "who-can", "rollback", "any", "-n", given.namespace)
    none = plugin(stack, "who-can", "drill", "any", "-n", given.namespace, "-o", "json")
    viewer = plugin(stack, "who-can", "rollback", "any", "-n", given.namespace, f"--as={VIEWER}")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        rf"^User {EDITOR} +RoleBinding acts +ClusterRole page-acts +all$", done.stdout, re.MULTILINE
    )
    assert VIEWER not in done.stdout
    assert EDITOR not in none.stdout
    assert viewer.returncode == 1
    assert [line[:2] for line in viewer.stdout.splitlines()[1:]] == ["? "] * 4


def test_the_page_ends_with_its_kubectl(given: Scene, stack: Stack) -> None:
    """The command prints the link; SIGTERM ends it, and the `kubectl proxy` below it."""
    command = ["kubectl", "agentrollout", "dashboard", "--no-open", "-n", given.namespace]
    process = subprocess.Popen(  # noqa: S603 ours
        command, env=environment(stack), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("The page is at http://127.0.0.1:"), line
        below = [each for each in children(process.pid) if "proxy" in command_of(each)]
        assert len(below) == 1
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        process.stdout.close()

    eventually(lambda: not any(Path(f"/proc/{each}/cmdline").exists() for each in below))


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(each) for task in tasks for each in (task / "children").read_text().split()]


def command_of(pid: int) -> list[str]:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
