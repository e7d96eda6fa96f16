"""Where the replicas of the operator agree on the one that writes."""

from agentrollouts.settings.section import DnsLabel, Section


class LeasePlace(Section):
    """A Lease (coordination.k8s.io/v1) that only the replicas of one installation use."""

    namespace: DnsLabel
    """Namespace of the Lease: that of the operator."""
    name: DnsLabel = "agentrollouts"
    """Name of the Lease. Two installations need two names."""
