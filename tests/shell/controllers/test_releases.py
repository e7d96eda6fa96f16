"""Inputs: releases of a namespace. Outputs: what is Ready, and what is examined."""

import random
import string
from typing import Any

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from testkit.builders.names import AGENT, NAMESPACE
from testkit.builders.releases import a_ready_release
from tests.shell.test_reconcile import Shell, a_shell
from tests.shell.virtual import pass_time, run

KEYS = "AKIAQWERTYUIOPASDFGH"


def ref(number: int, namespace: str = NAMESPACE) -> Ref:
    """The address of a release."""
    return Ref("AgentRelease", namespace, f"{AGENT}-1.0.{number}")


def a_release(number: int, text: str = "", **metadata: Any) -> Manifest:  # noqa: ANN401 any field
    """A release as it is applied, made in the order of the numbers."""
    manifest = {"kind": "AgentRelease", **a_ready_release(f"{AGENT}-1.0.{number}").to_json()}
    manifest.pop("status")
    made = f"2026-11-20T10:{number // 60:02}:{number % 60:02}Z"
    manifest["metadata"] |= {"uid": f"uid-{number}", "creationTimestamp": made, **metadata}
    manifest["spec"]["components"]["prompt"]["inline"] = {"text": f"{number} {text}"}
    return manifest


def reasons(shell: Shell, end: int, first: int = 0) -> list[str]:
    """What each release says of itself."""
    return [(shell.ready(ref(number)) or ("", ""))[1] for number in range(first, end)]


def message(shell: Shell, number: int) -> str:
    """The sentence of its summary."""
    conditions = {condition["type"]: condition for condition in shell.status(ref(number))["conditions"]}
    return str(conditions["Ready"]["message"])


def test_a_settled_release_is_never_read_again() -> None:
    """Not after a restart, and not when another release of its agent comes: what is old costs nothing."""

    async def scenario() -> None:
        async with a_shell() as shell:
            for number in range(5):
                shell.api.put(a_release(number))
            await pass_time(60)
            assert (reasons(shell, 5), shell.examined) == (["Materialized"] * 5, 5)
            for key in [ref(number) for number in range(5)]:
                shell.queue.mark(key)
            await pass_time(60)
            shell.api.put(a_release(5))
            await pass_time(60)
            assert shell.examined == 6

    run(scenario())


def test_a_refused_release_is_examined_once() -> None:
    """It is looked at after each write of its own status, and its content is what it was; until it is not."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.api.put(a_release(0, KEYS))
            await pass_time(60)
            shell.queue.mark(ref(0))
            await pass_time(60)
            assert (reasons(shell, 1), shell.examined) == (["LooksLikeCredential"], 1)
            allow = {"agentrollouts.dev/allow-credential-like": "spec.components.prompt.inline.text"}
            stored = shell.api.objects[ref(0)]
            shell.api.put({**stored, "metadata": {**stored["metadata"], "annotations": allow}})
            await pass_time(60)
            assert (reasons(shell, 1), shell.examined) == (["Materialized"], 2)

    run(scenario())


def test_a_status_that_was_lost_is_made_again() -> None:
    """A restore without status: what was concluded from it holds no longer."""

    async def scenario() -> None:
        async with a_shell() as shell:
            for number, text in enumerate(("", KEYS)):
                shell.api.put(a_release(number, text))
            await pass_time(60)
            before = reasons(shell, 2)
            for number in range(2):
                shell.api.put({**shell.api.objects[ref(number)], "status": {}})
            await pass_time(60)
            assert reasons(shell, 2) == before == ["Materialized", "LooksLikeCredential"]

    run(scenario())


def test_what_is_too_large_to_remember_is_read_and_decided_like_anything_else() -> None:
    """A status that someone forged takes no memory, and what serves does not depend on its size."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.api.put(a_release(0))
            await pass_time(60)
            stored = shell.api.objects[ref(0)]
            noise = "".join(random.Random(0).choices(string.ascii_letters, k=300_000))
            forged = {"type": "Odd", "status": "True", "reason": "Odd"}
            forged["lastTransitionTime"] = "2026-11-21T10:00:00Z"
            texts = [noise[start : start + 30_000] for start in range(0, len(noise), 30_000)]
            many = [
                {**forged, "type": f"Odd{index}", "message": text} for index, text in enumerate(texts[:9])
            ]
            status = {**stored["status"], "conditions": [*stored["status"]["conditions"], *many]}
            shell.api.put({**stored, "status": status})
            await pass_time(60)
            assert shell.cache.is_outline(ref(0))
            assert (reasons(shell, 1), shell.examined) == (["Materialized"], 1)

    run(scenario())
