"""Do several samplers have the same posterior? Means and sds, with their Monte Carlo errors."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from softseg.inference.draws import Draws
from softseg.names import parameter_name

type Posterior = dict[str, NDArray[np.float64]]
"""Draws by variable, each (chain, draw, segment) or (chain, draw, segment, level)."""

MONTE_CARLO_ERRORS = 4.0
SD_OF_MEAN = 0.1
RATIO_OF_SD = 0.1


def posterior_of(draws: Draws) -> Posterior:
    """Return draws by the names of the posterior tree, without log-likelihood."""
    found = {"share": draws.values.share}
    for indicator, parameters in draws.values.indicators.items():
        for name, values in parameters.items():
            found[parameter_name(indicator, name)] = values
    return found


def ordered(posterior: Posterior, by: str) -> Posterior:
    """Return the draws of each chain with the segments in the order of their mean of `by`.

    Enough where the segments are so far apart that labels do not switch within a chain.
    """
    order = np.argsort(posterior[by].mean(axis=1), axis=-1)
    aligned = {}
    for name, values in posterior.items():
        chains = zip(values, order, strict=True)
        aligned[name] = np.stack([np.take(chain, ranks, axis=1) for chain, ranks in chains])
    return aligned


def summary(posterior: Posterior) -> tuple[list[str], NDArray, NDArray, NDArray]:
    """Return label, mean, sd and Monte Carlo error of the mean of every scalar quantity."""
    from arviz_stats.base.array import array_stats

    labels, series = [], []
    for name, values in sorted(posterior.items()):
        flat = values.reshape(*values.shape[:2], -1)
        labels += [f"{name}[{i}]" for i in range(flat.shape[-1])]
        series += list(np.moveaxis(flat, -1, 0))
    mean = np.array([s.mean() for s in series])
    sd = np.array([s.std() for s in series])
    ess = np.array([array_stats.ess(s, method="mean", chain_axis=0, draw_axis=1) for s in series])
    return labels, mean, sd, sd / np.sqrt(ess)


def disagreements(posteriors: Mapping[str, Posterior]) -> list[str]:
    """Return in words every quantity on which two of the samplers do not agree.

    They agree where means differ by less than 4 combined Monte Carlo errors and 0.1 sd, and sds
    by less than 10 %.
    """
    summaries = {name: summary(posterior) for name, posterior in posteriors.items()}
    faults = []
    for first, second in combinations(summaries, 2):
        labels, mean_1, sd_1, error_1 = summaries[first]
        others, mean_2, sd_2, error_2 = summaries[second]
        assert labels == others
        apart = np.abs(mean_1 - mean_2)
        sd = np.sqrt(0.5 * (sd_1**2 + sd_2**2))
        errors = apart / np.hypot(error_1, error_2)
        spread = np.abs(np.log(sd_1 / sd_2))
        limits = (MONTE_CARLO_ERRORS, SD_OF_MEAN, np.log1p(RATIO_OF_SD))
        for label, *found in zip(labels, errors, apart / sd, spread, strict=True):
            if any(value >= limit for value, limit in zip(found, limits, strict=True)):
                faults.append(
                    f"{first} and {second}, {label}: means {found[0]:.1f} errors and "
                    f"{found[1]:.3f} sd apart, sds {np.expm1(found[2]):.1%}"
                )
    return faults
