"""Managed workloads: from one Deployment as a template to a Deployment and a Service for each release.

Knows the template, the history of a status, and which Deployments and Services were read.
Does not know weights, gates, or what a rollout does next.
"""
