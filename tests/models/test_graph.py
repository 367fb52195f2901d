"""The PyMC model: same density as the PyMC-free specification, names and dims as in the tree."""

import numpy as np
import pytest

from oracles.small_tables import family_table, table_of
from softseg.families import families
from softseg.families.namespace import NUMPY
from softseg.likelihood.kernel import expected_statistics
from softseg.likelihood.statistics import reduce
from softseg.models.graph import build_mixture, free_values, unconstrained
from softseg.models.mixture import specify
from softseg.names import parameter_name

PYTHON = "FAST_COMPILE"
REAL = [
    {"distribution": "Normal", "mu": 1.0, "sigma": 2.0},
]
POSITIVE = [
    {"distribution": "HalfNormal", "sigma": 3.0},
    {"distribution": "LogNormal", "mu": 0.5, "sigma": 1.2},
    {"distribution": "Gamma", "alpha": 2.0, "beta": 0.7},
    {"distribution": "InverseGamma", "alpha": 2.5, "beta": 3.0},
    {"distribution": "SqrtInverseGamma", "alpha": 2.5, "beta": 3.0},
    {"distribution": "Exponential", "lam": 0.8},
]
UNIT = {"distribution": "Beta", "alpha": 2.0, "beta": 3.0}
SIMPLEX = {"distribution": "Dirichlet", "alpha": [1.5, 2.0, 0.7]}


def fixed(value):
    return {"distribution": "Fixed", "value": value}


def mixed_table(rng, priors=None, n=40, **schema):
    """Four families, some cells missing; one name with a comma and a space."""
    segment = rng.integers(2, size=n)
    columns = {
        "margin, EUR": rng.normal(1.0 + 3.0 * segment, 1.0),
        "events": rng.poisson(1.0 + 2.0 * segment).astype(float),
        "won": rng.binomial(1, 0.3 + 0.4 * segment).astype(float),
        "region": rng.binomial(2, 0.3 + 0.4 * segment).astype(float),
    }
    for values in columns.values():
        values[rng.random(n) < 0.1] = np.nan
    indicators = {
        "margin, EUR": {"family": "gaussian"},
        "events": {"family": "poisson", "exposure": "years"},
        "won": {"family": "bernoulli", "levels": ["no", "yes"]},
        "region": {"family": "categorical", "levels": ["north", "south", "west"]},
    }
    for name, given in (priors or {}).items():
        indicators[name]["priors"] = given
    exposures = {"events": rng.choice([0.5, 2.0], size=n)}
    return table_of(indicators, columns, exposures, **schema)


def log_density(mixture, statistics, values):
    """Log prior plus log-likelihood, by NumPy."""
    weights = statistics.layout.weights(values.indicators, NUMPY)
    log_lik = expected_statistics(statistics, weights, values.share).log_likelihood
    return mixture.log_prior(values) + log_lik


def model_log_density(model, mixture, values, jacobian):
    """Log density of the PyMC model at the same parameters, per density of the parameters."""
    point = unconstrained(model, mixture)(values)
    found = model.compile_logp(jacobian=jacobian, mode=PYTHON)(point)
    for variable in model.free_RVs:
        value = free_values(mixture, values)[variable.name]
        if variable.name.endswith("__variance"):
            # the model's prior is that of the variance, dv = 2 s ds
            found += np.log(2.0 * np.sqrt(value)).sum()
        if jacobian:
            found -= log_jacobian(model.rvs_to_transforms[variable], value)
    return float(found)


def log_jacobian(transform, value):
    """Log |d value / d unconstrained| of PyMC's transforms, from the books."""
    match None if transform is None else transform.name:
        case None:
            return 0.0
        case "log":
            return np.log(value).sum()
        case "logodds":
            return (np.log(value) + np.log1p(-value)).sum()
        case "simplex":
            return (np.log(value.shape[-1]) + np.log(value).sum(axis=-1)).sum()
    raise AssertionError(transform)


def assert_same_density(table, n_segments, seed):
    rng = np.random.default_rng(seed)
    mixture = specify(table.schema, n_segments)
    statistics = reduce(table)
    model = build_mixture(mixture, statistics)
    for jacobian in (False, True):
        values = mixture.draw_prior(rng)
        expected = log_density(mixture, statistics, values)
        found = model_log_density(model, mixture, values, jacobian)
        assert found == pytest.approx(expected, rel=1e-9)
    return model


@pytest.mark.parametrize("name", families())
def test_density_of_every_family_under_its_default_priors(name):
    table = family_table(name, np.random.default_rng(2))

    assert_same_density(table, 3, seed=4)


@pytest.mark.parametrize("prior", POSITIVE, ids=lambda prior: prior["distribution"])
def test_density_under_every_positive_prior(prior):
    table = mixed_table(
        np.random.default_rng(1),
        {
            "margin, EUR": {"mean": REAL[0], "sd": prior},
            "events": {"rate": prior},
            "won": {"probability": UNIT},
            "region": {"probability": SIMPLEX},
        },
        share={"distribution": "Dirichlet", "alpha": 3.5},
    )

    assert_same_density(table, 2, seed=5)


def test_density_with_fixed_and_free_segments_and_different_distributions():
    table = mixed_table(
        np.random.default_rng(1),
        {
            "margin, EUR": {
                "mean": [fixed(1.5), REAL[0], fixed(-2.0)],
                "sd": [POSITIVE[1], fixed(0.7), POSITIVE[4]],
            },
            "events": {"rate": [POSITIVE[2], POSITIVE[5], {**POSITIVE[2], "alpha": 9.0}]},
            "won": {"probability": fixed(0.25)},
            "region": {"probability": [SIMPLEX, fixed([0.2, 0.3, 0.5]), SIMPLEX]},
        },
    )

    model = assert_same_density(table, 3, seed=6)

    assert [variable.name for variable in model.free_RVs] == [
        "share",
        parameter_name("margin, EUR", "mean__normal"),
        parameter_name("margin, EUR", "sd__lognormal"),
        parameter_name("margin, EUR", "sd__variance"),
        "events__rate__exponential",
        "events__rate__gamma",
        "region__probability__dirichlet",
    ]


def test_every_segment_keeps_its_own_prior():
    table = mixed_table(
        np.random.default_rng(1),
        {
            "events": {
                "rate": [{"distribution": "Gamma", "alpha": a, "beta": 1.0} for a in (1.0, 50.0)]
            }
        },
    )

    assert_same_density(table, 2, seed=9)


def test_variables_have_the_names_and_dims_of_the_posterior_tree():
    table = mixed_table(np.random.default_rng(1))
    mixture = specify(table.schema, 2)

    model = build_mixture(mixture, reduce(table))

    dims = model.named_vars_to_dims
    assert dims["share"] == ("segment",)
    assert dims[parameter_name("margin, EUR", "sd")] == ("segment",)
    assert dims["region__probability"] == ("segment", "region_level")
    assert list(model.coords["segment"]) == [1, 2]
    assert list(model.coords["region_level"]) == ["north", "south", "west"]
    assert [potential.name for potential in model.potentials] == ["log_likelihood"]
    named = {"share"} | {
        parameter_name(indicator, name)
        for indicator in mixture.priors
        for name in mixture.priors[indicator]
    }
    assert named <= set(model.named_vars)


@pytest.mark.parametrize("n_segments", [1, 2])
def test_one_segment_and_fixed_shares_leave_no_free_share(n_segments):
    share = {"distribution": "Fixed", "value": [0.3, 0.7]} if n_segments == 2 else None
    schema = {} if share is None else {"share": share}
    table = mixed_table(np.random.default_rng(1), **schema)

    model = assert_same_density(table, n_segments, seed=7)

    assert "share" not in [variable.name for variable in model.free_RVs]
    assert "share" in [variable.name for variable in model.deterministics]


def test_labels_carry_no_meaning():
    """Permuting the segments changes the density by nothing: there is no ordering constraint."""
    table = mixed_table(np.random.default_rng(1))
    statistics = reduce(table)
    mixture = specify(table.schema, 3)
    model = build_mixture(mixture, statistics)
    values = mixture.draw_prior(np.random.default_rng(3))
    function = model.compile_logp(mode=PYTHON)
    point = unconstrained(model, mixture)

    found = [function(point(values.permuted(np.array(order)))) for order in ([0, 1, 2], [2, 0, 1])]

    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_a_table_of_categorical_answers_only_has_no_dense_columns():
    rng = np.random.default_rng(4)
    indicators = {
        name: {"family": "categorical", "levels": ["a", "b", "c"]} for name in ("first", "second")
    }
    columns = {name: rng.integers(3, size=30).astype(float) for name in indicators}

    assert_same_density(table_of(indicators, columns), 2, seed=1)
