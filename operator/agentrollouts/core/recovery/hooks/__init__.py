"""Jobs before traffic and after a rollback: which hook is due, and what its Job is.

Knows the entries of `status.hooks` and what was read about CronJobs and Jobs.
Does not know the traffic, which waits for no hook that comes after a rollback.
"""
