"""The mixture: its parameters and priors, and the PyMC graph that defines it."""
