"""Which modes importance sampling is given: by what they may hold, not by their height alone."""

import numpy as np
import pytest

from oracles.small_tables import table_of
from softseg.inference.laplace import summits
from softseg.inference.search import modes_of, search
from softseg.inference.space import Space
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify


def test_a_low_and_wide_mode_is_looked_at():
    """A nearly emptied segment: 17 log units lower, and one per cent of the posterior."""
    rng = np.random.default_rng(1)
    n = 160
    segment = rng.integers(2, size=n)
    columns = {
        "a": 5.0 * segment + rng.normal(size=n),
        "b": np.where(segment == 1, np.nan, rng.poisson(3, n).astype(float)),
        "c": np.full(n, 7.0),
        "d": (rng.random(n) < 0.3 + 0.4 * segment).astype(float),
    }
    for name in "abd":
        columns[name][:20] = np.nan
    columns["g"] = rng.gamma(3.0, 1.0, n)
    kinds = {"a": "gaussian", "b": "poisson", "c": "gaussian", "d": "bernoulli", "g": "gamma"}
    indicators = {name: {"family": family} for name, family in kinds.items()}
    indicators["d"]["levels"] = ["no", "yes"]
    table = table_of(indicators, columns)
    statistics, mixture = reduce(table), specify(table.schema, 2)
    found = search(statistics, mixture, n_starts=6, rng=np.random.default_rng(2))
    space = Space.of(mixture, statistics)
    volume = 0.5 * mixture.n_parameters / 2 * np.log(n)

    few, more = (modes_of(found, each) for each in (0.0, volume))

    assert len(few) == 1 + len(found.modes.near) < len(more)
    tops = summits(space, more)
    lowest = min(tops, key=lambda top: top.height)
    assert lowest.height < tops[0].height - 10.0
    assert np.exp(lowest.log_mass - tops[0].log_mass) == pytest.approx(0.01, rel=0.5)
    assert min(space.values(lowest.point).share) < 0.05
