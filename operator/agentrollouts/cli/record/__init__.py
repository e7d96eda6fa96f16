"""The commands about records: from files, so that an auditor needs no cluster, or from a cluster."""
