"""Calibration of latent Markov models: ranks of the truth, and the joint test of the Gibbs sweep.

As `calibration_ranks`, with panels of 80 customers over six periods in the place of tables. Two
segments, and churned as a third state. Under *observed* the period of churn is known, one period in
ten has no row, and one cell in ten is missing; the indicators are Gaussian, Poisson and Bernoulli.
Under *silent* every customer has a row in every period, and one without orders may be that of a
customer who has left; the Gaussian is observed where there are orders. Rows of transitions have the
default prior, which expects customers to stay.

The log-likelihood of the truth comes from a forward recursion written out in NumPy, and so does
the share of customers that are in the first segment where their histories end.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from calibration_joint import judged
from calibration_ranks import (
    ANCHOR,
    N_CHAINS,
    N_TUNE,
    NUTS_THIN,
    NUTS_TUNE,
    PER_CHAIN,
    THIN,
    Ranks,
    log_joint,
    path_of,
    ranked,
    store,
)
from calibration_ranks import read as read_shards
from softseg.inference.diagnose import quantities
from softseg.inference.draws import Draws
from softseg.inference.gibbs import gibbs
from softseg.inference.laplace import resampled, sample_importance, summits
from softseg.inference.markov.entry import markov_engine
from softseg.inference.markov.gibbs import markov_sweeps
from softseg.inference.markov.modes import Climber
from softseg.inference.markov.space import MarkovSpace
from softseg.inference.modes import LONG_CYCLES, NEARLY, Modes, merged
from softseg.inference.threads import Stop
from softseg.likelihood.histories import ACTIVE, ANY, CHURNED, Histories, histories_of
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.latent_markov import LatentMarkov, specify_markov
from softseg.models.mixture import Values
from softseg.names import TRANSITION
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema
from softseg.tables.table import Table

METHODS = ("gibbs", "laplace", "nuts")
N_SIMULATIONS, SHARD = 1000, 50
N_CUSTOMERS, N_PERIODS, N_SEGMENTS, MISSING = 80, 6, 2, 0.1
N_STARTS = 4
JOINT_CUSTOMERS, JOINT_PERIODS = 3, 4
KINDS = {
    "observed": {"anchor": "gaussian", "orders": "poisson", "late": "bernoulli"},
    "interval": {"anchor": "gaussian", "orders": "poisson"},
    "silent": {"anchor": "gaussian", "orders": "poisson"},
}
CALIBRATED = ("observed", "silent")
"""Kinds of churn whose ranks are taken; the tests know all of them."""
ENDED = -1
"""Sign of a period after the end of a history."""


@dataclass(frozen=True)
class Panel:
    """A panel, and its rows and signs before histories were made of them, (customer, period)."""

    statistics: Statistics
    histories: Histories
    row: np.ndarray
    sign: np.ndarray


@dataclass(frozen=True)
class World:
    """Panels of one kind of churn, and the model behind them."""

    churn: str
    n_customers: int = N_CUSTOMERS
    n_periods: int = N_PERIODS

    @cached_property
    def mixture(self) -> LatentMarkov:
        """The model, its priors frozen on a base table."""
        from builders import frame_of, truth

        kinds = KINDS[self.churn]
        frame, _ = frame_of(kinds, truth(kinds, (0.5, 0.3, 0.2)), 400, np.random.default_rng(20))
        entries = {key: IndicatorSchema(family=kind) for key, kind in kinds.items()}
        own = {"mean": PriorSchema.of(ANCHOR)}
        entries["anchor"] = IndicatorSchema(family="gaussian", priors=own)
        schema = prepare(frame, Schema(indicators=entries)).schema
        return specify_markov(schema, N_SEGMENTS)

    def table(self, values: Values, rng: np.random.Generator) -> Panel:
        """Return a panel drawn given the parameters."""
        return self.drawn(values, self._states(values, rng), rng)

    def drawn(self, values: Values, state: np.ndarray, rng: np.random.Generator) -> Panel:
        """Return a panel drawn given the parameters and states, (customer, period)."""
        gone = state == N_SEGMENTS
        seen, sign = ~gone, np.where(gone, CHURNED, ACTIVE)
        cells = self._cells(values, state, rng)
        if self.churn == "observed":
            seen &= rng.random(state.shape) >= MISSING
            sign = _until_known(sign)
        elif self.churn == "interval":  # nobody looks in every second period
            seen[:, 1::2], sign[:, 1::2] = False, ANY
            sign = _until_known(sign)
        else:
            cells["orders"][gone] = 0.0
            quiet = cells["orders"] == 0.0
            cells["anchor"][quiet] = np.nan
            sign, seen = np.where(quiet, ANY, ACTIVE), np.ones_like(seen)
        return self._panel({name: cell[seen] for name, cell in cells.items()}, seen, sign)

    def _states(self, values: Values, rng: np.random.Generator) -> np.ndarray:
        moves = np.eye(N_SEGMENTS + 1)
        moves[:N_SEGMENTS] = values.indicators[TRANSITION]["all"]
        state = np.empty((self.n_customers, self.n_periods), dtype=np.int64)
        state[:, 0] = rng.choice(N_SEGMENTS, size=self.n_customers, p=values.share)
        for t in range(1, self.n_periods):
            u = rng.random(self.n_customers)[:, None]
            state[:, t] = (u > np.cumsum(moves[state[:, t - 1]], axis=1)[:, :-1]).sum(axis=1)
        return state

    def _cells(
        self, values: Values, state: np.ndarray, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        segment = np.minimum(state, N_SEGMENTS - 1).ravel()
        cells = {}
        for name, member in self.mixture.families.items():
            coding = self.mixture.codings[name]
            drawn = member.draw(rng, values.indicators[name], segment, None, coding)
            lost = self.churn == "observed" and rng.random(len(segment)) < MISSING
            cells[name] = np.where(lost, np.nan, drawn).reshape(state.shape)
        return cells

    def _panel(self, columns: dict[str, np.ndarray], seen: np.ndarray, sign: np.ndarray) -> Panel:
        n = int(seen.sum())
        table = Table(self.mixture.schema, columns, {}, np.ones(n), rows=np.arange(1, n + 1))
        row = np.full(seen.shape, -1)
        row[seen] = np.arange(n)
        statistics, kept = reduce(table), sign != ENDED
        histories = histories_of(
            statistics,
            row=row[kept],
            sign=sign[kept],
            start=np.append(0, np.cumsum(kept.sum(axis=1))),
            churns=True,
        )
        return Panel(statistics, histories, row, sign)

    def log_likelihood(self, table: Panel, values: Values) -> float:
        """Return the log density of a panel."""
        return float(forward(table, values)[0])

    def swept(
        self, table: Panel, updated: LatentMarkov, values: Values, rng: np.random.Generator
    ) -> Values:
        """Return where one Gibbs sweep leads."""
        sweeps = markov_sweeps(MarkovSpace.on(updated, table.statistics, table.histories))
        options = {"n_draws": 1, "n_tune": 0, "rngs": [rng], "sweeps": sweeps}
        return gibbs(table.statistics, updated, [values], **options)[1][0]


def _until_known(sign: np.ndarray) -> np.ndarray:
    """Return signs that end once a customer is known to have left."""
    known = np.cumsum(sign == CHURNED, axis=1)
    after = np.concatenate([np.zeros((len(sign), 1), dtype=int), known[:, :-1]], axis=1) > 0
    return np.where(after, ENDED, sign)


def forward(panel: Panel, values: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return log-likelihoods and shares of customers that end in the first segment, (…,).

    The forward recursion in NumPy, for all customers and draws at once.
    """
    flat = Values(np.ones_like(values.share), values.indicators)
    joint = log_joint(panel.statistics, flat) + panel.statistics.log_base
    density = np.exp(np.moveaxis(joint, -1, 0))[panel.statistics.pattern_of_row]
    density = np.moveaxis(density, 0, -2)  # (…, row, segment)
    moves = np.zeros((*values.share.shape[:-1], N_SEGMENTS + 1, N_SEGMENTS + 1))
    moves[..., :N_SEGMENTS, :] = values.indicators[TRANSITION]["all"]
    moves[..., N_SEGMENTS, N_SEGMENTS] = 1.0
    begin = np.concatenate([values.share, np.zeros((*values.share.shape[:-1], 1))], axis=-1)
    alpha = np.repeat(begin[..., None, :], len(panel.row), axis=-2)
    log_lik = np.zeros(values.share.shape[:-1])
    for t in range(panel.row.shape[1]):
        row, sign = panel.row[:, t], panel.sign[:, t]
        here = np.flatnonzero(sign != ENDED)
        cell = np.where((row >= 0)[:, None], density[..., row, :], 1.0)
        segments = np.where((sign == CHURNED)[:, None], 0.0, cell)
        left = np.broadcast_to((sign != ACTIVE)[:, None], (*segments.shape[:-1], 1))
        step = alpha if t == 0 else alpha @ moves
        step = step * np.concatenate([segments, left], axis=-1)
        total = step.sum(axis=-1, keepdims=True)
        log_lik = log_lik + np.log(total[..., here, 0]).sum(axis=-1)
        alpha[..., here, :] = (step / np.where(total > 0.0, total, 1.0))[..., here, :]
    return log_lik, alpha[..., 0].mean(axis=-1)


def watched(
    panel: Panel, values: Values, log_likelihood: np.ndarray | None
) -> tuple[list[str], np.ndarray]:
    """Return names of the quantities and their draws (sample, quantity), segments in order.

    Parameters
    ----------
    values
        Leading axes (chain, draw).
    log_likelihood
        As the method reports it, (chain, draw); computed here where it is None.
    """
    ordered = values.permuted(np.argsort(values.indicators["anchor"]["mean"], axis=-1))
    mine, member = forward(panel, ordered)
    names, columns = quantities(ordered, mine if log_likelihood is None else log_likelihood)
    columns = np.concatenate([columns, member[..., None]], axis=-1).reshape(-1, len(names) + 1)
    names = [*names, "membership"]
    kept = [i for i, name in enumerate(names) if name not in ("share[2]", "sorted_share[2]")]
    return [names[i] for i in kept], columns[:, kept]


def simulation_of(world: World, simulation: int, method: str) -> tuple[list[str], np.ndarray, bool]:
    """Return the names of the quantities, the truth's ranks, and whether the weights stand."""
    seed = [CALIBRATED.index(world.churn), simulation, 6]
    rng_panel, rng_modes, *rngs = np.random.default_rng(seed).spawn(2 + len(METHODS))
    rng = rngs[METHODS.index(method)]
    truth = world.mixture.draw_prior(rng_panel)
    panel = world.table(truth, rng_panel)
    draws, stands = _draws(
        method, world.mixture, panel, _modes(world.mixture, panel, rng_modes), rng
    )
    names, true = watched(panel, truth.map(lambda v: v[None, None]), None)
    drawn = watched(panel, draws.values, draws.log_likelihood)[1]
    return names, ranked(true, drawn, rng), stands


def _modes(model: LatentMarkov, panel: Panel, rng: np.random.Generator) -> Modes:
    climber = Climber.on(model, panel.statistics, panel.histories)
    starts = [climber.start(own) for own in rng.spawn(N_STARTS)]
    found = [climber.mode(climber.climb(v, LONG_CYCLES, NEARLY, Stop())) for v in starts]
    return merged(None, found, N_STARTS, panel.statistics.count)


def _draws(
    method: str, model: LatentMarkov, panel: Panel, modes: Modes, rng: np.random.Generator
) -> tuple[Draws, bool]:
    space = MarkovSpace.on(model, panel.statistics, panel.histories)
    tops = [modes.best, *modes.near]
    if method == "laplace":
        rng_importance, rng_resample = rng.spawn(2)
        peaks = summits(space, [mode.values for mode in tops])
        found = sample_importance(space, peaks, rng=rng_importance)
        return resampled(space, found, rng_resample, N_CHAINS, PER_CHAIN), found.stands
    starts = [tops[i % len(tops)].values for i in range(N_CHAINS)]
    rngs = rng.spawn(N_CHAINS)
    if method == "gibbs":
        draws, _ = gibbs(
            panel.statistics, model, starts, n_draws=PER_CHAIN, n_tune=N_TUNE, thin=THIN,
            rngs=rngs, sweeps=markov_sweeps(space),
        )  # fmt: skip
        return draws, True
    from softseg.inference.nuts import nuts

    drawn = nuts(
        panel.statistics, model, starts, n_draws=PER_CHAIN * NUTS_THIN, n_tune=NUTS_TUNE,
        rngs=rngs, engine=markov_engine(space),
    )  # fmt: skip
    every = (slice(None), slice(None, None, NUTS_THIN))
    return Draws(drawn.values.at(every), drawn.log_likelihood[every], {}, "nuts"), True


def name_of(churn: str) -> str:
    """Return the name under which a kind of churn stands in files and tables."""
    return f"markov_{churn}"


def units() -> list[str]:
    """Return the names of the shards, first shards of all kinds first."""
    return [f"{churn}-{i}" for i in range(N_SIMULATIONS // SHARD) for churn in CALIBRATED]


def work(unit: str, method: str, folder: Path, commit: str) -> float:
    """Write the ranks of a shard under a method; return its CPU seconds."""
    churn, shard = unit.split("-")
    world, first = World(churn), int(shard) * SHARD
    path = shard_path(folder, unit, method)
    simulations = range(first, first + SHARD)
    return store(path, lambda i: simulation_of(world, i, method), simulations, commit)


def shard_path(folder: Path, unit: str, method: str) -> Path:
    """Return the file with the ranks of a shard."""
    return path_of(folder, f"markov_{unit}", method)


def read(folder: Path, churn: str, method: str) -> Ranks | None:
    """Return all ranks of a kind of churn under a method; None where there are none yet."""
    return read_shards(folder, name_of(churn), method, N_SIMULATIONS // SHARD)


def joint(unit: str, commit: str) -> dict[str, object]:
    """Return the joint test of one kind of churn."""
    world = replace(World(unit), n_customers=JOINT_CUSTOMERS, n_periods=JOINT_PERIODS)
    return judged(world, commit)
