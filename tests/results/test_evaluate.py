from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from results.worlds import World, world
from softseg.families.namespace import NUMPY
from softseg.likelihood import kernel
from softseg.likelihood.parts import compact, has_large_tables, single
from softseg.likelihood.statistics import reduce
from softseg.models import evaluator
from softseg.models.mixture import Values
from softseg.results.evaluate import Evaluator, LaidOut, draws_to_use, spread, summarise, thinned
from softseg.results.lots import rows_of


def kernel_memberships(world: World) -> np.ndarray:
    """Memberships draw by draw from the numeric core, (pattern, segment, sample)."""
    found = []
    for i in range(len(world.values.share)):
        values = world.values.at(i)
        weights = world.statistics.layout.weights(values.indicators, NUMPY)
        found.append(kernel.memberships(world.statistics, weights, values.share)[0])
    return np.stack(found, axis=-1)


def test_memberships_are_those_of_the_kernel(mixed: World):
    found = Evaluator(mixed.statistics, mixed.values)
    every = slice(0, mixed.statistics.n_patterns)
    np.testing.assert_allclose(
        found.memberships(every), kernel_memberships(mixed), rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("most_kept", [0, 10_000_000])
def test_draws_laid_out_once_serve_rows_with_any_gaps(
    mixed: World, most_kept: int, monkeypatch: pytest.MonkeyPatch
):
    """Row by row, layouts differ: by gaps, by exposures, by the cells that counts have."""
    monkeypatch.setattr(evaluator, "MOST_KEPT", most_kept)
    laid_out, whole = LaidOut(mixed.values), kernel_memberships(mixed)
    for row in [*range(12), 0, 1]:
        columns = {name: column[row : row + 1] for name, column in mixed.table.columns.items()}
        exposures = {name: e[row : row + 1] for name, e in mixed.table.exposures.items()}
        one = replace(mixed.table, columns=columns, exposures=exposures, count=np.ones(1))
        found = Evaluator(reduce(one), laid_out).memberships(slice(0, 1))
        expected = whole[mixed.statistics.pattern_of_row[row]]
        np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-11)


def test_memberships_are_those_of_scipy():
    families = {"amount": "gaussian", "orders": "poisson", "industry": "categorical"}
    small = world(families, n=25, shape=(1, 4), missing=0.3, seed=2)
    table, values = small.table, small.values
    x, orders, level = (table.columns[name] for name in families)
    years = table.exposures["orders"]
    inside = small.values.indicators
    joint = np.log(values.share)[:, None, :] + np.zeros((4, 25, 3))
    for s in range(4):
        amount = stats.norm.logpdf(
            x[:, None], inside["amount"]["mean"][s], inside["amount"]["sd"][s]
        )
        count = stats.poisson.logpmf(orders[:, None], inside["orders"]["rate"][s] * years[:, None])
        answer = np.log(inside["industry"]["probability"][s].T)[np.nan_to_num(level).astype(int)]
        for term, column in ((amount, x), (count, orders), (answer, level)):
            joint[s] += np.where(np.isnan(column)[:, None], 0.0, term)
    expected = np.exp(joint - np.logaddexp.reduce(joint, axis=-1, keepdims=True))
    found = Evaluator(small.statistics, values).memberships(slice(0, small.statistics.n_patterns))
    np.testing.assert_allclose(
        found[small.statistics.pattern_of_row], np.moveaxis(expected, 0, -1), rtol=0, atol=1e-12
    )


def test_the_summary_is_that_of_all_draws_at_once(mixed: World, monkeypatch: pytest.MonkeyPatch):
    members = kernel_memberships(mixed)
    statistics = mixed.statistics
    weights = np.random.default_rng(0).normal(size=(statistics.n_patterns, 2))
    rows = rows_of(np.arange(len(weights)), weights, statistics.count, len(weights))
    monkeypatch.setattr(evaluator, "BLOCK_CELLS", 1_500)
    found = summarise(statistics, mixed.values, rows)
    np.testing.assert_allclose(found.mean, members.mean(axis=-1), atol=1e-11)
    np.testing.assert_allclose(found.lower, np.quantile(members, 0.05, axis=-1), atol=1e-11)
    np.testing.assert_allclose(found.upper, np.quantile(members, 0.95, axis=-1), atol=1e-11)
    wins = (members.argmax(axis=1)[:, None, :] == np.arange(3)[:, None]).mean(axis=-1)
    np.testing.assert_allclose(found.wins, wins, atol=1e-12)
    totals = np.einsum("pm,pks->smk", weights, members)
    np.testing.assert_allclose(found.totals, totals, atol=1e-9)


def test_the_number_of_threads_changes_nothing(mixed: World, monkeypatch: pytest.MonkeyPatch):
    statistics = mixed.statistics
    n = statistics.n_patterns
    rows = rows_of(np.arange(n), np.ones((n, 1)), statistics.count, n)
    monkeypatch.setattr(evaluator, "BLOCK_CELLS", 1_000)
    several = summarise(statistics, mixed.values, rows, np.random.default_rng(1))
    monkeypatch.setattr(evaluator, "threads", lambda: 1)
    one = summarise(statistics, mixed.values, rows, np.random.default_rng(1))
    np.testing.assert_array_equal(one.totals, several.totals)
    np.testing.assert_array_equal(one.lots, several.lots)
    np.testing.assert_array_equal(one.mean, several.mean)


def test_equal_segments_win_once_per_draw():
    twice = world({"amount": "gaussian"}, n=20, share=(0.5, 0.5))
    values = twice.values.map(lambda x: np.repeat(x[:, :1], 2, axis=1))
    equal = Values(np.full_like(values.share, 0.5), values.indicators)
    wins = summarise(twice.statistics, equal).wins
    np.testing.assert_array_equal(wins.sum(axis=1), 1.0)


def test_large_tables_are_cut_down_without_a_trace():
    many = world({"complaints": "negative_binomial", "amount": "gaussian"}, n=150)
    assert has_large_tables(many.statistics.layout)
    part = compact(many.statistics, slice(10, 30))
    assert part.layout.n_cells < many.statistics.layout.n_cells / 3
    whole = many.statistics.take(np.arange(10, 30))
    for i in (0, 7):
        values = many.values.at(i)
        found, expected = (
            kernel.memberships(s, s.layout.weights(values.indicators, NUMPY), values.share)
            for s in (part, whole)
        )
        np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
        np.testing.assert_allclose(found[1], expected[1], atol=1e-9)


def test_many_combinations_of_gaps_are_cut_down_without_a_trace():
    names = {f"x{i}": "gaussian" for i in range(9)}
    gappy = world(names, n=130, missing=0.5)
    assert has_large_tables(gappy.statistics.layout)
    found = Evaluator(gappy.statistics, gappy.values).memberships(slice(20, 30))
    np.testing.assert_allclose(found, kernel_memberships(gappy)[20:30], atol=1e-11)


@pytest.mark.parametrize("indicator", ["amount", "orders", "complaints", "industry", "service"])
def test_one_indicator_alone_is_a_table_with_that_indicator(mixed: World, indicator: str):
    patterns = np.arange(mixed.statistics.n_patterns)
    alone, present = single(mixed.statistics, indicator, patterns)
    schema = mixed.schema.model_copy(
        update={"indicators": {indicator: mixed.schema.indicators[indicator]}}
    )
    from dataclasses import replace

    direct = reduce(replace(mixed.table, schema=schema))
    first = np.array([np.flatnonzero(mixed.statistics.pattern_of_row == p)[0] for p in patterns])
    observed = ~np.isnan(mixed.table.columns[indicator])[first]
    np.testing.assert_array_equal(present, observed)
    values = Values(mixed.values.share, {indicator: mixed.values.indicators[indicator]})
    found = Evaluator(alone, values).memberships(slice(0, alone.n_patterns))
    expected = Evaluator(direct, values).memberships(slice(0, direct.n_patterns))
    rows = first[present]
    np.testing.assert_allclose(found, expected[direct.pattern_of_row[rows]], atol=1e-11)


@given(st.integers(1, 5000), st.integers(1, 5000))
@settings(max_examples=50)
def test_draws_are_spread_evenly(n_draws: int, n_used: int):
    found = spread(n_draws, n_used)
    assert len(found) == min(n_draws, n_used)
    assert found[0] >= 0
    assert found[-1] < n_draws
    if len(found) > 1:
        assert np.ptp(np.diff(found)) <= 1
        assert np.diff(found).min() >= 1


def test_large_tables_take_fewer_draws(mixed: World):
    assert draws_to_use(1_200, 4_000) == 4_000
    assert draws_to_use(100_000, 4_000) == 1_000
    assert draws_to_use(10**6, 4_000) == 200
    assert draws_to_use(10**7, 150) == 150
    assert len(thinned(mixed.values, 10**6).share) == 60
    assert len(thinned(mixed.values, 7).share) == 7
