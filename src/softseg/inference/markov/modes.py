"""Posterior modes of latent Markov models: accelerated EM from many starts.

A start takes the segments' parameters from where mixtures start, on the rows of the panel as if
they were customers, and the chain from its prior. Segments are numbered by the customers and
periods that the best mode puts into them, the largest first, where their labels carry no meaning.

Covariates have no M step: the mode without them is found first, and its rows become constants of
the logits; from there the climb goes on along the gradient.
"""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from scipy.optimize import minimize

from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.markov.space import MarkovSpace
from softseg.inference.markov.turns import climb_kernel, seen
from softseg.inference.modes import LONG_CYCLES, Mode
from softseg.inference.starts import random_start
from softseg.inference.threads import Stop, Stopped
from softseg.likelihood.histories import Histories
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import Statistics
from softseg.models.chain_priors import RowPrior
from softseg.models.edges import bounded, inside
from softseg.models.latent_markov import LatentMarkov, sticky
from softseg.models.mixture import Extra, Mixture, Values
from softseg.models.plan import theta_of, values_of
from softseg.names import INITIAL, TRANSITION

STEEPEST_ITERATIONS = 500
"""Of the climb along the gradient at the most; Newton steps follow where the curvature is taken."""


@dataclass(frozen=True)
class Climber:
    """EM on one panel.

    Attributes
    ----------
    space
        Of the model whose modes are sought.
    gentle
        The same with priors that have a maximum, without covariates: what EM climbs.
    """

    space: MarkovSpace
    gentle: MarkovSpace

    @classmethod
    def on(cls, model: LatentMarkov, statistics: Statistics, histories: Histories) -> "Climber":
        """Return the climber of a model on a panel."""
        whole = MarkovSpace.on(model, statistics, histories)
        plain = pooled(model) if model.logit else model
        together = alike(histories) if model.logit else histories
        gentle = cast(LatentMarkov, bounded(plain))
        return cls(whole, MarkovSpace.on(gentle, statistics, together))

    def start(self, rng: np.random.Generator) -> Values:
        """Return random first parameters of the model that EM climbs, fixed ones in their places.

        Gibbs chains begin there too, and never touch what is fixed.
        """
        statistics, model = self.space.statistics, self.gentle.model
        drawn = model.draw_prior(rng)
        found = random_start(statistics, rows_of(model), rng)
        extras = {g: v for g, v in drawn.indicators.items() if g == TRANSITION}
        share = found.share if model.fixed_share is None else model.fixed_share
        return self._held(share, theta_of(model, Values(share, {**found.indicators, **extras})))

    def _held(self, share: Array, theta: Array) -> Values:
        """Return parameters with the fixed ones as they are to the last bit: steps round them."""
        fixed = self.gentle.plan.fixed
        return values_of(self.gentle.mixture, share, np.where(np.isnan(fixed), theta, fixed))

    def climb(self, values: Values, cycles: int, tolerance: float, stop: Stop) -> Values:
        """Return the parameters that EM reaches within a number of cycles.

        Raises
        ------
        Stopped
            Once `stop` is set.
        """
        space = self.gentle
        share = np.array(values.share, dtype=float)
        theta = np.ascontiguousarray(theta_of(space.mixture, values))
        climb_kernel(
            space.plan, space.chain, share, theta, space.sequences, cycles, tolerance, stop.flag
        )
        if stop.is_set():
            raise Stopped
        return self._held(share, theta)

    def height(self, values: Values) -> float:
        """Return log-likelihood plus log prior of the model that EM climbs, up to a constant."""
        space = self.gentle
        theta = np.ascontiguousarray(theta_of(space.mixture, values))
        return float(seen(space.plan, space.chain, values.share, theta, space.sequences)[0])

    def polished(self, values: Values, tolerance: float, stop: Stop) -> Values:
        """Return the mode of the model that is reached from some of its parameters."""
        if self._logit:
            return steepest(self.space, values)
        return self.climb(values, LONG_CYCLES, tolerance, stop)

    def whole(self, values: Values) -> Values:
        """Return where EM ended as parameters of the model, covariates climbed."""
        if not self._logit:
            return values
        return steepest(self.space, with_covariates(self.space.model, values))

    @property
    def _logit(self) -> bool:
        return self.space.model.logit

    def mode(self, values: Values) -> Mode:
        """Return parameters of the model as a mode.

        Segments are numbered by size, unless priors of their own give the labels a meaning.
        """
        space, s = self.space, self.space.statistics
        model = space.model
        inner = inside(model, values, s.n_customers)
        theta = np.ascontiguousarray(theta_of(model, inner))
        _, log_lik, sums = seen(space.plan, space.chain, inner.share, theta, space.sequences)
        sizes = sums[2]
        log_lik += float(s.count @ s.log_base)
        if model.exchangeable:
            order = np.argsort(-sizes, kind="stable")
            values, sizes = values.permuted(order), sizes[order]
        weights = s.layout.weights(values.indicators, NUMPY)
        top = memberships(s, weights, sizes / sizes.sum())[0].argmax(axis=1)
        return Mode(values, log_lik, log_lik + model.log_prior(inner), sizes, top)


def rows_of(model: Mixture) -> Mixture:
    """Return the mixture of the panel's rows: the model without its chain."""
    return Mixture(model.n_segments, model.schema, np.maximum(model.share, 1.0), None, model.priors)


def alike(histories: Histories) -> Histories:
    """Return the histories with one transition matrix and one beginning for all."""
    s = histories.steps
    steps = s._replace(profiles=np.zeros_like(s.profiles), begins=np.zeros_like(s.begins))
    return replace(histories, steps=steps, n_profiles=1, n_begins=1)


def pooled(model: LatentMarkov) -> LatentMarkov:
    """Return the model without covariates."""
    rows = RowPrior(
        np.maximum(sticky(model.n_segments, model.churns), 1.0),
        np.full((model.n_segments, model.n_states), np.nan),
    )
    plain = Mixture(
        model.n_segments, model.schema, np.full(model.n_segments, 2.0), None, model.priors
    )
    return LatentMarkov.of(plain, [Extra(TRANSITION, "all", "simplex", rows)], churns=model.churns)


def with_covariates(model: LatentMarkov, values: Values) -> Values:
    """Return the parameters of the pooled model as constants of logits, slopes 0."""
    rows = values.indicators[TRANSITION]["all"]
    indicators = {g: dict(v) for g, v in values.indicators.items() if g != TRANSITION}
    share = values.share
    for extra in model.extras:
        array = np.zeros(extra.prior.fixed.shape)
        if extra.name == "constant" and extra.group == TRANSITION:
            logs = np.log(np.maximum(rows, 1e-6))
            array = logs - np.diagonal(logs)[:, None]
        elif extra.name == "constant":
            logs = np.log(np.maximum(share, 1e-6))
            array = (logs - logs.mean())[:, None]
        elif extra.support == "simplex":
            array = rows
        indicators.setdefault(extra.group, {})[extra.name] = array
    if any(extra.group == INITIAL for extra in model.extras):
        share = np.full_like(share, 1.0 / len(share))
    return Values(share, indicators)


def steepest(space: MarkovSpace, values: Values) -> Values:
    """Return the parameters at the mode that is reached along the gradient."""

    def negative(point: Array) -> tuple[float, Array]:
        height, gradient = space.log_posterior(point)
        return -height, -gradient

    start = space.point(inside(space.mixture, values, space.statistics.n_customers))
    found = minimize(
        negative, start, jac=True, method="L-BFGS-B", options={"maxiter": STEEPEST_ITERATIONS}
    )
    return space.values(found.x)
