"""From what was read to the lines, in sections."""

from collections.abc import Iterable, Iterator
from itertools import chain

from agentrollouts.insight.check.agent import agent
from agentrollouts.insight.check.answers import answers
from agentrollouts.insight.check.around import around
from agentrollouts.insight.check.installation import installation
from agentrollouts.insight.check.lines import Mark, Section, Seen
from agentrollouts.insight.check.release import releases, route
from agentrollouts.insight.view.reading import read


def check(seen: Seen) -> tuple[Section, ...]:
    """The wiring of the installation, and of the rollout if there is one."""
    return tuple(_sections(seen))


def _sections(seen: Seen) -> Iterator[Section]:
    yield Section("Installation", tuple(installation(seen)))
    if seen.rollout is None:
        return
    rollout = read(seen.rollout, seen.now).rollout
    lines = chain(releases(seen, rollout), route(seen, rollout), around(seen, rollout))
    yield Section("Rollout", tuple(lines))
    yield Section("Agent", (*agent(rollout), *answers(seen, rollout)))


def problems(sections: Iterable[Section]) -> int:
    """How many lines have a problem."""
    return sum(line.mark is Mark.PROBLEM for section in sections for line in section.lines)
