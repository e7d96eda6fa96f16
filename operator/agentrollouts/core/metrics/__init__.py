"""Prometheus: what is queried, and how a result becomes the counts of a gate.

Knows PromQL, samples, resets and births of series, and whether counts can be trusted.
Does not know verdicts or rollouts.
"""
