"""One file for each way to split traffic, and the table that the rest of the core uses.

Knows how weights are written into a route of the operator, a rule of another owner's route, and a ConfigMap.
Does not know when traffic is to move. To add a router, add a file here and a row in `table`.
"""
