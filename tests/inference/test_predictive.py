"""The fit verdict: quiet under a right model, loud and precise under planted faults."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from builders import EXPOSURES, frame_of, schema_of, truth
from softseg.families.namespace import NUMPY
from softseg.inference.dependence import dependence, pairs_of, ranked
from softseg.inference.discrepancy import RELEVANT
from softseg.inference.fit_verdict import STRONG_PAIR, FitVerdict, PairCheck, status_of
from softseg.inference.modes import find_modes
from softseg.inference.predictive import check_fit
from softseg.inference.replicate import log_density, pattern_cells, spaced
from softseg.inference.tail import tail_probability
from softseg.likelihood.kernel import memberships
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values, specify
from softseg.tables.prepare import prepare
from softseg.wording import has

SHARE = (0.5, 0.3, 0.2)
# Without asinh-normal, whose width is found on the table, so that a truth given before is none.
FAMILIES = {
    "amount": "gaussian",
    "value": "lognormal",
    "days": "gamma",
    "orders": "poisson",
    "complaints": "negative_binomial",
    "online": "bernoulli",
    "service": "hurdle_lognormal",
    "industry": "categorical",
}
FEW = {"amount": "gaussian", "orders": "poisson", "online": "bernoulli", "industry": "categorical"}


def stacked(values: Values) -> Values:
    return values.map(lambda array: np.asarray(array, dtype=float)[None])


def case(n, seed, families=FAMILIES, *, missing=0.1, exposures=EXPOSURES, change=None):
    """Return statistics, table, mixture, the truth as a draw, and the segments from 0."""
    values = truth(families, SHARE)
    rng = np.random.default_rng(seed)
    used = {k: v for k, v in exposures.items() if k in families}
    frame, segment = frame_of(families, values, n, rng, missing=missing, exposures=used)
    if change is not None:
        change(frame, segment, rng)
    table = prepare(frame, schema_of(families, used))
    return reduce(table), table, specify(table.schema, 3), stacked(values), segment


def judge(statistics, table, mixture, values, seed=0, n_replicates=100):
    rng = np.random.default_rng(seed)
    return check_fit(statistics, table, mixture, values, rng, n_replicates)


def found(verdict: FitVerdict):
    return [check for check in verdict.pairs if check.found]


def test_densities_of_replicates_are_those_of_the_kernel():
    statistics, table, mixture, values, _ = case(150, 1)
    one = values.at(0)
    weights = statistics.layout.weights(one.indicators, NUMPY)
    _, expected = memberships(statistics, weights, one.share)
    cells = pattern_cells(statistics, table)
    np.testing.assert_allclose(log_density(mixture, one, cells), expected, rtol=1e-9)


def test_spaced_draws_cover_the_whole_run():
    assert spaced(1001, 3).tolist() == [0, 500, 1000]
    assert spaced(1, 4).tolist() == [0, 0, 0, 0]


@pytest.fixture(scope="module")
def small():
    """Two numbers, a two-valued one and two categories, two segments, with gaps."""
    rng = np.random.default_rng(4)
    n = 300
    columns = [
        np.round(rng.normal(size=n), 1),
        rng.poisson(2.0, n).astype(float),
        rng.integers(0, 2, n).astype(float),
        rng.integers(0, 3, n).astype(float),
        rng.integers(0, 4, n).astype(float),
    ]
    columns[0] += columns[1]
    levels = [0, 0, 2, 3, 4]
    segment = rng.integers(0, 2, n)
    return columns, levels, segment


def phi2_of(columns, levels, segment, n_segments=2):
    ranks = [ranked(x, n) for x, n in zip(columns, levels, strict=True)]
    pairs = pairs_of(levels)
    phi2, n = dependence([ranks], segment, n_segments, pairs)
    names = list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    return phi2[0], n, names, pairs


def brute(a, b, a_levels, b_levels):
    """Return the squared rank correlation, the correlation ratio of ranks, or χ²/n."""
    if a_levels > 2 and b_levels > 2:
        cross = pd.crosstab(a, b).to_numpy()
        return stats.chi2_contingency(cross, correction=False).statistic / len(a)
    if a_levels <= 2 and b_levels <= 2:
        return stats.spearmanr(a, b).statistic ** 2
    number, level = (b, a) if a_levels > 2 else (a, b)
    rank = stats.rankdata(number)
    means = pd.Series(rank).groupby(level).transform("mean")
    return float(means.var() / rank.var(ddof=1))


def test_dependence_is_correlation_correlation_ratio_and_chi_square(small):
    columns, levels, segment = small
    phi2, n, names, _ = phi2_of(columns, levels, segment)
    for k in range(2):
        inside = segment == k
        for i, (a, b) in enumerate(names):
            expected = brute(columns[a][inside], columns[b][inside], levels[a], levels[b])
            assert phi2[k, i] == pytest.approx(expected, rel=1e-9), (a, b)
    np.testing.assert_array_equal(n, np.bincount(segment)[:, None] * np.ones(len(names)))


def test_dependence_with_gaps_uses_customers_that_show_both(small):
    columns, levels, segment = small
    holes = [column.copy() for column in columns]
    holes[0][:150] = np.nan
    holes[3][100:] = np.nan
    phi2, n, names, _ = phi2_of(holes, levels, segment)
    both = names.index((0, 3))
    assert np.all(n[:, both] == 0)
    assert np.all(phi2[:, both] == 0)
    assert n[:, names.index((0, 1))].sum() == 150
    kept = names.index((1, 2))
    full, _, _, _ = phi2_of(columns, levels, segment)
    np.testing.assert_allclose(phi2[:, kept], full[:, kept])


def test_largest_dependence_is_the_width_of_the_pair():
    level = np.tile([0.0, 1.0, 2.0], 20)
    phi2, _, _, pairs = phi2_of([level, level, level], [3, 3, 0], np.zeros(60, dtype=int), 1)
    np.testing.assert_allclose(phi2[0], pairs.width)
    np.testing.assert_array_equal(pairs.width, [2.0, 1.0, 1.0])


def test_tail_probability_counts_ties_half():
    families = {"online": "bernoulli"}
    frame = pd.DataFrame({"online": ["yes"] * 30 + ["no"] * 70})
    table = prepare(frame, schema_of(families))
    values = stacked(Values(np.ones(1), {"online": {"probability": np.array([0.3])}}))
    statistics = reduce(table)
    mixture = specify(table.schema, 1)
    tail = tail_probability(statistics, table, mixture, values, np.random.default_rng(0))
    np.testing.assert_allclose(tail[:30], 0.15, atol=0.01)
    np.testing.assert_allclose(tail[30:], 0.65, atol=0.01)


@pytest.mark.parametrize("exposures", [EXPOSURES, {}], ids=["own", "common"])
def test_tail_probability_is_uniform_under_a_right_model(exposures):
    statistics, table, mixture, values, _ = case(2000, 7, missing=0.05, exposures=exposures)
    tail = tail_probability(statistics, table, mixture, values, np.random.default_rng(1))
    assert stats.kstest(tail, "uniform").statistic < 1.95 / np.sqrt(2000) + 0.01
    assert 0.003 < np.mean(tail < 0.01) < 0.019


@pytest.mark.parametrize("exposures", [EXPOSURES, {}], ids=["own", "common"])
def test_a_customer_unlike_all_others_fits_none(exposures):
    def plant(frame, segment, rng):
        frame.loc[3, ["amount", "value"]] = [40.0, 2.0]
        frame.loc[5, :] = np.nan
        frame.loc[5, "years"] = 1.0

    statistics, table, mixture, values, _ = case(
        150, 3, missing=0.0, exposures=exposures, change=plant
    )
    tail = tail_probability(statistics, table, mixture, values, np.random.default_rng(1))
    assert tail[3] < 0.001
    assert tail[5] == pytest.approx(0.5)


def test_large_tables_take_a_first_look_with_fewer_draws(monkeypatch):
    case_of = case(300, 7, missing=0.05)[:4]
    full = tail_probability(*case_of, np.random.default_rng(1))
    monkeypatch.setattr("softseg.inference.tail.MANY_ROWS", 10)
    quick = tail_probability(*case_of, np.random.default_rng(1))
    assert np.abs(full - quick).max() < 0.4
    np.testing.assert_allclose(quick[full < 0.01], full[full < 0.01], atol=0.02)


@pytest.mark.slow
def test_a_right_model_is_seldom_accused():
    pairs, singles, bad = [], [], 0
    for seed in range(10):
        verdict, _ = judge(*case(200, 100 + seed, FEW)[:4], n_replicates=60)
        bad += verdict.status != "good"
        pairs += [check.p for check in verdict.pairs if check.segment == 0]
        singles += [check.p for check in verdict.indicators]
    assert bad <= 3
    assert stats.kstest(pairs, "uniform").pvalue > 0.001
    assert 0.4 < np.mean(singles) < 0.68
    assert np.mean(np.array(pairs) < 0.1) < 0.22


def link_inside_second(frame, segment, rng):
    """Make amount and value move together in segment 2, each keeping its distribution."""
    inside = (segment == 1) & frame["amount"].notna() & frame["value"].notna()
    a, b = frame.loc[inside, "amount"].to_numpy(), frame.loc[inside, "value"].to_numpy()
    noisy = stats.rankdata(a) + rng.normal(0.0, 0.35 * len(a), len(a))
    frame.loc[inside, "value"] = np.sort(b)[stats.rankdata(noisy).astype(int) - 1]


def test_planted_dependence_names_the_pair_and_the_segment():
    verdict, _ = judge(*case(900, 5, change=link_inside_second)[:4])
    checks = found(verdict)
    assert {(check.first, check.second) for check in checks} == {("amount", "value")}
    assert [check.segment for check in checks] == [0, 2]
    assert checks[1].strength > 0.4
    assert verdict.status == "doubtful"
    (line, remedy) = verdict.advice()
    assert "amount and value stay dependent inside segment 2" in line
    assert "one more segment" in remedy
    named = verdict.advice("de", ["Gelegenheit", "Volumen", "Premium"], {"amount": "Betrag"})
    assert named[0].startswith("Betrag und value hängen innerhalb von Volumen")


def test_one_segment_leaves_everything_dependent():
    table = case(400, 5, FEW)[1]
    statistics, mixture = reduce(table), specify(table.schema, 1)
    best = find_modes(statistics, mixture, rng=np.random.default_rng(0), n_starts=1).best
    verdict, _ = judge(statistics, table, mixture, stacked(best.values))
    assert verdict.status == "poor"
    pooled = [check for check in found(verdict) if check.segment == 0]
    assert len(pooled) == 6
    assert any("more of the pairs" in line for line in verdict.advice())


def test_a_wrong_family_is_named():
    """Counts with much more variance, and zeros, than Poisson allows; amounts with a spike."""

    def spoil(frame, segment, rng):
        frame["orders"] = rng.negative_binomial(0.5, 0.05, len(frame)).astype(float)
        frame.loc[rng.random(len(frame)) < 0.4, "amount"] = 0.0

    statistics, table, mixture, _, _ = case(500, 2, FEW, exposures={}, change=spoil)
    best = find_modes(statistics, mixture, rng=np.random.default_rng(0), n_starts=4).best
    verdict, _ = judge(statistics, table, mixture, stacked(best.values))
    named = {(check.indicator, check.statistic) for check in verdict.indicators if check.found}
    assert ("amount", "repeated") in named
    assert named & {("orders", "zeros"), ("orders", "largest"), ("orders", "dispersion")}
    assert not any(name in ("online", "industry") for name, _ in named)
    assert verdict.status != "good"
    text = " ".join(verdict.advice("de"))
    assert "negativ-binomial" in text
    assert "{" not in text


def test_one_outlier_shows_in_the_largest_value():
    def plant(frame, segment, rng):
        frame.loc[3, "amount"] = 60.0

    verdict, tail = judge(*case(300, 5, FEW, change=plant)[:4])
    named = [(check.indicator, check.statistic) for check in verdict.indicators if check.found]
    assert named == [("amount", "largest")]
    assert tail[3] < 0.01
    assert any("largest values of amount" in line for line in verdict.advice())


def test_many_misfits_are_said():
    def plant(frame, segment, rng):
        frame.loc[:30, "amount"] = rng.uniform(15.0, 25.0, 31)

    verdict, tail = judge(*case(300, 5, FEW, missing=0.0, change=plant)[:4])
    assert np.all(tail[:31] < 0.01)
    assert verdict.many_unusual
    assert verdict.unusual > 0.1
    assert any("fit none of the segments" in line for line in verdict.advice())


def test_the_order_of_the_rows_changes_nothing():
    values = truth(FEW, SHARE)
    frame, _ = frame_of(FEW, values, 200, np.random.default_rng(1), missing=0.1)
    order = np.random.default_rng(2).permutation(200)
    results = []
    for rows in (np.arange(200), order):
        table = prepare(frame.iloc[rows].reset_index(drop=True), schema_of(FEW))
        arguments = reduce(table), table, specify(table.schema, 3), stacked(values)
        results.append(judge(*arguments, n_replicates=20))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1][order], results[1][1])


def test_a_row_twice_is_a_count_of_two():
    values = truth(FEW, SHARE)
    frame, _ = frame_of(FEW, values, 120, np.random.default_rng(1), missing=0.1)
    double = prepare(pd.concat([frame, frame], ignore_index=True), schema_of(FEW))
    counted = prepare(frame.assign(n=2), schema_of(FEW, count="n"))
    results = [
        judge(reduce(table), table, specify(table.schema, 3), stacked(values), n_replicates=20)
        for table in (double, counted)
    ]
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1][:120], results[1][1])


def test_large_tables_are_checked_on_some_customers(monkeypatch):
    monkeypatch.setattr("softseg.inference.predictive.MOST_CUSTOMERS", 80)
    verdict, tail = judge(*case(200, 1, FEW)[:4], n_replicates=20)
    assert (verdict.n_checked, verdict.n_customers, len(tail)) == (80, 200.0, 200)


def test_weights_and_empty_columns_are_survived():
    values = truth(FEW, SHARE)
    frame, _ = frame_of(FEW, values, 100, np.random.default_rng(1))
    table = prepare(frame.assign(w=0.7), schema_of(FEW, weight="w"))
    table.columns["amount"][:] = np.nan
    arguments = reduce(table), table, specify(table.schema, 3), stacked(values)
    verdict, tail = judge(*arguments, n_replicates=20)
    assert verdict.n_checked == 70
    assert not any(check.indicator == "amount" for check in verdict.indicators)
    assert np.isfinite(tail).all()


def test_a_single_indicator_has_no_pairs():
    verdict, _ = judge(*case(100, 1, {"amount": "gaussian"})[:4], n_replicates=20)
    assert verdict.pairs == ()
    assert verdict.status in ("good", "doubtful")


def test_json_round_trip_and_repr():
    verdict, _ = judge(*case(200, 5, FEW, change=None)[:4], n_replicates=20)
    assert FitVerdict.from_json(verdict.to_json()) == verdict
    assert repr(verdict).startswith(f"FitVerdict: {verdict.status} (")
    assert "20 replicates" in repr(verdict)
    assert verdict.resolution == pytest.approx(1 / 21)
    assert verdict.text("de")


def pair(strength: float, first="a", second="b") -> PairCheck:
    return PairCheck(first, second, 0, strength, 0.001, 0.001, True)


def test_status_rises_with_strength_and_number():
    assert status_of([], [], 12, False) == "good"
    assert status_of([], [], 12, True) == "doubtful"
    assert status_of([], [pair(0.2)], 12, False) == "doubtful"
    assert status_of([], [pair(STRONG_PAIR)], 12, False) == "poor"
    assert status_of([], [pair(0.2), pair(0.2, "c", "d")], 6, False) == "poor"


@pytest.mark.parametrize("statistic", list(RELEVANT))
def test_every_statistic_has_its_words(statistic):
    assert has(f"fit.remedy.{statistic}")
    key = f"fit.indicator.{statistic}"
    assert has(key) or (has(f"{key}.high") and has(f"{key}.low"))
