"""Figures of a fit, one function each, every one returning a matplotlib Figure."""
