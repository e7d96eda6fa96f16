"""The decisions: pure functions over frozen values; no I/O, no clock, no logging.

In the order in which to read them: `states`, the moves of an attempt; `attempt`, what each move does;
`rollout`, the decision, which starts at `rollout.decide`; `traffic`, from weights to objects; `gates`, what
is checked; `judge`, from counts to a verdict; `metrics`, Prometheus; `analysis`, which gate is evaluated
when; `release`, from a spec to a bundle; `action`, what a person requests. Each chapter says in its
`__init__.py` what it knows and what it does not know.
"""
