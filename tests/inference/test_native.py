"""The native entry of nutpie: pinned, guarded, and exact under any affine map."""

from types import SimpleNamespace

import numpy as np
import pytest
from numba import carray, cfunc, njit

from oracles.small_tables import family_table
from softseg.compiled import CACHED
from softseg.inference import entry, native, nuts
from softseg.inference.entry import NotNative, native_of
from softseg.inference.native import (
    CENTRE,
    DENSITY,
    FACTOR,
    FIRST,
    REJECTED,
    SIGNATURES,
    Affine,
    Density,
    begin,
    evaluate,
    judged,
    moved,
    shape_at,
    turned,
)
from softseg.inference.nuts import _read
from softseg.inference.space import Space
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify

MEAN = np.array([3.0, -1.0, 0.5])
PRECISION = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, -0.4], [0.0, -0.4, 30.0]])
QUIET = {"draws": 20, "tune": 20, "target_accept": 0.8}


@njit(**CACHED)
def normal_density(point, slope, mean, precision):  # pragma: no cover
    """Log density of a normal distribution up to a constant; none beyond 1,000."""
    slope[:] = -np.dot(precision, point - mean)
    return 0.5 * np.dot(point - mean, slope) if point[0] < 1000.0 else np.nan


def normal(size, position, gradient, value, table):  # pragma: no cover
    n = np.int64(size)
    factor = carray(table[FACTOR], shape_at(table, FACTOR), np.float64)
    mean = carray(table[FIRST], (n,), np.float64)
    precision = carray(table[FIRST + 1], shape_at(table, FIRST + 1), np.float64)
    point, slope, out = np.empty(n), np.empty(n), carray(gradient, (n,))
    moved(carray(position, (n,)), carray(table[CENTRE], (n,), np.float64), factor, point)
    value[0] = normal_density(point, slope, mean, precision)
    turned(slope, factor, out)
    return judged(value[0], out)


@pytest.fixture(scope="module")
def density():
    function = cfunc(DENSITY, error_model="numpy")(normal)
    return Density(function, (MEAN, PRECISION), 3)


def chain(density, affine, first, seed=1, **settings):
    running = begin(
        density, affine, first, seed=seed, settings={**QUIET, **settings}, note=lambda chains: None
    )
    return _read(running.wait(60.0))


def test_this_environment_has_the_nutpie_that_is_known():
    assert native.obstacle() == ""


def test_value_and_gradient_pass_through_the_table(density):
    rng = np.random.default_rng(1)
    affine = Affine(rng.normal(size=3), np.tril(rng.normal(size=(3, 3))))
    point = rng.normal(size=3)

    value, gradient, status = evaluate(density, affine, point)

    assert status == native.FINE
    assert value == pytest.approx(-0.5 * (point - MEAN) @ PRECISION @ (point - MEAN))
    np.testing.assert_allclose(gradient, -affine.factor.T @ PRECISION @ (point - MEAN))
    assert evaluate(density, affine, np.array([2000.0, 0.0, 0.0]))[2] == REJECTED


@pytest.mark.parametrize("kind", ["identity", "round", "wrong"])
def test_draws_have_the_right_moments_whatever_the_map(density, kind):
    covariance = np.linalg.inv(PRECISION)
    affine = {
        "identity": Affine.identity(3),
        "round": Affine.at(MEAN, covariance),
        "wrong": Affine.at(np.zeros(3), np.diag([0.01, 9.0, 1.0]) + 0.05),
    }[kind]

    draws, stats = chain(density, affine, MEAN + 1.0, draws=4000, tune=400)

    points = draws["point"]
    assert points.shape == (4000, 3)
    np.testing.assert_allclose(points.mean(axis=0), MEAN, atol=0.15)
    np.testing.assert_allclose(np.cov(points.T), covariance, atol=0.15)
    values = -0.5 * np.einsum("si,ij,sj->s", points - MEAN, PRECISION, points - MEAN)
    np.testing.assert_allclose(stats["lp"], values, atol=1e-9)
    assert stats["diverging"].sum() == 0


def test_a_rejected_point_is_a_divergence(density):
    near = np.array([999.9, -1.0, 0.5])
    cut = Density(density.function, (near, PRECISION), 3)

    draws, stats = chain(cut, Affine.identity(3), near - 0.5)

    assert stats["diverging"].any()
    assert np.all(draws["point"][:, 0] < 1000.0)


def test_a_start_without_density_is_refused_in_nutpies_words(density):
    with pytest.raises(RuntimeError, match="All initialization points failed"):
        chain(density, Affine.identity(3), np.array([2000.0, 0.0, 0.0]))


def test_no_direction_of_a_map_is_wider_than_the_widest():
    affine = Affine.at(np.zeros(2), np.array([[1e9, 0.0], [0.0, 4.0]]))

    np.testing.assert_allclose(np.diag(affine.factor), [native.WIDEST, 2.0])
    np.testing.assert_allclose(affine.inverse(np.array([20.0, 6.0])), [2.0, 3.0])


def test_another_version_is_not_taken(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: SimpleNamespace(__version__="0.17.0"))
    assert native.obstacle() == "nutpie is 0.17.0, and the native entry is known of 0.16.11"


@pytest.mark.parametrize("name", list(SIGNATURES))
def test_another_signature_is_not_taken(name, monkeypatch):
    monkeypatch.setitem(SIGNATURES, name, "(something, else)")
    assert native.obstacle() == f"nutpie's {name} does not take (something, else)"


def test_a_missing_native_module_is_named(monkeypatch):
    native.library.cache_clear()
    monkeypatch.setattr(native, "modules", {})
    monkeypatch.setattr(native, "find_spec", lambda name: None)
    try:
        with pytest.raises(ImportError, match="Install nutpie"):
            native.library()
        assert native.obstacle().startswith("Install nutpie")
    finally:
        native.library.cache_clear()


@pytest.fixture
def posterior():
    table = family_table("poisson", np.random.default_rng(3))
    statistics, mixture = reduce(table), specify(table.schema, 2)
    start = mixture.draw_prior(np.random.default_rng(4))
    return statistics, mixture, start


def test_the_c_function_is_the_density_of_the_space(posterior):
    statistics, mixture, start = posterior
    found = native_of(statistics, mixture, start)
    point = found.point(start)
    affine = Affine.at(point + 0.1, np.eye(found.density.n) + 0.2)

    value, gradient, status = evaluate(found.density, affine, point)

    known, slope = Space.of(mixture, statistics).log_posterior(point)
    assert status == native.FINE
    assert value + found.space.constant == pytest.approx(known, rel=1e-13)
    np.testing.assert_allclose(gradient, affine.factor.T @ slope, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ((native, "VERSION", "0.0.1"), "known of 0.0.1"),
        ((entry, "compilable", lambda mixture: False), "have no compiled form"),
        ((entry, "entry", lambda: None), "AttributeError: 'NoneType' object"),
        (
            (Space, "log_posterior", lambda s, p: (0.0, np.zeros(s.size))),
            "differs from the density",
        ),
    ],
    ids=["version", "family", "unexpected", "other values"],
)
def test_whatever_is_unexpected_leads_to_the_graph_with_its_reason(
    posterior, change, reason, monkeypatch
):
    statistics, mixture, start = posterior
    monkeypatch.setattr(*change)
    monkeypatch.setattr(nuts, "compile_graph", lambda statistics, mixture, reason: reason)

    with pytest.raises(NotNative, match=reason):
        native_of(statistics, mixture, start)
    assert reason in nuts.engine_for(statistics, mixture, start)
