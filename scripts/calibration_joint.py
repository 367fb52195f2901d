"""Joint test of the Gibbs updates: they leave the joint distribution of truth and table alone.

Parameters from the prior, then in turns a table given the parameters and one Gibbs sweep given the
table (Geweke 2004, the successive-conditional simulator). The parameters that come by have the
prior's distribution if every update draws from its conditional, and the density that the updates
mean is the one that tables are drawn from. Compared are the mean and the spread of every
parameter's place in its prior, and of the log-likelihood's place among those of fresh pairs of
parameters and table, with errors that allow for the chain's autocorrelation.

Four customers, of whom one has an empty cell, two segments, one indicator of the family: with so
few data one sweep moves far. Counts have exposures.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy.special import logsumexp

from calibration_ranks import log_joint
from softseg.families import families
from softseg.inference.diagnose import quantities
from softseg.inference.gibbs import gibbs, stack
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.mixture import Mixture, Values, specify
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, Schema
from softseg.tables.table import Table

N_CUSTOMERS, N_SEGMENTS = 4, 2
N_CHAINS, N_STEPS, N_FRESH = 4, 1500, 4000
SAME = 4.0
"""Largest distance in standard errors that agrees."""
NAME = "first"


@dataclass(frozen=True)
class Simulator:
    """Tables of one family, and the mixture behind them."""

    mixture: Mixture
    exposure: np.ndarray | None

    @classmethod
    def of(cls, name: str) -> "Simulator":
        """Return the simulator of a family, priors frozen on a base table."""
        from builders import frame_of, truth

        kinds = {NAME: name}
        exposures = {NAME: "years"} if families()[name].takes_exposure else None
        rng = np.random.default_rng(20)
        values = truth(kinds, (0.5, 0.3, 0.2))
        frame, _ = frame_of(kinds, values, 400, rng, exposures=exposures)
        entry = IndicatorSchema(family=name, exposure="years" if exposures else None)
        schema = prepare(frame, Schema(indicators={NAME: entry})).schema
        exposure = np.resize([0.5, 1.0, 2.5], N_CUSTOMERS) if exposures else None
        return cls(specify(schema, N_SEGMENTS), exposure)

    @cached_property
    def gap(self) -> np.ndarray:
        """Which cells are empty, (customer,)."""
        return np.arange(N_CUSTOMERS) == 0

    def table(self, values: Values, rng: np.random.Generator) -> Statistics:
        """Return the statistics of a table drawn given the parameters."""
        member, coding = self.mixture.families[NAME], self.mixture.codings[NAME]
        segment = rng.choice(N_SEGMENTS, size=N_CUSTOMERS, p=values.share)
        drawn = member.draw(rng, values.indicators[NAME], segment, self.exposure, coding)
        columns = {NAME: np.where(self.gap, np.nan, drawn)}
        exposures = {} if self.exposure is None else {NAME: self.exposure}
        ones, rows = np.ones(N_CUSTOMERS), np.arange(1, N_CUSTOMERS + 1)
        return reduce(Table(self.mixture.schema, columns, exposures, ones, rows=rows))

    def log_likelihood(self, table: Statistics, values: Values) -> float:
        """Return the log density of a table, written out in NumPy."""
        lik = logsumexp(log_joint(table, values), axis=0) + table.log_base
        return float(lik @ table.count)

    def swept(
        self, table: Statistics, updated: Mixture, values: Values, rng: np.random.Generator
    ) -> Values:
        """Return where one Gibbs sweep leads."""
        return gibbs(table, updated, [values], n_draws=1, n_tune=0, rngs=[rng])[1][0]


class Simulates(Protocol):
    """What the test needs to know of a model."""

    @property
    def mixture(self) -> Mixture:
        """The model."""
        ...

    def table(self, values: Any, rng: np.random.Generator) -> Any:
        """Return data drawn given the parameters."""
        ...

    def log_likelihood(self, table: Any, values: Values) -> float:
        """Return the log density of data."""
        ...

    def swept(self, table: Any, updated: Any, values: Values, rng: np.random.Generator) -> Values:
        """Return where one Gibbs sweep leads."""
        ...


def units() -> list[str]:
    """Return the names of the families."""
    return list(families())


def work(unit: str, commit: str) -> dict[str, object]:
    """Return for one family the distances of all quantities, in standard errors."""
    return judged(Simulator.of(unit), commit)


def judged(simulator: Simulates, commit: str) -> dict[str, object]:
    """Return the distances of all quantities, in standard errors."""
    names, z, ess = joint_test(simulator, simulator.mixture, np.random.default_rng([3, 1]))
    return {
        "commit": commit,
        "quantities": names,
        "z": np.round(z, 3).tolist(),
        "least_ess": float(ess.min()),
    }


def joint_test(
    simulator: Simulates,
    updated: Mixture,
    rng: np.random.Generator,
    n_steps: int = N_STEPS,
    n_fresh: int = N_FRESH,
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, distances in standard errors (quantity, 2) and effective steps (quantity, 2).

    Parameters
    ----------
    simulator
        Draws parameters and tables.
    updated
        The mixture whose Gibbs updates are tested; the simulator's own, where they should pass.

    Notes
    -----
    The two columns are the mean of the place u in the prior, ½ where all is right, and the mean of
    (u − ½)², 1/12.
    """
    from arviz_stats.base import array_stats

    rng_fresh, *rngs = rng.spawn(1 + N_CHAINS)
    names, fresh = _fresh(simulator, n_fresh, rng_fresh)
    chains = np.stack([_chain(simulator, updated, n_steps, own) for own in rngs])
    z, ess = np.empty((len(names), 2)), np.empty((len(names), 2))
    for q in range(len(names)):
        sorted_fresh = np.sort(fresh[:, q])
        u = (np.searchsorted(sorted_fresh, chains[..., q]) + 0.5) / (n_fresh + 1.0)
        for i, (series, expected) in enumerate(((u, 1 / 2), ((u - 0.5) ** 2, 1 / 12))):
            ess[q, i] = array_stats.ess(series, method="mean", chain_axis=0, draw_axis=1)
            error = series.std() * np.sqrt(1.0 / ess[q, i] + 1.0 / n_fresh)
            z[q, i] = (series.mean() - expected) / error
    return names, z, ess


def _fresh(simulator: Simulates, n: int, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Return names and draws (sample, quantity) of independent pairs of parameters and table."""
    values, lik = [], []
    for _ in range(n):
        truth = simulator.mixture.draw_prior(rng)
        values.append(truth)
        lik.append(simulator.log_likelihood(simulator.table(truth, rng), truth))
    return _quantities(values, lik)


def _chain(simulator: Simulates, updated: Mixture, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the quantities along one chain, (step, quantity)."""
    values, lik = [], []
    now = simulator.mixture.draw_prior(rng)
    for _ in range(n):
        table = simulator.table(now, rng)
        values.append(now)
        lik.append(simulator.log_likelihood(table, now))
        now = simulator.swept(table, updated, now, rng)
    return _quantities(values, lik)[1]


def _quantities(values: list[Values], lik: list[float]) -> tuple[list[str], np.ndarray]:
    """Return names and draws of what moves by itself: the last share and level are left out."""
    stacked = stack(values).map(lambda v: v[None])
    names, columns = quantities(stacked, np.array(lik)[None])
    kept = [i for i, name in enumerate(names) if "share[2]" not in name]
    return [names[i] for i in kept], columns[0][:, kept]
