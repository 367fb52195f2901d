"""No-U-turn sampling of the PyMC model by nutpie (Hoffman and Gelman 2014; Seyboldt et al. 2026).

Every chain is a sampler of its own with its own seed and its own start, so that chain i is the
same however many cores and chains there are. The chains run in nutpie's threads; this thread
watches them, so that an interrupt stops them and a fault in the progress display is seen.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from softseg.checks import whole_number
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.inference.checkpoint import Chain, Keeper
from softseg.inference.draws import Draws, Progress
from softseg.inference.gibbs import stack
from softseg.likelihood.kernel import expected_statistics
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.names import SHARE, parameter_name

STATISTICS: Final = {
    "logp": "lp",
    "energy": "energy",
    "diverging": "diverging",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "n_steps": "n_steps",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
}
"""Which of nutpie's statistics are kept, and ArviZ' names for them."""

LEAST_PROBABILITY: Final = 1e-3
"""Probabilities of a start keep this distance from 0 and 1, less where there are many customers:
a mode may lie on the edge, which the sampler's space does not have."""

STIRRED: Final = 1e-3
"""How far a start is moved, relative to its size: at a mode a slope can be exactly 0, which nutpie
takes for a broken start."""

LOOK_EVERY: Final = 0.02
"""Seconds that one look at a running chain takes."""


@dataclass(frozen=True)
class Compiled:
    """A mixture's log density and gradient as machine code, for any number of samplings.

    Attributes
    ----------
    model
        As `nutpie.sample` takes it.
    point
        From parameters to the sampler's space.
    """

    model: Any
    point: Callable[[Values], Array]


def compile_nuts(statistics: Statistics, mixture: Mixture) -> Compiled:
    """Return the compiled model of a mixture; takes seconds, most of it from numba's cache.

    Raises
    ------
    UsageError
        Where there is nothing to estimate.
    """
    if mixture.n_parameters == 0:
        raise UsageError("Leave at least one parameter free: all of them are fixed.")
    import nutpie

    from softseg.models.graph import build_mixture, unconstrained

    model = build_mixture(mixture, statistics)
    kept = [name for name, _, _ in _variables(mixture)]
    compiled = nutpie.compile_pymc_model(model, backend="numba", var_names=kept)
    point_of = unconstrained(model, mixture)
    edge = min(LEAST_PROBABILITY, 0.5 / (1.0 + statistics.n_customers))

    def point(values: Values) -> Array:
        parts = point_of(_inside(mixture, values, edge)).values()
        return np.concatenate([part.ravel() for part in parts])

    return Compiled(compiled, point)


def nuts(
    statistics: Statistics,
    mixture: Mixture,
    starts: Sequence[Values],
    *,
    n_draws: int,
    n_tune: int,
    rngs: Sequence[np.random.Generator],
    cores: int = 1,
    target_accept: float = 0.8,
    progress: Progress | None = None,
    stage: str = "sample",
    compiled: Compiled | None = None,
    keeper: Keeper | None = None,
    partial: bool = False,
) -> Draws:
    """Return the draws of one chain per start.

    Parameters
    ----------
    starts
        First values of each chain, moved by a thousandth; probabilities of exactly 0 or 1 are
        moved inwards.
    n_draws, n_tune
        Draws kept per chain, after so many that tune the sampler.
    rngs
        One generator per chain.
    cores
        How many chains run at the same time; changes no draw.
    target_accept
        Acceptance that the step size is tuned to; nearer 1 against divergences.
    progress
        Called with ``"compile"`` and 0 or 1 around the compilation, then with `stage` and the
        share of the sampling that is done.
    compiled
        From `compile_nuts`, to sample again without compiling.
    keeper
        Keeps every finished chain, and gives back those it has.
    partial
        Whether an interrupt returns the finished chains, if there are any, instead of being raised.

    Raises
    ------
    UsageError
        Where there is not one generator per start, or nothing to estimate.
    RuntimeError
        Where nutpie cannot move from a start, in its words.
    """
    if not starts or len(starts) != len(rngs):
        raise UsageError(
            f"Give at least one start, and one generator for each: expected {len(starts)} "
            f"generators, got {len(rngs)}."
        )
    whole_number(n_draws, "n_draws", 1)
    whole_number(n_tune, "n_tune", 1)
    tell = progress or _silent
    keeper = keeper or Keeper(None, statistics, mixture)
    settings = {"draws": n_draws, "tune": n_tune, "target_accept": target_accept}
    keys = [keeper.key("nuts", s, r, settings) for s, r in zip(starts, rngs, strict=True)]
    kept = {i: keeper.find(key, rngs[i]) for i, key in enumerate(keys)}
    finished = {i: chain for i, chain in kept.items() if chain is not None}
    interrupted = False
    if len(finished) < len(starts):
        try:
            if compiled is None:
                tell("compile", 0.0)
                compiled = compile_nuts(statistics, mixture)
                tell("compile", 1.0)
            tasks: dict[int, tuple[int, Array]] = {}
            for i in sorted(kept.keys() - finished.keys()):
                seed = int(rngs[i].integers(2**63))
                tasks[i] = seed, _stirred(compiled.point(starts[i]), rngs[i])
            chains = _Chains(compiled.model, tasks, len(starts), settings)
            with closing(chains.run(max(cores, 1), lambda done: tell(stage, done))) as ending:
                for i, (draws, stats) in ending:
                    values = _values(draws, mixture)
                    log_lik = _log_likelihood(statistics, values, n_draws)
                    finished[i] = Chain(values, log_lik, stats)
                    keeper.keep(keys[i], finished[i], rngs[i])
        except KeyboardInterrupt:
            if not (partial and finished):
                raise
            interrupted = True
    return _together([finished[i] for i in sorted(finished)], interrupted)


def _together(chains: Sequence[Chain], interrupted: bool) -> Draws:
    values = stack([chain.values for chain in chains])
    log_lik = np.stack([chain.log_likelihood for chain in chains])
    names = STATISTICS.values()
    stats = {name: np.stack([chain.sample_stats[name] for chain in chains]) for name in names}
    return Draws(values, log_lik, stats, "nuts", interrupted)


class _Chains:
    """Samplers of one chain each, some of them running."""

    def __init__(
        self,
        compiled: Any,
        tasks: Mapping[int, tuple[int, Array]],
        n_chains: int,
        settings: dict[str, Any],
    ) -> None:
        self.compiled = compiled
        self.tasks = tasks
        self.settings = settings
        self.done = np.ones(n_chains)
        self.done[[*tasks]] = 0.0

    def run(self, cores: int, tell: Any) -> Generator[tuple[int, tuple[Any, Any]]]:
        """Yield variables and statistics of every chain as it ends; stop them all on an error."""
        waiting = list(self.tasks)
        running: dict[int, Any] = {}
        try:
            while waiting or running:
                while waiting and len(running) < cores:
                    chain = waiting.pop(0)
                    running[chain] = self.start(chain)
                for chain in list(running):
                    trace = _result(running[chain])
                    if trace is not None:
                        del running[chain]
                        self.done[chain] = 1.0
                        yield chain, _read(trace)
                tell(float(self.done.mean()))
        finally:
            for sampler in running.values():
                sampler.cancel()

    def start(self, chain: int) -> Any:
        """Return the running sampler of a chain."""
        import nutpie

        seed, first = self.tasks[chain]

        def note(chains: Any) -> None:
            self.done[chain] = chains[0].finished_draws / max(chains[0].total_draws, 1)

        return nutpie.sample(
            replace(self.compiled, initial_point_func=lambda seed: first.copy()),
            chains=1,
            cores=1,
            seed=seed,
            save_warmup=False,
            progress_bar=False,
            progress_callback=note,
            blocking=False,
            return_raw_trace=True,
            **self.settings,
        )


def _result(sampler: Any) -> Any:
    """Return the trace of a sampler that ends within a moment, else None."""
    try:
        return sampler.wait(timeout=LOOK_EVERY)
    except TimeoutError:
        return None


def _read(trace: Any) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return one chain's variables and statistics as arrays (draw, …), tuning left out."""
    (draws,), (stats,) = trace.get_arrow_trace()
    tuning = _array(stats, "tuning").astype(bool)
    variables = {name: _array(draws, name)[~tuning] for name in draws.column_names}
    kept = {ours: _array(stats, theirs)[~tuning] for theirs, ours in STATISTICS.items()}
    return variables, kept


def _array(batch: Any, name: str) -> Array:
    """Return a column of an arrow batch as an array (row, …)."""
    import pyarrow

    column = batch.column(name)
    shape = (column.field.metadata or {}).get(b"shape", b"").decode()
    sizes = [int(size) for size in shape.split(",") if size]
    values = pyarrow.array(column)
    values = values.flatten() if hasattr(values, "flatten") else values
    return values.to_numpy(zero_copy_only=False).reshape(batch.num_rows, *sizes)


def _variables(mixture: Mixture) -> list[tuple[str, str, str]]:
    """Return name, indicator and parameter of every variable of the posterior but the share."""
    return [(SHARE, "", "")] + [
        (parameter_name(indicator, name), indicator, name)
        for indicator, priors in mixture.priors.items()
        for name in priors
    ]


def _values(draws: dict[str, Array], mixture: Mixture) -> Values:
    indicators: dict[str, dict[str, Array]] = {name: {} for name in mixture.priors}
    for variable, indicator, parameter in _variables(mixture)[1:]:
        indicators[indicator][parameter] = draws[variable]
    return Values(draws[SHARE], indicators)


def _log_likelihood(statistics: Statistics, values: Values, n_draws: int) -> Array:
    """Return the log-likelihood of each draw of a chain, shape (draw,)."""
    found = np.empty(n_draws)
    for i in range(n_draws):
        draw = values.at(i)
        weights = statistics.layout.weights(draw.indicators, NUMPY)
        found[i] = expected_statistics(statistics, weights, draw.share).log_likelihood
    return found


def _inside(mixture: Mixture, values: Values, edge: float) -> Values:
    """Return the values with probabilities moved off 0 and 1."""

    def simplex(p: Array) -> Array:
        p = np.maximum(p, edge)
        return p / p.sum(axis=-1, keepdims=True)

    moved = {
        "simplex": simplex,
        "unit": lambda p: np.clip(p, edge, 1.0 - edge),
    }
    indicators = {}
    for name, member in mixture.families.items():
        given = values.indicators[name]
        indicators[name] = {
            p.name: moved.get(p.support, np.asarray)(given[p.name]) for p in member.parameters
        }
    return Values(simplex(values.share), indicators)


def _stirred(point: Array, rng: np.random.Generator) -> Array:
    return point + STIRRED * (STIRRED + np.abs(point)) * rng.standard_normal(len(point))


def _silent(stage: str, done: float) -> None:
    """Tell nobody."""
