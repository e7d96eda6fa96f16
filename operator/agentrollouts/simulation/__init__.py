"""A cluster, a Prometheus and a clock as values: rollouts in virtual time, through the same `decide`."""
