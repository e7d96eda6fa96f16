"""The record of a rollout: entries chained by hashes, the evidence behind them, and whether they hold.

Knows what a status says before and after a decision.
Does not know how records are stored or exported.
"""
