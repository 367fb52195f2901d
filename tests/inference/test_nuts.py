"""NUTS through the kernel: same posterior as a naive PyMC model, same draws on every machine.

Both ways to the density are held to the same tests: the native entry, and the PyMC graph.
"""

from dataclasses import replace

import numpy as np
import pytest

from oracles.compare import disagreements, ordered, posterior_of, summary
from oracles.naive_pymc import naive_mixture
from oracles.small_tables import family_table, table_of
from softseg.errors import UsageError
from softseg.families.namespace import NUMPY
from softseg.inference.gibbs import gibbs
from softseg.inference.modes import find_modes
from softseg.inference.nuts import engine_for, nuts
from softseg.inference.nuts_graph import compile_graph
from softseg.inference.starts import fitted_to
from softseg.likelihood.kernel import expected_statistics
from softseg.likelihood.statistics import reduce
from softseg.models.graph import build_mixture, unconstrained
from softseg.models.mixture import specify
from softseg.names import parameter_name

N_SEGMENTS = 2
FAMILIES = {
    "margin, EUR": "gaussian",
    "spend": "lognormal",
    "payment": "gamma",
    "won": "bernoulli",
    "region": "categorical",
    "complaints": "poisson",
}
ORDER = parameter_name("margin, EUR", "mean")


def conjugate_table(n=160):
    """All conjugate families, two segments clearly apart, a tenth of the cells missing."""
    rng = np.random.default_rng(12)
    segment = (rng.random(n) < 0.4).astype(int)
    years = rng.choice([0.5, 1.0, 2.0], size=n)
    columns = {
        "margin, EUR": rng.normal(10.0 + 4.0 * segment, 1.0 + 0.5 * segment),
        "spend": np.exp(rng.normal(1.0 + segment, 0.7)),
        "payment": rng.gamma(3.0, (10.0 + 10.0 * segment) / 3.0),
        "won": rng.binomial(1, 0.3 + 0.4 * segment).astype(float),
        "region": rng.binomial(2, 0.3 + 0.4 * segment).astype(float),
        "complaints": rng.poisson((1.0 + 2.0 * segment) * years).astype(float),
    }
    for values in columns.values():
        values[rng.random(n) < 0.1] = np.nan
    indicators = {name: {"family": family} for name, family in FAMILIES.items()}
    indicators["won"]["levels"] = ["no", "yes"]
    indicators["region"]["levels"] = ["north", "south", "west"]
    indicators["complaints"]["exposure"] = "years"
    return table_of(indicators, columns, {"complaints": years}), segment


@pytest.fixture(scope="module")
def fitted():
    """The table, its statistics, the mixture, and a start near the mode."""
    table, segment = conjugate_table()
    statistics, mixture = reduce(table), specify(table.schema, N_SEGMENTS)
    membership = np.zeros((N_SEGMENTS, statistics.n_patterns))
    membership[segment, statistics.pattern_of_row] = 1.0
    start = fitted_to(statistics, mixture, membership, np.random.default_rng(0))
    return table, statistics, mixture, start


@pytest.fixture(scope="module")
def native(fitted):
    """The native entry."""
    return engine_for(*fitted[1:])


@pytest.fixture(scope="module")
def graph(fitted):
    """The PyMC graph; it is compiled for half a minute where no machine code is kept."""
    return compile_graph(*fitted[1:3], "asked for")


@pytest.fixture(scope="module", params=["native", pytest.param("graph", marks=pytest.mark.slow)])
def engine(request):
    """Both ways to the density."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def run(fitted, engine):
    """A function that samples through an engine."""
    return sampler(fitted, engine)


def sampler(fitted, engine):
    _, statistics, mixture, start = fitted

    def sample(n_chains=4, n_draws=50, n_tune=50, seed=1, **options):
        rngs = [np.random.default_rng([seed, chain]) for chain in range(n_chains)]
        return nuts(
            statistics,
            mixture,
            [start] * n_chains,
            n_draws=n_draws,
            n_tune=n_tune,
            rngs=rngs,
            engine=engine,
            **options,
        )

    return sample


@pytest.fixture(scope="module")
def naive_posterior(fitted):
    """Draws of the naive PyMC model."""
    import nutpie

    table, _, mixture, start = fitted
    numbers = {
        indicator: {name: prior.priors[0].parameters for name, prior in priors.items()}
        for indicator, priors in mixture.priors.items()
    }
    model = naive_mixture(
        FAMILIES, table.columns, table.exposures, numbers, float(mixture.share[0]), N_SEGMENTS
    )
    centre = {parameter_name("margin, EUR", "mean"): start.indicators["margin, EUR"]["mean"]}
    kept = [variable.name for variable in (*model.free_RVs, *model.deterministics)]
    kept = [name for name in kept if not name.endswith("__variance")]
    compiled = nutpie.compile_pymc_model(
        model, var_names=kept, initial_points=centre, jitter_rvs=set()
    )
    trace = nutpie.sample(
        compiled, draws=1500, tune=500, chains=4, cores=2, seed=5, progress_bar=False
    )
    found = trace.posterior.dataset
    return {name: found[name].to_numpy() for name in kept}


@pytest.mark.slow
def test_nuts_gibbs_and_a_naive_model_have_the_same_posterior(
    fitted, native, graph, naive_posterior
):
    _, statistics, mixture, start = fitted
    options = {"n_draws": 1500, "n_tune": 500, "cores": 2, "seed": 3}
    by_entry, by_graph = sampler(fitted, native)(**options), sampler(fitted, graph)(**options)
    rngs = np.random.default_rng(4).spawn(4)
    sweeps, _ = gibbs(statistics, mixture, [start] * 4, n_draws=4000, n_tune=200, rngs=rngs)
    posteriors = {
        "native": ordered(posterior_of(by_entry), ORDER),
        "graph": ordered(posterior_of(by_graph), ORDER),
        "gibbs": ordered(posterior_of(sweeps), ORDER),
        "naive": ordered(naive_posterior, ORDER),
    }

    assert by_entry.engine == {"name": "native", "reason": ""}
    assert by_graph.engine == {"name": "graph", "reason": "asked for"}
    assert set(posteriors["native"]) == set(posteriors["naive"])
    assert disagreements(posteriors) == []
    assert by_entry.sample_stats["diverging"].sum() == 0
    assert by_graph.sample_stats["diverging"].sum() == 0


def test_the_comparison_sees_a_shift_and_a_wider_posterior():
    rng = np.random.default_rng(2)
    one = {"a": rng.normal(size=(4, 1000, 2))}
    shifted = {"a": rng.normal(size=(4, 1000, 2)) + np.array([0.0, 0.3])}
    wider = {"a": rng.normal(size=(4, 1000, 2)) * np.array([1.0, 1.3])}

    assert disagreements({"one": one, "two": {"a": rng.normal(size=(4, 1000, 2))}}) == []
    assert [fault.split(":")[0] for fault in disagreements({"one": one, "two": shifted})] == [
        "one and two, a[1]"
    ]
    assert [fault.split(":")[0] for fault in disagreements({"one": one, "two": wider})] == [
        "one and two, a[1]"
    ]
    assert summary(one)[3] == pytest.approx(1.0 / np.sqrt(4000.0), rel=0.3)


def test_draws_do_not_depend_on_the_number_of_cores_or_chains(run):
    alone, together, fewer = run(cores=1), run(cores=2), run(n_chains=2, cores=2)

    for name, values in posterior_of(alone).items():
        np.testing.assert_array_equal(values, posterior_of(together)[name])
        np.testing.assert_array_equal(values[:2], posterior_of(fewer)[name])
    np.testing.assert_array_equal(alone.log_likelihood, together.log_likelihood)
    assert not np.array_equal(alone.values.share[0], alone.values.share[1])
    assert not np.array_equal(alone.values.share, run(seed=2).values.share)


def test_draws_have_their_log_likelihood_and_statistics(fitted, run):
    _, statistics, mixture, _ = fitted
    draws = run(n_chains=2, n_draws=30)

    assert draws.method == "nuts"
    assert draws.values.share.shape == (2, 30, N_SEGMENTS)
    assert draws.values.indicators["region"]["probability"].shape == (2, 30, N_SEGMENTS, 3)
    last = draws.values.at((1, 29))
    weights = statistics.layout.weights(last.indicators, NUMPY)
    wanted = expected_statistics(statistics, weights, last.share).log_likelihood
    assert draws.log_likelihood[1, 29] == pytest.approx(wanted, rel=1e-12)
    for name, values in draws.sample_stats.items():
        assert values.shape == (2, 30), name
        assert values.dtype.kind in "bifu", name
    assert {"lp", "energy", "diverging", "tree_depth"} <= set(draws.sample_stats)
    assert np.isfinite(mixture.log_prior(last))


@pytest.mark.slow
def test_chains_of_the_graph_begin_at_their_starts(fitted, graph):
    """The flat vector has every variable where the sampler expects it."""
    _, statistics, mixture, start = fitted
    point = unconstrained(build_mixture(mixture, statistics), mixture)(start)

    flat = graph.point(start)

    names, slices, _ = graph.model.shape_info
    for name, where in zip(names[: len(point)], slices[: len(point)], strict=True):
        np.testing.assert_array_equal(flat[where], point[name].ravel())
    assert slices[len(point) - 1].stop == len(flat) == graph.model.n_dim


def test_progress_counts_up_to_the_end(run):
    told = []

    run(n_chains=3, cores=2, progress=lambda stage, done: told.append((stage, done)))

    shares = [done for stage, done in told if stage == "sample"]
    assert len(shares) == len(told)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_fault_in_the_progress_display_stops_the_chains(run):
    def broken(stage, done):
        raise ValueError("no terminal")

    with pytest.raises(ValueError, match="no terminal"):
        run(n_draws=100_000, progress=broken)


def test_one_generator_per_start(fitted):
    _, statistics, mixture, start = fitted

    with pytest.raises(UsageError, match="one generator for each: expected 2"):
        nuts(statistics, mixture, [start] * 2, n_draws=1, n_tune=1, rngs=[])
    rngs = [np.random.default_rng(1)]
    with pytest.raises(UsageError, match="Give n_draws as a whole number"):
        nuts(statistics, mixture, [start], n_draws=0, n_tune=1, rngs=rngs)


def test_something_must_be_free():
    table = family_table("bernoulli", np.random.default_rng(1))
    mixture = specify(table.schema, 1)
    held = {"distribution": "Fixed", "value": 0.5}
    entry = table.schema.indicators["x"].model_dump() | {"priors": {"probability": held}}
    schema = table.schema.model_copy(
        update={"indicators": {"x": type(table.schema.indicators["x"])(**entry)}}
    )

    held_mixture = specify(schema, 1)
    start = held_mixture.draw_prior(np.random.default_rng(1))
    rngs = [np.random.default_rng(1)]
    held_statistics = reduce(replace(table, schema=schema))

    assert mixture.n_parameters == 1
    with pytest.raises(UsageError, match="Leave at least one parameter free"):
        nuts(held_statistics, held_mixture, [start], n_draws=1, n_tune=1, rngs=rngs)


def test_a_start_exactly_at_a_mode_can_be_left(fitted, engine):
    """There the slope is 0, which nutpie takes for a broken start."""
    _, statistics, mixture, _ = fitted
    mode = find_modes(statistics, mixture, n_starts=4, rng=np.random.default_rng(1)).best.values
    rngs = np.random.default_rng(2).spawn(2)
    draws = nuts(statistics, mixture, [mode] * 2, n_draws=5, n_tune=20, rngs=rngs, engine=engine)
    assert np.isfinite(draws.log_likelihood).all()
