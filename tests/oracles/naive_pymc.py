"""The mixture written down in plain PyMC, one log density per customer: no kernel, no patterns.

An oracle for the package's own model: it shares with it the names of the variables and the
numbers of the priors, and nothing else.
"""

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray

type Cells = NDArray[np.float64]


def naive_mixture(
    families: Mapping[str, str],
    cells: Mapping[str, Cells],
    exposures: Mapping[str, Cells],
    priors: Mapping[str, Mapping[str, Mapping[str, float | tuple[float, ...]]]],
    alpha: float,
    n_segments: int,
) -> pm.Model:
    """Return the model of a table.

    `cells` holds the values by indicator, NaN where missing; `priors` the numbers of the prior of
    each parameter.
    """
    coords = {"segment": range(1, n_segments + 1)}
    with pm.Model(coords=coords, check_bounds=False) as model:
        share = pm.Dirichlet("share", a=np.full(n_segments, alpha), dims="segment")
        joint = pt.log(share)[None, :]
        for name, family in families.items():
            x = cells[name]
            seen = ~np.isnan(x)
            filled = np.where(seen, x, 1.0)[:, None]
            exposure = exposures.get(name, np.ones(len(x)))[:, None]
            # PyMC's converters part names at commas.
            variable = name.replace(",", "\N{SINGLE LOW-9 QUOTATION MARK}")
            density = DENSITIES[family](variable, filled, exposure, priors[name], n_segments)
            joint = joint + pt.where(seen[:, None], density, 0.0)
        pm.Potential("customers", pt.logsumexp(joint, axis=1).sum())
    return model


def _gaussian(name, x, exposure, priors, k):
    mean = pm.Normal(f"{name}__mean", **priors["mean"], dims="segment")
    variance = pm.InverseGamma(f"{name}__variance", **priors["sd"], dims="segment")
    sd = pm.Deterministic(f"{name}__sd", pt.sqrt(variance), dims="segment")
    return pm.logp(pm.Normal.dist(mean[None, :], sd[None, :]), x)


def _lognormal(name, x, exposure, priors, k):
    mean = pm.Normal(f"{name}__log_mean", **priors["log_mean"], dims="segment")
    variance = pm.InverseGamma(f"{name}__variance", **priors["log_sd"], dims="segment")
    sd = pm.Deterministic(f"{name}__log_sd", pt.sqrt(variance), dims="segment")
    return pm.logp(pm.LogNormal.dist(mean[None, :], sd[None, :]), x)


def _gamma(name, x, exposure, priors, k):
    mean = pm.InverseGamma(f"{name}__mean", **priors["mean"], dims="segment")
    shape = pm.LogNormal(f"{name}__shape", **priors["shape"], dims="segment")
    return pm.logp(pm.Gamma.dist(alpha=shape[None, :], beta=(shape / mean)[None, :]), x)


def _bernoulli(name, x, exposure, priors, k):
    p = pm.Beta(f"{name}__probability", **priors["probability"], dims="segment")
    return pm.logp(pm.Bernoulli.dist(p[None, :]), x.astype(int))


def _categorical(name, x, exposure, priors, k):
    alpha = np.tile(np.asarray(priors["probability"]["alpha"]), (k, 1))
    pm.modelcontext(None).add_coord("level", range(alpha.shape[1]))
    p = pm.Dirichlet(f"{name}__probability", a=alpha, dims=("segment", "level"))
    return pm.logp(pm.Categorical.dist(p[None, :, :]), x.astype(int))


def _poisson(name, x, exposure, priors, k):
    rate = pm.Gamma(f"{name}__rate", **priors["rate"], dims="segment")
    return pm.logp(pm.Poisson.dist(rate[None, :] * exposure), x)


DENSITIES = {
    "gaussian": _gaussian,
    "lognormal": _lognormal,
    "gamma": _gamma,
    "bernoulli": _bernoulli,
    "categorical": _categorical,
    "poisson": _poisson,
}
