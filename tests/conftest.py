"""The one cluster that tests may use: a sandbox of ours, started when the first test asks for it.

No test reads the kubeconfig of the person who runs it, so none can reach a cluster that is not ours: every
client is made from `stack`, and a stack exists only inside the namespaces of `python -m sandbox run`.
"""

from collections.abc import Iterator

import pytest

import testkit.properties  # noqa: F401  # loads the profile of property tests
from sandbox.isolation import namespace
from sandbox.parts import parts
from sandbox.stack import Stack

LOGS = pytest.StashKey[str]()
"""Where the sandbox's logs are, if they were kept."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse, in one sentence and before anything runs, what could only fail one test after the other."""
    clustered = [item for item in session.items if "stack" in getattr(item, "fixturenames", ())]
    if clustered and not session.config.option.collectonly and not namespace.inside():
        raise pytest.UsageError(
            f"{len(clustered)} of the chosen tests need the sandbox's cluster: run `make test`, or put "
            "`python -m sandbox run --` before the command, or choose others, such as tests/core"
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where the logs of a failed run are."""
    if logs := terminalreporter.config.stash.get(LOGS, None):
        terminalreporter.write_line(f"The logs of the sandbox are in {logs}")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The sandbox: control plane, Prometheus and gateway, shared by all tests of the session.

    Work in a namespace of your own and put right what you stop or pause.
    """
    started = Stack(quiet=True)
    started.start()
    started.apply(parts.feature_flag_api())
    started.apply(parts.inference_pool_api())
    yield started
    failed = bool(request.session.testsfailed)
    started.close(keep_logs=failed)
    if failed:
        request.config.stash[LOGS] = str(started.logs)
