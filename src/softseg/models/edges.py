"""Where a mode lies on the edge of its range, and priors whose density has no maximum there.

A probability that no customer of a segment contradicts is 0 or 1 at the mode. Under a Dirichlet or
Beta concentration below 1 (Jeffreys' prior, sparse shares), or a Gamma shape below 1, the density
even grows without bound towards the edge: its height there says nothing about the posterior mass.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from softseg.families.base import Array
from softseg.models.mixture import Mixture, Values
from softseg.priors import Prior, SegmentPrior, for_segments

LEAST_PROBABILITY: Final = 1e-3
"""Probabilities keep this distance from 0 and 1 at the most."""

POLES: Final[Mapping[str, tuple[str, ...]]] = {
    "Dirichlet": ("alpha",),
    "Beta": ("alpha", "beta"),
    "Gamma": ("alpha",),
}
"""Numbers of a prior which, below 1, let its density grow without bound at an edge."""


def inside(mixture: Mixture, values: Values, n_customers: float) -> Values:
    """Return the parameters with those on the edge of their range moved inwards.

    Probabilities by less than half a customer's worth; parameters under a Gamma prior up to as
    small a part of its mean. Shapes stay, and so do fixed shares and rows.
    """
    edge = min(LEAST_PROBABILITY, 0.5 / (1.0 + n_customers))

    def simplex(p: Array) -> Array:
        p = np.maximum(p, edge)
        return p / p.sum(axis=-1, keepdims=True)

    def moved(support: str, prior: SegmentPrior, array: Array) -> Array:
        if support == "simplex":
            return simplex(array)
        if support == "unit":
            return np.clip(array, edge, 1.0 - edge)
        if support == "positive":
            return np.maximum(array, edge * _gamma_mean(prior))
        return np.asarray(array)

    indicators = {
        name: {
            p.name: moved(p.support, mixture.priors[name][p.name], values.indicators[name][p.name])
            for p in member.parameters
        }
        for name, member in mixture.families.items()
    }
    for extra in mixture.extras:
        array, fixed = np.asarray(values.indicators[extra.group][extra.name]), extra.prior.fixed
        if extra.support == "simplex":
            array = np.where(np.isnan(fixed), simplex(array), fixed)
        indicators.setdefault(extra.group, {})[extra.name] = array
    share = simplex(values.share) if mixture.fixed_share is None else values.share
    return Values(share, indicators)


def bounded(mixture: Mixture) -> Mixture:
    """Return the mixture with concentrations and Gamma shapes of at least 1, itself if all are."""
    priors = {
        indicator: {name: _bounded(prior) for name, prior in group.items()}
        for indicator, group in mixture.priors.items()
    }
    same = all(
        priors[indicator][name] is prior
        for indicator, group in mixture.priors.items()
        for name, prior in group.items()
    )
    extras = tuple(replace(extra, prior=extra.prior.bounded()) for extra in mixture.extras)
    same = same and all(a.prior is b.prior for a, b in zip(extras, mixture.extras, strict=True))
    if same and np.all(mixture.share >= 1.0):
        return mixture
    return replace(mixture, share=np.maximum(mixture.share, 1.0), priors=priors, extras=extras)


def _bounded(prior: SegmentPrior) -> SegmentPrior:
    given = [_at_least_one(one) for one in prior.priors]
    if all(new is old for new, old in zip(given, prior.priors, strict=True)):
        return prior
    n_levels = prior.fixed.shape[1] if prior.fixed.ndim == 2 else None
    return for_segments(given, len(given), n_levels)


def _at_least_one(prior: Prior) -> Prior:
    poles = POLES.get(prior.name, ())
    if all(np.all(np.asarray(prior.parameters[key]) >= 1.0) for key in poles):
        return prior
    raised = {
        key: np.maximum(number, 1.0).tolist() if key in poles else number
        for key, number in prior.parameters.items()
    }
    return Prior(prior.name, **raised)


def _gamma_mean(prior: SegmentPrior) -> Array:
    """Return the mean of each segment's Gamma prior, 0 where it has another one."""
    mean = np.zeros(len(prior.priors))
    for k, one in enumerate(prior.priors):
        if one.name == "Gamma":
            mean[k] = np.divide(one.parameters["alpha"], one.parameters["beta"])
    return mean
