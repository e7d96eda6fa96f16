"""Alertmanager: a set of alerts in, one outcome out."""
