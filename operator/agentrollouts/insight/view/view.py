"""The view of one rollout: `view(rollout, releases, now)`. Pure, and it never fails.

seen = view(manifest, {"support-agent-4.2.0": Known(release, bundle)}, datetime.now(UTC))
seen.headline.sentence, seen.to_json()
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.insight.view.headline import headline
from agentrollouts.insight.view.plan import plan
from agentrollouts.insight.view.reading import Releases, read
from agentrollouts.insight.view.running import running
from agentrollouts.insight.view.shape import View


def view(rollout: AgentRollout | Mapping[str, Any], releases: Releases, now: datetime) -> View:
    """What a person sees of a rollout.

    Args:
        rollout: The object, parsed or as the API server returns it.
        releases: What is known of the releases that it names, by their names; those that are missing are
            unknown.
        now: The time, in UTC.
    """
    del releases
    known = read(rollout, now)
    found, status = known.rollout, known.rollout.status
    return View(
        name=found.metadata.name,
        namespace=found.metadata.namespace,
        agent=found.spec.agent,
        time=now,
        headline=headline(found),
        running=running(found),
        plan=plan(found, now),
        next=(),
        outlook=(status.attempt.outlook or "") if status.attempt else "",
    )
