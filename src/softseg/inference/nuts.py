"""No-U-turn sampling by nutpie (Hoffman and Gelman 2014; Seyboldt et al. 2026).

The density comes from the native entry (`softseg.inference.entry`), or, where that does not serve,
from the PyMC graph (`softseg.inference.nuts_graph`); the draws say from which, and why.
Every chain is a sampler of its own with its own seed and its own start, so that chain i is the
same however many cores and chains there are. The chains run in nutpie's threads; this thread
watches them, so that an interrupt stops them and a fault in the progress display is seen.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final, Protocol

import numpy as np

from softseg.checks import whole_number
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.checkpoint import Chain, Keeper
from softseg.inference.draws import Draws, Progress
from softseg.inference.entry import NotNative, native_of, refusal
from softseg.inference.gibbs import stack
from softseg.inference.nuts_graph import compile_graph
from softseg.likelihood.statistics import Statistics
from softseg.models.edges import inside
from softseg.models.mixture import Mixture, Values

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

STIRRED: Final = 1e-3
"""How far a start is moved, relative to its size: at a mode a slope can be exactly 0, which nutpie
takes for a broken start."""

LOOK_EVERY: Final = 0.02
"""Seconds that one look at a running chain takes."""


class Engine(Protocol):
    """What computes a mixture's density for nutpie."""

    @property
    def name(self) -> str:
        """``native`` or ``graph``."""
        ...

    @property
    def reason(self) -> str:
        """Why it is not the native one; empty where it is."""
        ...

    def point(self, values: Values) -> Array:
        """Return the point of parameters inside their ranges, (coordinate,)."""
        ...

    def begin(
        self, first: Array, seed: int, settings: Mapping[str, Any], note: Callable[[Any], None]
    ) -> Any:
        """Return a running chain, with `wait` and `cancel`."""
        ...

    def read(self, draws: dict[str, Array], cores: int) -> tuple[Values, Array]:
        """Return values and log-likelihood (draw,) of one chain's draws."""
        ...


def engine_for(statistics: Statistics, mixture: Mixture, start: Values) -> Engine:
    """Return the native entry where it serves, the compiled graph elsewhere.

    Parameters
    ----------
    start
        Parameters inside their ranges.
    """
    try:
        return native_of(statistics, mixture, start)
    except NotNative as error:
        return compile_graph(statistics, mixture, str(error))


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
    engine: Engine | None = None,
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
    engine
        From `engine_for` or `compile_graph`; found where it is not given. The draws name it.
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
    if mixture.n_parameters == 0:
        raise UsageError("Leave at least one parameter free: all of them are fixed.")
    tell = progress or _silent
    keeper = keeper or Keeper(None, statistics, mixture)
    settings = {"draws": n_draws, "tune": n_tune, "target_accept": target_accept}
    way = engine.name if engine else "graph" if refusal(mixture) else "native"
    known = {**settings, "engine": way}
    keys = [keeper.key("nuts", s, r, known) for s, r in zip(starts, rngs, strict=True)]
    kept = {i: keeper.find(key, rngs[i]) for i, key in enumerate(keys)}
    finished = {i: chain for i, chain in kept.items() if chain is not None}
    interrupted = False
    if len(finished) < len(starts):
        try:
            moved = {
                i: inside(mixture, starts[i], statistics.n_customers)
                for i in kept.keys() - finished.keys()
            }
            if engine is None:
                tell("compile", 0.0)
                engine = engine_for(statistics, mixture, moved[min(moved)])
                tell("compile", 1.0)
            tasks: dict[int, tuple[int, Array]] = {}
            for i in sorted(moved):
                seed = int(rngs[i].integers(2**63))
                tasks[i] = seed, _stirred(engine.point(moved[i]), rngs[i])
            chains = _Chains(engine, tasks, len(starts), settings)
            with closing(chains.run(max(cores, 1), lambda done: tell(stage, done))) as ending:
                for i, (draws, stats) in ending:
                    finished[i] = Chain(*engine.read(draws, cores), stats)
                    keeper.keep(keys[i], finished[i], rngs[i])
        except KeyboardInterrupt:
            if not (partial and finished):
                raise
            interrupted = True
    by = {"name": engine.name, "reason": engine.reason} if engine else {"name": way, "reason": ""}
    return _together([finished[i] for i in sorted(finished)], interrupted, by)


def _together(chains: Sequence[Chain], interrupted: bool, by: Mapping[str, str]) -> Draws:
    values = stack([chain.values for chain in chains])
    log_lik = np.stack([chain.log_likelihood for chain in chains])
    names = STATISTICS.values()
    stats = {name: np.stack([chain.sample_stats[name] for chain in chains]) for name in names}
    return Draws(values, log_lik, stats, "nuts", interrupted, by)


class _Chains:
    """Samplers of one chain each, some of them running."""

    def __init__(
        self,
        engine: Engine,
        tasks: Mapping[int, tuple[int, Array]],
        n_chains: int,
        settings: dict[str, Any],
    ) -> None:
        self.engine = engine
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
        seed, first = self.tasks[chain]

        def note(chains: Any) -> None:
            self.done[chain] = chains[0].finished_draws / max(chains[0].total_draws, 1)

        return self.engine.begin(first, seed, self.settings, note)


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


def _stirred(point: Array, rng: np.random.Generator) -> Array:
    return point + STIRRED * (STIRRED + np.abs(point)) * rng.standard_normal(len(point))


def _silent(stage: str, done: float) -> None:
    """Tell nobody."""
