"""The finite mixture without a sampler: which parameters there are and what their priors say.

Generative model. Shares π ~ Dirichlet(α). Each customer i belongs to one segment z_i ~
Categorical(π). Given the segment, the indicators are independent (local independence) and
indicator j follows its family with the segment's parameters θ_jk, each drawn from its prior. The
segment of a customer is summed out, so that the density of a customer is Σ_k π_k Π_j f_j(x_ij |
θ_jk), a missing cell contributing 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from softseg.errors import SchemaError
from softseg.families import Family
from softseg.families.base import Array, Coding
from softseg.names import TRANSITION
from softseg.priors import DISTRIBUTIONS, SegmentPrior
from softseg.tables.schema import Schema


@dataclass(frozen=True)
class Values:
    """One value, or a stack of draws, of every parameter of a mixture.

    Attributes
    ----------
    share
        Shape (…, segment).
    indicators
        Indicator, then parameter; shape (…, segment) or (…, segment, level).
    """

    share: Array
    indicators: Mapping[str, Mapping[str, Array]]

    def map(self, function: Callable[[Array], Array]) -> "Values":
        """Return the same parameters with a function applied to each array."""
        indicators = {
            indicator: {name: function(values) for name, values in parameters.items()}
            for indicator, parameters in self.indicators.items()
        }
        return Values(function(self.share), indicators)

    def at(self, index: Any) -> "Values":
        """Return the draws at an index of the leading axes."""
        return self.map(lambda values: values[index])

    def flattened(self) -> "Values":
        """Return the draws with (chain, draw) stacked to one leading axis (sample)."""
        return self.map(lambda values: values.reshape(-1, *values.shape[2:]))

    def permuted(self, order: NDArray[np.intp]) -> "Values":
        """Return the draws with the segments reordered.

        `order` has the leading axes of the draws and then (segment): entry k says which of the
        present segments becomes segment k. One order for all draws has the shape (segment,).
        Transitions lead from segments to states, so that both their axes move.
        """
        n_leading = self.share.ndim - 1
        order = np.broadcast_to(order, self.share.shape)

        def reorder(values: Array) -> Array:
            extra = values.ndim - n_leading - 1
            return np.take_along_axis(
                values, order.reshape(order.shape + (1,) * extra), axis=n_leading
            )

        moved = self.map(reorder)
        if TRANSITION not in moved.indicators:
            return moved
        to = {
            name: np.take_along_axis(values, states_order(order, values.shape[-1]), axis=-1)
            for name, values in moved.indicators[TRANSITION].items()
        }
        return Values(moved.share, {**moved.indicators, TRANSITION: to})


def states_order(order: NDArray[np.intp], n_states: int) -> NDArray[np.intp]:
    """Return an order of segments (…, segment) as one of states (…, 1, state), churned last."""
    churned = np.arange(order.shape[-1], n_states)
    churned = np.broadcast_to(churned, (*order.shape[:-1], len(churned)))
    return np.concatenate([order, churned], axis=-1)[..., None, :]


class ExtraPrior(Protocol):
    """The prior of a parameter that belongs to segments but to no indicator."""

    @property
    def fixed(self) -> Array:
        """Fixed values, NaN where estimated, (segment, column)."""
        ...

    def codes(self) -> tuple[Array, Array, Array]:
        """Return name codes and the two numbers of each column's prior, (segment, column)."""
        ...

    def log_density(self, values: Array) -> Array:
        """Return the log density of each segment's values, (segment,)."""
        ...

    def draw(self, rng: np.random.Generator) -> Array:
        """Return one draw, (segment, column)."""
        ...

    def bounded(self) -> "ExtraPrior":
        """Return the prior with a density that has a maximum; itself if it has one."""
        ...


@dataclass(frozen=True)
class Extra:
    """A parameter of every segment beyond those of the indicators, such as a row of transitions.

    Attributes
    ----------
    group, name
        Under which it stands in `Values.indicators`.
    support
        ``"simplex"`` or ``"real"``.
    prior
        Its prior.
    """

    group: str
    name: str
    support: str
    prior: ExtraPrior


@dataclass(frozen=True)
class Mixture:
    """A finite mixture with its priors, for a given schema and number of segments.

    Attributes
    ----------
    schema
        With codings and default priors frozen.
    share
        Dirichlet concentrations of the shares, shape (segment,).
    fixed_share
        Fixed shares, None where they are estimated.
    priors
        Indicator, then parameter.
    extras
        Parameters of the segments beyond the indicators, in the order of their columns.
    """

    n_segments: int
    schema: Schema
    share: Array
    fixed_share: Array | None
    priors: Mapping[str, Mapping[str, SegmentPrior]]
    extras: tuple[Extra, ...] = ()

    @property
    def families(self) -> dict[str, Family]:
        """Family of each indicator."""
        return {name: entry.member() for name, entry in self.schema.indicators.items()}

    @property
    def codings(self) -> dict[str, Coding]:
        """Frozen constants of each indicator."""
        return {name: entry.coding() for name, entry in self.schema.indicators.items()}

    @property
    def exchangeable(self) -> bool:
        """Whether the segments' labels carry no meaning, so that draws may be relabelled."""
        same = all(p.exchangeable for group in self.priors.values() for p in group.values())
        return same and self.fixed_share is None and bool(np.all(self.share == self.share[0]))

    @property
    def n_parameters(self) -> int:
        """Number of free parameters, the count that BIC uses."""
        n = 0 if self.fixed_share is not None else self.n_segments - 1
        for indicator, member in self.families.items():
            for parameter in member.parameters:
                prior = self.priors[indicator][parameter.name]
                width = prior.fixed.shape[1] - 1 if parameter.per_level else 1
                n += int(prior.free.sum()) * width
        for extra in self.extras:
            free = np.isnan(extra.prior.fixed)
            n += int(free.sum() - (extra.support == "simplex") * free.any(axis=1).sum())
        return n

    def not_updatable(self) -> list[str]:
        """Return the indicators whose priors have no Gibbs update."""
        families = self.families
        return [name for name in self.priors if not families[name].updatable(self.priors[name])]

    def draw_prior(self, rng: np.random.Generator) -> Values:
        """Return one draw of every parameter from its prior."""
        share = self.fixed_share
        if share is None:
            share = DISTRIBUTIONS["Dirichlet"].draw(rng, self.share.shape, alpha=self.share)
        indicators = {
            indicator: {name: prior.draw(rng) for name, prior in priors.items()}
            for indicator, priors in self.priors.items()
        }
        for extra in self.extras:
            indicators.setdefault(extra.group, {})[extra.name] = extra.prior.draw(rng)
        return Values(share, indicators)

    def log_prior(self, values: Values) -> float:
        """Return the log prior density of one value of every parameter, no Jacobian."""
        total = 0.0
        if self.fixed_share is None:
            total = float(DISTRIBUTIONS["Dirichlet"].log_density(values.share, alpha=self.share))
        for indicator, priors in self.priors.items():
            for name, prior in priors.items():
                total += float(prior.log_density(values.indicators[indicator][name]).sum())
        for extra in self.extras:
            drawn = values.indicators[extra.group][extra.name]
            total += float(extra.prior.log_density(drawn).sum())
        return total


def specify(schema: Schema, n_segments: int) -> Mixture:
    """Return the mixture of a frozen schema.

    Raises
    ------
    SchemaError
        Where the prior of the shares is no Dirichlet and not fixed.
    """
    priors = {
        name: entry.member().segment_priors(entry.prior_mapping(), n_segments, entry.coding())
        for name, entry in schema.indicators.items()
    }
    share = schema.share.prior()
    ones = np.ones(n_segments)
    if share.name == "Fixed":
        return Mixture(n_segments, schema, ones, ones * share.parameters["value"], priors)
    if share.name != "Dirichlet":
        raise SchemaError(
            f"Give the shares a Dirichlet prior or fixed values: expected 'Dirichlet' or 'Fixed', "
            f"got {share.name!r}."
        )
    return Mixture(n_segments, schema, ones * share.parameters["alpha"], None, priors)
