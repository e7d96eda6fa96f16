"""Containment: a detour sends a share of the traffic elsewhere until someone ends it.

Knows how a detour begins and ends in a status, what answers in one, and its mark on a traffic object.
Does not know how traffic moves, nor what an action or a gate says.
"""
