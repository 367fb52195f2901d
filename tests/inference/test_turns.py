"""The compiled steps do what `Family.maximise` and `Family.update` do."""

import numpy as np
import pytest

from models.test_graph import fixed, mixed_table
from oracles.small_tables import family_table
from softseg.families import families
from softseg.inference import gibbs as sampler
from softseg.inference.em import climb, compiled_space
from softseg.inference.starts import random_start
from softseg.inference.turns import served
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify

HELD = {
    "margin, EUR": {"mean": [fixed(1.0), {"distribution": "Normal", "mu": 1.0, "sigma": 2.0}]},
    "won": {"probability": fixed(0.4)},
    "region": {"probability": fixed([0.2, 0.3, 0.5])},
    "events": {"rate": fixed(1.5)},
}


@pytest.fixture
def rng():
    return np.random.default_rng(31)


def arrays(values):
    yield values.share
    for parameters in values.indicators.values():
        yield from parameters.values()


def assert_close(ours, theirs, rtol):
    for one, other in zip(arrays(ours), arrays(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-9)


def tables():
    made = np.random.default_rng(5)
    yield from ((name, family_table(name, made)) for name in families())
    yield "held", mixed_table(made, HELD)
    yield "fixed share", mixed_table(made, share=fixed([0.3, 0.7]))


TABLES = dict(tables())
each_table = pytest.mark.parametrize("name", list(TABLES))


@each_table
@pytest.mark.parametrize("cycles", [1, 7])
def test_em_climbs_as_without_compilation(name, cycles, rng):
    table = TABLES[name]
    statistics, mixture = reduce(table), specify(table.schema, 2)
    assert served(mixture)
    start = random_start(statistics, mixture, rng)
    plain = climb(statistics, mixture, start, True, cycles)
    space = compiled_space(statistics, mixture, True)
    fast = climb(statistics, mixture, start, True, cycles, space)
    # inner Newton steps end within a tolerance, from where the paths part by a little
    rtol = 1e-9 if cycles == 1 else 1e-7
    assert fast.objective == pytest.approx(plain.objective, rel=rtol)
    log_lik = plain.expected.log_likelihood
    assert fast.expected.log_likelihood == pytest.approx(log_lik, rel=10.0 * rtol)
    assert_close(fast.values, plain.values, 1e-6 if cycles == 1 else 1e-2)


@each_table
def test_gibbs_makes_the_draws_it_makes_without_compilation(name, rng, monkeypatch):
    table = TABLES[name]
    statistics, mixture = reduce(table), specify(table.schema, 2)
    start = random_start(statistics, mixture, rng)

    def draw():
        return sampler.gibbs(
            statistics, mixture, [start], n_draws=4, n_tune=1, thin=2,
            rngs=[np.random.default_rng(3)],
        )  # fmt: skip

    fast, fast_ends = draw()
    monkeypatch.setattr(sampler, "served", lambda mixture: False)
    plain, plain_ends = draw()
    np.testing.assert_allclose(fast.log_likelihood, plain.log_likelihood, rtol=1e-8)
    assert_close(fast.values, plain.values, 1e-7)
    assert_close(fast_ends[0], plain_ends[0], 1e-7)
