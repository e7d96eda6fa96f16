"""What tests of the decision need: rollouts, releases, traffic objects and whole observations."""
