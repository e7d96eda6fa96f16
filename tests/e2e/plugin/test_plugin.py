"""What a person does with `kubectl agentrollout`, on the real API server, with the real kubectl."""

import json
import re
import signal
from typing import Final

import pexpect
import pytest

from sandbox.stack import Stack
from tests.e2e.manifests import FIRST
from tests.e2e.plugin.by_kubectl import environment, kubectl, left_over, plugin
from tests.e2e.scene import SECOND, Scene
from tests.inside import eventually
from tests.signals import with_ctrl_c

REASON: Final = "--reason=customers report wrong refunds"
BACK: Final = 3
NEEDS_YOU: Final = 4
TIMED_OUT: Final = 5


def test_a_rollback_is_requested_in_our_name_and_followed(given: Scene, stack: Stack) -> None:
    """The action has the attempt and the release of the status; the lines have what happened, with times."""
    (shop,) = given.in_canary("refunds")
    bad, stable = f"refunds-{SECOND}", f"refunds-{FIRST}"
    before = plugin(stack, "status", "refunds", "-n", given.namespace)
    listed = plugin(stack, "list", "-n", given.namespace)

    done = plugin(stack, "rollback", "aro/refunds", "-n", given.namespace, REASON)

    shop.is_back()
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert bad in lines[0]
    assert stable in lines[0]
    steps = [re.fullmatch(r" *(\d+\.\d\d) s  (.*)", line) for line in lines[1:-1]]
    said = [step[2] for step in steps if step]
    assert len(said) == len(steps), done.stdout
    assert re.fullmatch(r"requested as agentrolloutaction/refunds-\w+", said[0])
    assert {"the route shows 100/0", f"Done: {bad} was rolled back to {stable}"} <= set(said)
    times = [float(step[1]) for step in steps if step]
    assert times == sorted(times)
    assert lines[-1].endswith(f"kubectl agentrollout status refunds -n {given.namespace} -w")
    (action,) = given.witness.wait(
        "the action", lambda: given.witness.all("AgentRolloutAction", given.namespace)
    )
    assert {key: action["spec"][key] for key in ("type", "attempt", "release", "reason")} == {
        "type": "RollBack",
        "attempt": 2,
        "release": bad,
        "reason": REASON.partition("=")[2],
    }
    whoami = json.loads(kubectl(stack, "auth", "whoami", "-o", "json").stdout)
    assert action["spec"]["requestedBy"] == whoami["status"]["userInfo"]["username"]
    assert before.returncode == 0
    assert re.search(rf"{bad} +canary +█+░+ +50%", before.stdout), before.stdout
    assert re.search(rf"refunds +Canary +{SECOND} 50%, {FIRST} 50%", listed.stdout), listed.stdout


def test_waiting_ends_with_what_became_of_it(given: Scene, stack: Stack) -> None:
    """0 for a healthy release, 3 after a rollback, 4 if a person has to act, 5 after the timeout."""
    where = ("-n", given.namespace, "--wait")
    healthy, held = given.serving("calm", "waits")
    first = plugin(stack, "status", "calm", *where)
    healthy.ships(SECOND, phases=[{"name": "half", "weight": 50, "durationSeconds": 600}])
    healthy.is_counting(phase="half")
    late = plugin(stack, "status", "calm", *where, "--timeout=1s")
    held.ships(SECOND, phases=[{"name": "half", "weight": 50, "durationSeconds": 600}])
    held.is_counting(phase="half")
    assert plugin(stack, "hold", "waits", "-n", given.namespace, REASON).returncode == 0
    person = plugin(stack, "status", "waits", *where)
    rolled = plugin(stack, "rollback", "calm", "-n", given.namespace, REASON, "--no-wait", "-o", "name")
    back = plugin(stack, "status", "calm", *where)

    codes = [each.returncode for each in (first, late, person, back)]
    assert codes == [0, TIMED_OUT, NEEDS_YOU, BACK], [each.stdout for each in (first, late, person, back)]
    assert re.fullmatch(r"agentrolloutaction\.agentrollouts\.dev/calm-\w+\n", rolled.stdout)
    times = [line.split("  ")[0] for line in back.stdout.splitlines()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z", each) for each in times), back.stdout
    eventually(lambda: left_over(given.namespace) == [])


def test_a_refusal_is_the_sentence_of_kubectl(given: Scene, stack: Stack) -> None:
    """Exit code 1, nothing on standard output, and with `--debug` the command as well."""
    given.serving("locked")
    where = ("-n", given.namespace, "--as=nobody@example.com")

    status = plugin(stack, "status", "locked", *where)
    act = plugin(stack, "hold", "locked", *where, REASON)
    plain = kubectl(stack, "get", "agentrollout", "locked", *where)
    debug = plugin(stack, "status", "locked", *where, "--debug")
    lost = plugin(stack, "status", "lost", "-n", given.namespace)

    assert (status.returncode, status.stdout, status.stderr) == (1, "", plain.stderr)
    assert (act.returncode, act.stdout, act.stderr) == (1, "", plain.stderr)
    assert "cannot get resource" in status.stderr
    assert debug.stderr.startswith(plain.stderr)
    assert "kubectl get agentrollout locked" in debug.stderr
    assert (lost.returncode, lost.stderr.count("\n")) == (1, 1)
    assert '"lost" not found' in lost.stderr


def test_completion_through_kubectl(given: Scene, stack: Stack) -> None:
    """Kubectl completes verbs, options, and the rollouts and releases of the namespace in the line."""
    given.serving("alpha", "beta")

    def completed(*words: str) -> list[str]:
        done = kubectl(stack, "__complete", "agentrollout", *words)
        return [line.partition("\t")[0] for line in done.stdout.splitlines()]

    assert completed("rol") == ["rollback", "roll-back-all", ":4"]
    assert completed("status", "-n", given.namespace, "") == ["alpha", "beta", ":4"]
    assert completed("status", "-n", given.namespace, "b") == ["beta", ":4"]
    assert completed("diff", "-n", given.namespace, "al") == [f"alpha-{FIRST}", ":4"]
    assert completed("switch-off", "alpha", "--per") == ["--percent", ":4"]


def test_a_difference_is_shown_by_component(given: Scene, stack: Stack) -> None:
    """The other side is stable; the exit code is that of git if it is requested."""
    given.in_canary("differs")
    where = ("-n", given.namespace)

    done = plugin(stack, "diff", f"differs-{SECOND}", *where)
    code = plugin(stack, "diff", f"differs-{SECOND}", *where, "--exit-code")
    same = plugin(stack, "diff", f"differs-{SECOND}", f"differs-{SECOND}", *where, "--exit-code")

    assert done.stdout.splitlines()[0] == f"differs-{FIRST} → differs-{SECOND}"
    assert (done.returncode, code.returncode, same.returncode) == (0, 1, 0)
    assert code.stdout == done.stdout
    assert same.stdout.endswith("The bundles are equal.\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_screen_follows_until_it_is_interrupted(given: Scene, stack: Stack, number: int) -> None:
    """In a terminal the screen is drawn again on a change; afterward nothing runs, and the code says why."""
    (shop,) = given.serving("screen")
    command = ["agentrollout", "status", "screen", "-n", given.namespace, "-w"]
    screen = pexpect.spawn(
        "kubectl",
        command,
        env=environment(stack, TERM="xterm"),
        encoding="utf-8",
        dimensions=(50, 120),
        preexec_fn=with_ctrl_c,
    )
    screen.expect(rf"screen-{FIRST}.*100%", timeout=120)
    shop.ships(SECOND, phases=[{"name": "half", "weight": 50, "durationSeconds": 600}])
    screen.expect(rf"screen-{SECOND}.* 50%", timeout=120)

    screen.kill(number)
    screen.expect(pexpect.EOF, timeout=120)
    screen.close()

    assert screen.exitstatus == 128 + number
    eventually(lambda: left_over(given.namespace) == [])
