"""Assumptions as people state them, checked, and turned into distributions."""
