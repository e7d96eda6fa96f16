"""A new release from parts of others: one component is rolled back, and the rest stays.

Knows releases as written, and bundles of releases that are gone.
Does not know where either was read.
"""
