"""Figures, the page and the sentences that say what was found.

Everything here reads a posterior tree and nothing else, so that a report can be written again from
a saved fit. Matplotlib is imported when the first figure is drawn.
"""
