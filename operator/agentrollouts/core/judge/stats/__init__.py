"""The statistics under the rules: share test, burst factors, shifts, rare values, unfinished runs.

Knows numbers of two releases and the error that is permitted.
Does not know gates' actions, severities or sentences.
"""
