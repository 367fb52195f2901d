"""The latent Markov model as a PyMC model: the definition of parameters and priors.

Generative model, with K segments, state K + 1 churned where customers churn:

    share        π      ~ Dirichlet(α)
    transition   A_j    ~ Dirichlet(α_j) for every segment j, of every profile;  A_{K+1} = (0 … 0 1)
    parameter    θ_jk   ~ its prior, independently for every indicator j and segment k
    first state  z_i1   ~ Categorical(π)                      for every customer i
    next state   z_it+1 ~ Categorical(A_{z_it})
    cell         x_ijt  ~ family of indicator j with θ_{j z_it}, independently given z_it;
                          not observed cells contribute nothing

With covariates x of the profile, A_jk = softmax_k(Σ_c x_c β_jck) with β_jcj = 0, and with
covariates w of the beginning π_k = softmax_k(Σ_c w_c γ_ck), coefficients normal. The states are
summed out by the kernel, which stands in the graph as one node.

This module imports PyMC: import it where it is needed, inside functions.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.tensor.special import log_softmax, softmax

from softseg.families.base import TINY, Array
from softseg.likelihood.histories import Histories
from softseg.likelihood.markov_op import log_likelihood
from softseg.likelihood.statistics import Statistics
from softseg.models import graph
from softseg.models.latent_markov import LatentMarkov
from softseg.models.mixture import Extra, Values
from softseg.models.pytensor_namespace import PYTENSOR
from softseg.names import INITIAL, SEGMENT, STATE, TRANSITION, parameter_name


def build_latent_markov(
    model: LatentMarkov, statistics: Statistics, histories: Histories
) -> pm.Model:
    """Return the latent Markov model as a PyMC model.

    The generative model is that of this module. Variables are those of `build_mixture`, and
    ``transition__<profile>`` (segment, state) or, with covariates, ``transition__<covariate>`` and
    ``initial__<covariate>``. Where some rows or coefficients are fixed, the free ones are a
    variable of their own with ``__free`` behind its name. The one potential is `log_likelihood`.

    Parameters
    ----------
    model
        The specification.
    statistics, histories
        The panel's patterns under the same schema, and its histories.

    Returns
    -------
    pm.Model
        Its log density is the log prior plus the log-likelihood, plus the Jacobians of PyMC's
        transforms where these are asked for.
    """
    coords = graph.coordinates(model) | {STATE: np.arange(1, model.n_states + 1)}
    with pm.Model(coords=coords, check_bounds=False) as built:
        share = graph.share_of(model)
        weights = statistics.layout.weights(graph.parameters_of(model), PYTENSOR)
        chain: dict[str, list[Any]] = {INITIAL: [], TRANSITION: []}
        for extra in model.extras:
            chain[extra.group].append(_variable(extra))
        pm.Potential(
            "log_likelihood",
            log_likelihood(
                statistics, histories, weights.constant, weights.dense, weights.table,
                _log_begin(model, share, chain[INITIAL]), _moves(model, chain[TRANSITION]),
            ),
        )  # fmt: skip
    return built


def free_values(model: LatentMarkov, values: Values) -> dict[str, Array]:
    """Return the values of the model's random variables, by name, at given parameters."""
    found = graph.free_values(model, values)
    for extra in model.extras:
        free = _free(extra)
        if free.any():
            whole = np.asarray(values.indicators[extra.group][extra.name])
            found[_label(extra)] = whole if free.all() else whole[free]
    return found


def _free(extra: Extra) -> NDArray[np.bool_]:
    """Return which rows, (segment,), or coefficients, (segment, column), are estimated."""
    free = np.isnan(extra.prior.fixed)
    return free.all(axis=1) if extra.support == "simplex" else free


def _label(extra: Extra) -> str:
    """Return the name of the random variable of what is estimated."""
    name = parameter_name(extra.group, extra.name)
    return name if _free(extra).all() else f"{name}__free"


def _variable(extra: Extra) -> Any:
    """Return rows or coefficients of all segments, (segment, state) or (segment, 1)."""
    free, (_, first, second) = _free(extra), extra.prior.codes()
    dims = (SEGMENT, STATE) if extra.group == TRANSITION else None
    drawn: Any = None
    if free.any():
        own = slice(None) if free.all() else free
        given: dict[str, Any] = {"dims": dims} if free.all() else {}
        if extra.support == "simplex":
            drawn = pm.Dirichlet(_label(extra), a=first[own], **given)
        else:
            drawn = pm.Normal(_label(extra), mu=first[own], sigma=second[own], **given)
        if free.all():
            return drawn
    values: Any = pt.as_tensor(np.where(np.isnan(extra.prior.fixed), 0.0, extra.prior.fixed))
    if drawn is not None:
        values = pt.set_subtensor(values[np.nonzero(free)], drawn)
    return pm.Deterministic(parameter_name(extra.group, extra.name), values, dims=dims)


def _log_begin(model: LatentMarkov, share: Any, coefficients: list[Any]) -> Any:
    """Return the logs of the initial shares, (beginning, segment)."""
    if not coefficients:
        even: Any = pt.log(pt.maximum(share, TINY))
        return even[None]
    together: Any = pt.concatenate(coefficients, axis=1)  # (segment, covariate)
    return log_softmax(pt.dot(model.begin_design, together.T), axis=1)


def _moves(model: LatentMarkov, variables: list[Any]) -> Any:
    """Return the transitions, (profile, state, state_to); churned is never left."""
    stacked = pt.stack(variables)  # (profile or covariate, segment, state)
    rows = stacked
    if model.design.shape[1] > 0:
        rows = softmax(pt.tensordot(model.design, stacked, axes=[[1], [0]]), axis=-1)
    if not model.churns:
        return rows
    last = np.zeros((len(model.design), 1, model.n_states))
    last[..., -1] = 1.0
    return pt.concatenate([rows, pt.as_tensor(last)], axis=1)
