"""The view of one rollout: `view(rollout, releases, now)`. Pure, and it never fails.

seen = view(manifest, {"support-agent-4.2.0": Known(release, bundle)}, datetime.now(UTC))
seen.headline.sentence, seen.to_json()
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.states import is_under_way
from agentrollouts.insight.view.acting.actions import actions
from agentrollouts.insight.view.around import around
from agentrollouts.insight.view.before import before, history, result, window
from agentrollouts.insight.view.changed import changed
from agentrollouts.insight.view.coming.upcoming import upcoming
from agentrollouts.insight.view.gates import gates
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
    known = read(rollout, now)
    found, status = known.rollout, known.rollout.status
    differences, other = changed(found, releases)
    return View(
        name=found.metadata.name,
        namespace=found.metadata.namespace,
        agent=found.spec.agent,
        time=now,
        headline=headline(found),
        running=running(found),
        plan=plan(found, now),
        next=upcoming(found, now),
        gates=gates(found),
        changed=differences,
        changed_from=other,
        outlook=(status.attempt.outlook or "") if status.attempt and is_under_way(status) else "",
        actions=actions(found),
        window=window(status),
        result=result(status),
        before=before(status, now),
        history=history(status),
        around=around(found, known.unread, now),
    )
