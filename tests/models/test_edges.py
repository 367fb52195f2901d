"""Parameters on the edge of their range, and priors whose density grows without bound there."""

import numpy as np
import pytest

from builders import mixed_table
from softseg.models.edges import bounded, inside
from softseg.models.mixture import Values, specify
from softseg.priors import Prior
from softseg.tables.schema import PriorSchema


def with_prior(schema, indicator, parameter, prior):
    entries = dict(schema.indicators)
    given = {**entries[indicator].priors, parameter: prior}
    entries[indicator] = entries[indicator].model_copy(update={"priors": given})
    return schema.model_copy(update={"indicators": entries})


@pytest.fixture(scope="module")
def schema():
    return mixed_table(120)[0].schema


def test_parameters_on_the_edge_are_moved_inwards(schema):
    mixture = specify(schema, 2)
    start = mixture.draw_prior(np.random.default_rng(3))
    indicators = {name: dict(values) for name, values in start.indicators.items()}
    indicators["industry"]["probability"] = np.array([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    unit = next(n for n, f in mixture.families.items() if f.name == "bernoulli")
    count = next(n for n, f in mixture.families.items() if f.name == "poisson")
    indicators[unit]["probability"] = np.array([0.0, 1.0])
    indicators[count]["rate"] = np.array([0.0, 2.0])

    moved = inside(mixture, Values(np.array([1.0, 0.0]), indicators), 10)

    assert np.all(moved.share > 0)
    np.testing.assert_allclose(moved.indicators[unit]["probability"], [1e-3, 1.0 - 1e-3])
    industry = moved.indicators["industry"]["probability"]
    assert np.all(industry > 0)
    np.testing.assert_allclose(industry.sum(axis=1), 1.0)
    prior = mixture.priors[count]["rate"].priors[0].parameters
    least = 1e-3 * prior["alpha"] / prior["beta"]
    np.testing.assert_allclose(moved.indicators[count]["rate"], [least, 2.0])
    untouched = next(n for n, f in mixture.families.items() if f.name == "gaussian")
    np.testing.assert_array_equal(moved.indicators[untouched]["sd"], indicators[untouched]["sd"])


def test_a_mixture_without_poles_is_left_alone(schema):
    mixture = specify(schema, 3)
    assert bounded(mixture) is mixture


def test_numbers_below_one_are_raised_and_fixed_values_stay(schema):
    half = PriorSchema.of(Prior("Dirichlet", alpha=(0.5, 2.0, 0.1)))
    known = PriorSchema.of(Prior("Fixed", value=(0.2, 0.3, 0.5)))
    schema = with_prior(schema, "industry", "probability", [half, known])
    schema = schema.model_copy(update={"share": PriorSchema.of(Prior("Dirichlet", alpha=0.3))})
    mixture = specify(schema, 2)

    found = bounded(mixture)

    np.testing.assert_array_equal(found.share, [1.0, 1.0])
    first, second = found.priors["industry"]["probability"].priors
    assert first == Prior("Dirichlet", alpha=(1.0, 2.0, 1.0))
    assert second == Prior("Fixed", value=(0.2, 0.3, 0.5))
    np.testing.assert_array_equal(found.priors["industry"]["probability"].fixed[1], [0.2, 0.3, 0.5])
    others = {name for name in mixture.priors if name != "industry"}
    assert all(
        found.priors[name][p] is q for name in others for p, q in mixture.priors[name].items()
    )
    assert found.n_parameters == mixture.n_parameters
