"""What a decision about hooks depends on, and the shell reads for the next one."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final, Self


@dataclass(frozen=True, slots=True)
class HookReads:
    """CronJobs and Jobs in the namespace of the rollout, by name.

    What the observation does not have yet is read at once, added to it, and decided on again. What a decision
    that was carried out lists is read again, Jobs every 2 s and CronJobs every 10 s, for the next
    observation. What it no longer lists is forgotten, so that a rollout at rest needs no request.
    """

    cron_jobs: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()

    def without(self, cron_jobs: Container[str], jobs: Container[str]) -> Self:
        """What is left to read if these were read already."""
        return type(self)(
            frozenset(name for name in self.cron_jobs if name not in cron_jobs),
            frozenset(name for name in self.jobs if name not in jobs),
        )

    def __bool__(self) -> bool:
        """Whether anything is listed."""
        return bool(self.cron_jobs or self.jobs)


NO_READS: Final = HookReads()
"""Nothing, as at rest."""
