"""The finite mixture without a sampler: which parameters there are and what their priors say.

Generative model. Shares π ~ Dirichlet(α). Each customer i belongs to one segment z_i ~
Categorical(π). Given the segment, the indicators are independent (local independence) and
indicator j follows its family with the segment's parameters θ_jk, each drawn from its prior. The
segment of a customer is summed out, so that the density of a customer is Σ_k π_k Π_j f_j(x_ij |
θ_jk), a missing cell contributing 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softseg.errors import SchemaError
from softseg.families import Family
from softseg.families.base import Array, Coding
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
        """
        n_leading = self.share.ndim - 1
        order = np.broadcast_to(order, self.share.shape)

        def reorder(values: Array) -> Array:
            extra = values.ndim - n_leading - 1
            return np.take_along_axis(
                values, order.reshape(order.shape + (1,) * extra), axis=n_leading
            )

        return self.map(reorder)


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
    """

    n_segments: int
    schema: Schema
    share: Array
    fixed_share: Array | None
    priors: Mapping[str, Mapping[str, SegmentPrior]]

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
        return Values(share, indicators)

    def log_prior(self, values: Values) -> float:
        """Return the log prior density of one value of every parameter, no Jacobian."""
        total = 0.0
        if self.fixed_share is None:
            total = float(DISTRIBUTIONS["Dirichlet"].log_density(values.share, alpha=self.share))
        for indicator, priors in self.priors.items():
            for name, prior in priors.items():
                total += float(prior.log_density(values.indicators[indicator][name]).sum())
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
