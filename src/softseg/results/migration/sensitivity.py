"""How far the answer on churn depends on what was believed before the data: `churn_sensitivity`.

Where customers leave silently, a customer who stopped ordering may have left or sleep; only who
comes back shows that he slept. What is not settled by the data is settled by the prior of the
transitions. The draws are weighted anew by the ratio of another prior to the one that was used,
with Pareto-smoothed weights (Vehtari, Simpson, Gelman, Yao and Gabry 2024); nothing is refitted.
"""

from typing import Final

import numpy as np
import xarray as xr

from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.psis import smooth
from softseg.models.latent_markov import prior_lifetime
from softseg.names import (
    CHURNED,
    LOWER_PROBABILITY,
    SAMPLE,
    STATE,
    STATE_TO,
    UPPER_PROBABILITY,
)

FACTORS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Prior probability of churning in a period, times so much."""
SOFT_TAIL: Final = 0.7
BELIEF: Final = "belief"


def possible_factors(alpha: Array) -> tuple[float, ...]:
    """Return the factors that leave the prior probability of churn below 1."""
    churn = (alpha[:, -1] / alpha.sum(axis=1)).max()
    return tuple(factor for factor in FACTORS if factor * churn < 1.0)


def churn_sensitivity(
    transition: xr.DataArray,
    churned: xr.DataArray,
    alpha: Array,
    factors: tuple[float, ...] = FACTORS,
) -> xr.Dataset:
    """Return how many customers have churned under other beliefs about leaving.

    Parameters
    ----------
    transition
        Draws under the prior `alpha`, (sample, state, state_to), churned last; with a dim
        ``period`` where every period has rows of its own, each under this prior.
    churned
        Churned customers by draw, (sample).
    alpha
        Concentrations of the rows' Dirichlet prior, (segment, state).
    factors
        By how much the prior probability of churn is multiplied; the strength of the prior stays.

    Returns
    -------
    xarray.Dataset
        Over (belief): ``factor``; ``lifetime``, periods until churn that the prior implies;
        ``mean``, ``lower``, ``upper``, churned customers; ``k_hat``, above 0.7 the draws cannot
        tell and the figures are NaN.

    Raises
    ------
    UsageError
        Where the transitions have no churned state, or a factor makes churn certain.
    """
    if str(transition[STATE].values[-1]) != CHURNED:
        raise UsageError("Give transitions with the state churned last: this model has no churn.")
    k = len(alpha)
    order = (SAMPLE, ..., STATE, STATE_TO)
    rows = np.maximum(transition.transpose(*order).values[..., :k, :], 1e-300)
    counts = churned.transpose(SAMPLE).values
    found: dict[str, list[float]] = {
        name: [] for name in ("factor", "lifetime", "mean", "lower", "upper", "k_hat")
    }
    for factor in factors:
        other = with_churn(alpha, factor)
        ratio = ((other - alpha) * np.log(rows)).reshape(len(rows), -1).sum(axis=1)
        log_weights, k_hat = smooth(ratio[None, :])
        bad = factor != 1.0 and not k_hat[0] < SOFT_TAIL
        summary = [np.nan] * 3 if bad else _summary(counts, np.exp(log_weights[0]))
        figures = (factor, float(prior_lifetime(other).mean()), *summary, float(k_hat[0]))
        for name, figure in zip(found, figures, strict=True):
            found[name].append(float(figure))
    return xr.Dataset({name: (BELIEF, figures) for name, figures in found.items()})


def with_churn(alpha: Array, factor: float) -> Array:
    """Return concentrations of the same strength with another prior probability of churn.

    Raises
    ------
    UsageError
        Where that probability would not lie between 0 and 1.
    """
    total = alpha.sum(axis=1, keepdims=True)
    churn = factor * alpha[:, -1:]
    if not factor > 0.0 or np.any(churn >= total):
        raise UsageError(
            f"Give factors that leave the prior probability of churn inside (0, 1), got {factor}."
        )
    rest = alpha[:, :-1] * (total - churn) / (total - alpha[:, -1:])
    return np.concatenate([rest, churn], axis=1)


def _summary(counts: Array, weights: Array) -> list[float]:
    """Return mean, lower and upper of weighted draws."""
    weights = weights / weights.sum()
    order = np.argsort(counts, kind="stable")
    below = np.cumsum(weights[order])
    last = len(counts) - 1
    bounds = [
        float(counts[order[min(int(np.searchsorted(below, p)), last)]])
        for p in (LOWER_PROBABILITY, UPPER_PROBABILITY)
    ]
    return [float(weights @ counts), *bounds]
