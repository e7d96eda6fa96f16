"""The page: what runs, why, what comes next, and a button for what the reader may do.

`python -m agentrollouts.dashboard` serves it on this machine, with the rights of the reader: it holds no
credential and speaks to the API server through `kubectl proxy`. The page only draws `insight.view`.
"""
