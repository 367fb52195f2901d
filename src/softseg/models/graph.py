"""The finite mixture as a PyMC model: the definition of parameters and priors.

Generative model, with K segments and the numbers α, … of the schema:

    share      π      ~ Dirichlet(α)
    parameter  θ_jk   ~ its prior, independently for every indicator j and segment k
    segment    z_i    ~ Categorical(π)                       for every customer i
    cell       x_ij   ~ family of indicator j with θ_{j z_i}, independently given z_i;
                        not observed cells contribute nothing

The segments z_i are summed out, Π_i Σ_k π_k Π_j f_j(x_ij | θ_jk), by the kernel, which stands in
the graph as one node. Nothing orders the labels: the draws are aligned after sampling.

This module imports PyMC: import it where it is needed, inside functions.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from softseg.families.base import TINY, Array
from softseg.likelihood.op import log_likelihood
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.models.pytensor_namespace import PYTENSOR
from softseg.names import SEGMENT, SHARE, level_dim, parameter_name
from softseg.priors import FIXED, SegmentPrior

ROOTED = "SqrtInverseGamma"
"""Prior of a standard deviation whose square is a PyMC `InverseGamma`."""


def build_mixture(mixture: Mixture, statistics: Statistics) -> pm.Model:
    """Return the mixture as a PyMC model.

    The generative model: shares from a Dirichlet, every parameter of every segment from its
    prior, a segment for every customer from the shares, and every observed cell from its family
    with the parameters of the customer's segment; the customers' segments are summed out.

    The model has the variables `share` (segment,) and ``<indicator>__<parameter>`` (segment,) or
    (segment, level), with the segments numbered 1 … K, and one potential, `log_likelihood`.
    Where some segments of a parameter are fixed, or segments differ in their distribution, the
    free ones are variables ``<indicator>__<parameter>__…`` of their own; the variance behind a
    `SqrtInverseGamma` standard deviation is ``<indicator>__<parameter>__variance``.

    Parameters
    ----------
    mixture
        The specification.
    statistics
        The patterns of the table, reduced under the same schema.

    Returns
    -------
    pm.Model
        Ready for `pm.sample` and `nutpie`; its log density is the log prior plus the
        log-likelihood, plus the Jacobians of PyMC's transforms where these are asked for.
    """
    with pm.Model(coords=coordinates(mixture), check_bounds=False) as model:
        share = share_of(mixture)
        weights = statistics.layout.weights(parameters_of(mixture), PYTENSOR)
        start = pt.log(pt.maximum(share, TINY)) + weights.constant
        pm.Potential(
            "log_likelihood", log_likelihood(statistics, start, weights.dense, weights.table)
        )
    return model


def coordinates(mixture: Mixture) -> dict[str, Any]:
    """Return the coordinates of the model's dims: segments and levels."""
    coords: dict[str, Any] = {SEGMENT: np.arange(1, mixture.n_segments + 1)}
    for name, coding in mixture.codings.items():
        if mixture.families[name].levelled:
            coords[level_dim(name)] = list(coding.levels)
    return coords


def parameters_of(mixture: Mixture) -> dict[str, dict[str, Any]]:
    """Return the variables of the indicators' parameters, within a `pm.Model`."""
    return {
        indicator: {name: _parameter(indicator, name, prior) for name, prior in priors.items()}
        for indicator, priors in mixture.priors.items()
    }


def free_values(mixture: Mixture, values: Values) -> dict[str, Array]:
    """Return the values of the model's random variables, by name, at given parameters."""
    found = {}
    if _share_is_free(mixture):
        found[SHARE] = values.share
    for indicator, priors in mixture.priors.items():
        for name, prior in priors.items():
            given = np.asarray(values.indicators[indicator][name])
            for group in _groups(parameter_name(indicator, name), prior):
                chosen = given[group.segments]
                found[group.name] = chosen**2 if group.distribution == ROOTED else chosen
    return found


@dataclass(frozen=True)
class _Group:
    """Segments whose value of one parameter comes from the same distribution: one variable."""

    name: str
    distribution: str
    segments: NDArray[np.intp]
    parameters: Mapping[str, Array]
    whole: bool


def _groups(name: str, prior: SegmentPrior) -> Iterator[_Group]:
    """Give the random variables of one parameter; one for all segments in the usual case."""
    names = [p.name for p in prior.priors]
    free = sorted(set(names) - {FIXED})
    whole = len(free) == 1 and FIXED not in names
    for distribution in free:
        segments = np.flatnonzero([n == distribution for n in names])
        chosen = [prior.priors[k].parameters for k in segments]
        wide = prior.fixed.shape[1:] if distribution == "Dirichlet" else ()
        numbers = {
            key: np.stack([np.broadcast_to(p[key], wide) for p in chosen]) for key in chosen[0]
        }
        if distribution == ROOTED:
            suffix = "__variance"
        elif whole:
            suffix = ""
        else:
            suffix = f"__{distribution.lower()}"
        yield _Group(name + suffix, distribution, segments, numbers, whole)


def _share_is_free(mixture: Mixture) -> bool:
    return mixture.fixed_share is None and mixture.n_segments > 1


def share_of(mixture: Mixture) -> Any:
    """Return the shares, within a `pm.Model`; of one segment there is nothing to estimate."""
    if _share_is_free(mixture):
        return pm.Dirichlet(SHARE, a=mixture.share, dims=SEGMENT)
    fixed = np.ones(1) if mixture.fixed_share is None else mixture.fixed_share
    return pm.Deterministic(SHARE, pt.as_tensor(fixed), dims=SEGMENT)


def _parameter(indicator: str, parameter: str, prior: SegmentPrior) -> Any:
    """Return one parameter of every segment, (segment,) or (segment, level), under its name."""
    name = parameter_name(indicator, parameter)
    dims = (SEGMENT, level_dim(indicator)) if prior.fixed.ndim == 2 else (SEGMENT,)
    groups = list(_groups(name, prior))
    parts = [_variable(group, dims) for group in groups]
    if groups and groups[0].whole and groups[0].distribution != ROOTED:
        return parts[0]
    fixed = np.flatnonzero(~prior.free)
    if len(fixed) > 0:
        parts.append(pt.as_tensor(prior.fixed[fixed]))
    order = np.concatenate([*(group.segments for group in groups), fixed])
    values: Any = parts[0] if len(parts) == 1 else pt.concatenate(parts, axis=0)
    if not np.array_equal(order, np.arange(len(order))):
        values = values[np.argsort(order)]
    return pm.Deterministic(name, values, dims=dims)


def _variable(group: _Group, dims: tuple[str, ...]) -> Any:
    """Return the values of a group's segments; the root where the prior is on the square."""
    numbers = dict(group.parameters)
    shaped: dict[str, Any] = {"dims": dims} if group.whole else {}
    if group.distribution == "Dirichlet":
        return pm.Dirichlet(group.name, a=numbers["alpha"], **shaped)
    if group.distribution == ROOTED:
        return pt.sqrt(pm.InverseGamma(group.name, **numbers, **shaped))
    return getattr(pm, group.distribution)(group.name, **numbers, **shaped)


def unconstrained(
    model: pm.Model,
    mixture: Mixture,
    free: Callable[[Any, Values], dict[str, Array]] = free_values,
) -> Callable[[Values], dict[str, Array]]:
    """Return a function from parameters to the point that a gradient sampler moves.

    The point holds the transformed random variables under the names of the model's value
    variables, in the order of `model.free_RVs`. `free` gives the random variables' values.
    """
    inputs, parts = [], []
    for variable in model.free_RVs:
        value = variable.type()
        transform = model.rvs_to_transforms[variable]
        inputs.append(value)
        parts.append(
            value if transform is None else transform.forward(value, *variable.owner.inputs)
        )
    # run once per chain: not worth compiling
    function: Any = pytensor.function(  # pyright: ignore[reportPrivateImportUsage]
        inputs, parts, mode="FAST_COMPILE", on_unused_input="ignore"
    )
    names = [variable.name for variable in model.free_RVs]
    keys = [str(variable.name) for variable in model.value_vars]

    def point(values: Values) -> dict[str, Array]:
        given = free(mixture, values)
        return dict(zip(keys, function(*(given[name] for name in names)), strict=True))

    return point
