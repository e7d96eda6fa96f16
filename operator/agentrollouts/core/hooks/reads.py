"""What a decision about hooks depends on, and the shell reads for the next one."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class HookReads:
    """CronJobs and Jobs in the namespace of the rollout, by name.

    What the observation does not have yet is read at once, and then a new decision follows. What is listed is
    read again, Jobs every 2 s and CronJobs every 10 s, and kept for the next observation. What is no longer
    listed is forgotten, so that a rollout at rest needs no request.
    """

    cron_jobs: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether anything is listed."""
        return bool(self.cron_jobs or self.jobs)


NO_READS: Final = HookReads()
"""Nothing, as at rest."""
