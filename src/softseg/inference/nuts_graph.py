"""The general way of NUTS: the PyMC graph, compiled by PyTensor and numba for every schema.

It serves any family and any version of nutpie; it costs seconds of compilation, which
`softseg.inference.entry` saves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from softseg.families.base import Array
from softseg.families.namespace import NUMPY
from softseg.likelihood.kernel import expected_statistics
from softseg.likelihood.statistics import Statistics
from softseg.models.mixture import Mixture, Values
from softseg.names import SHARE, parameter_name


@dataclass(frozen=True)
class Compiled:
    """A mixture's log density and gradient as machine code, for any number of samplings.

    Attributes
    ----------
    model
        As `nutpie.sample` takes it.
    reason
        Why the graph was taken.
    """

    statistics: Statistics
    mixture: Mixture
    model: Any
    to_point: Callable[[Values], Array]
    reason: str = ""

    name = "graph"

    def point(self, values: Values) -> Array:
        """Return the point of parameters inside their ranges, (coordinate,)."""
        return self.to_point(values)

    def begin(
        self, first: Array, seed: int, settings: Mapping[str, Any], note: Callable[[Any], None]
    ) -> Any:
        """Return a running chain."""
        import nutpie

        return nutpie.sample(
            replace(self.model, initial_point_func=lambda _: first.copy()),
            chains=1,
            cores=1,
            seed=seed,
            save_warmup=False,
            progress_bar=False,
            progress_callback=note,
            blocking=False,
            return_raw_trace=True,
            **settings,
        )

    def read(self, draws: dict[str, Array], cores: int) -> tuple[Values, Array]:
        """Return values and log-likelihood (draw,) of one chain's draws."""
        values = _values(draws, self.mixture)
        return values, _log_likelihood(self.statistics, values)


def compile_graph(statistics: Statistics, mixture: Mixture, reason: str = "") -> Compiled:
    """Return the compiled model of a mixture; takes seconds, most of it from numba's cache."""
    import nutpie

    from softseg.models.graph import build_mixture, unconstrained

    model = build_mixture(mixture, statistics)
    kept = [name for name, _, _ in _variables(mixture)]
    compiled = nutpie.compile_pymc_model(model, backend="numba", var_names=kept)
    parts_of = unconstrained(model, mixture)

    def to_point(values: Values) -> Array:
        return np.concatenate([part.ravel() for part in parts_of(values).values()])

    return Compiled(statistics, mixture, compiled, to_point, reason)


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


def _log_likelihood(statistics: Statistics, values: Values) -> Array:
    """Return the log-likelihood of each draw of a chain, shape (draw,)."""
    found = np.empty(len(values.share))
    for i in range(len(found)):
        draw = values.at(i)
        weights = statistics.layout.weights(draw.indicators, NUMPY)
        found[i] = expected_statistics(statistics, weights, draw.share).log_likelihood
    return found
