"""Whether a hook has anything to repair: by the tools of the bad release, as far as they are known.

Decided when the hook is noted, while the snapshot of the bad release is kept. If its tools are unknown, the
hook runs: one that finds nothing to repair does less harm than one that did not run.
"""

from agentrollouts.api.recovery.hooks import Hook
from agentrollouts.api.recovery.tools import Tools


def without_work(hook: Hook, release: str, tools: Tools | None) -> str:
    """Why the hook is not needed after a rollback of this release; empty if it is.

    Args:
        hook: The hook in its plan.
        release: Name of the bad release.
        tools: The tools of that release; None if they are unknown.
    """
    if hook.for_tools is None or tools is None or not tools.keys().isdisjoint(hook.for_tools):
        return ""
    return f"{release} has no tool {' or '.join(hook.for_tools)}"
