"""The process around the core: watches, queue, poller, and observe, decide, act."""
