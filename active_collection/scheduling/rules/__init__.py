"""Acquisition rules, one a file."""
