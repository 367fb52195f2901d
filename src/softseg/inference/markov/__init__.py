"""The posterior of latent Markov models."""
