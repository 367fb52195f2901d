"""Draws: exact marginals, the dependence asked for, small error, the same numbers every time."""

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri, stdtr
from scipy.stats import rankdata

from softseg.decisions.inputs.ranges import marginal
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.sampling import Draws, draw
from softseg.decisions.model.scores import HALF_STEP, Copula, points, scrambled
from softseg.errors import SchemaError, UsageError

INPUTS: dict[str, dict[str, Any]] = {
    "cost": {"role": "one_off_cost", "unit": "kEUR", "low": 95.0, "high": 250.0},
    "uplift": {"role": "revenue_effect", "unit": "pp", "low": 0.8, "high": 2.5, "family": "normal"},
    "saving": {"role": "saving", "unit": "EUR", "low": 50.0, "high": 90.0, "family": "uniform"},
    "rate": {"role": "discount_rate", "unit": "%", "value": 8.0},
    "risk": {"role": "no_effect", "unit": "%", "low": 10.0, "high": 40.0, "family": "uniform"},
}
UNCERTAIN = ("cost", "uplift", "saving", "risk")
PAIRS = [
    {"between": ("cost", "uplift"), "rank": 0.6},
    {"between": ("uplift", "saving"), "rank": -0.4},
]


def assume(inputs: dict[str, dict[str, Any]] | None = None, **dependence: Any) -> Assumptions:
    return Assumptions.model_validate(
        {"horizon": 5, "inputs": inputs or INPUTS, "dependence": dependence}
    )


def same(first: Draws, second: Draws) -> bool:
    return first.values.keys() == second.values.keys() and all(
        np.array_equal(first.values[name], second.values[name]) for name in first.values
    )


def rank_correlations(*columns: Any) -> Any:
    return np.corrcoef([rankdata(column) for column in columns])


def upper_tail(draws: Draws, first: str, second: str, level: float) -> float:
    """Return the probability that both lie in the tail, given that one does."""
    both = [draws.values[name] > np.quantile(draws.values[name], level) for name in (first, second)]
    return float((both[0] & both[1]).mean() / (1.0 - level))


@pytest.mark.parametrize("copula", ["gaussian", "t"])
def test_marginals_are_those_of_the_inputs(copula: str):
    assumptions = assume(correlations=PAIRS, copula=copula, degrees_of_freedom=3.0)
    draws = draw(assumptions, 4, 2**14, seed=2)
    assert draws.uncertain == UNCERTAIN
    for name in UNCERTAIN:
        chance = marginal(assumptions.inputs[name]).cdf(draws.values[name].ravel())
        even = (np.arange(chance.size) + 0.5) / chance.size
        # the largest distance of the empirical distribution, some 0.006 for random numbers
        assert np.abs(np.sort(chance) - even).max() < (0.0035 if copula == "t" else 0.001)
        levels = np.array([0.05, 0.5, 0.95])
        found = np.quantile(draws.values[name], levels)
        assert found == pytest.approx(marginal(assumptions.inputs[name]).quantile(levels), rel=0.01)


def test_inputs_without_spread_are_one_number():
    draws = draw(assume(), 2, 8)
    assert draws.values["rate"].shape == (1, 1)
    assert draws.values["rate"].item() == pytest.approx(0.08)
    assert draws.values["cost"].shape == draws.works.shape == (2, 8)
    assert list(draws.values) == list(INPUTS)


@pytest.mark.parametrize(("copula", "within"), [("gaussian", 0.01), ("t", 0.02)])
def test_rank_correlations_are_those_asked_for(copula: str, within: float):
    draws = draw(assume(correlations=PAIRS, copula=copula), 4, 2**13)
    found = rank_correlations(*(draws.values[name].ravel() for name in UNCERTAIN))
    expected = np.eye(4)
    expected[0, 1] = expected[1, 0] = 0.6
    expected[1, 2] = expected[2, 1] = -0.4
    assert np.abs(found - expected).max() < within
    assert draws.changes == ()


def test_inputs_outside_the_dependence_stay_apart_from_a_t_copula():
    draws = draw(assume(correlations=PAIRS, copula="t", degrees_of_freedom=2.5), 4, 2**13)
    far = [np.abs(draws.values[n] - np.median(draws.values[n])).ravel() for n in UNCERTAIN]
    found = rank_correlations(*far)
    assert found[0, 2] > 0.1  # not correlated, and yet far out together
    assert np.abs(found[3, :3]).max() < 0.01


def test_repaired_pairs_are_told():
    ranks = [("cost", "uplift", 0.9), ("uplift", "saving", 0.9), ("cost", "saving", 0.5)]
    pairs = [{"between": (first, second), "rank": rank} for first, second, rank in ranks]
    draws = draw(assume(correlations=pairs), 1, 2**13)
    first, second, asked, got = draws.changes[1]
    assert (first, second, round(asked, 9)) == ("cost", "saving", 0.5)
    found = rank_correlations(draws.values[first].ravel(), draws.values[second].ravel())[0, 1]
    assert found == pytest.approx(got, abs=0.01)


def test_t_copula_has_joint_extremes():
    gaussian = draw(assume(correlations=PAIRS), 4, 2**13)
    t = draw(assume(correlations=PAIRS, copula="t", degrees_of_freedom=3.0), 4, 2**13)
    assert (
        upper_tail(t, "cost", "uplift", 0.99) > upper_tail(gaussian, "cost", "uplift", 0.99) + 0.1
    )


@pytest.mark.parametrize("degrees", [2.01, 5.0, 200.0])
def test_scores_of_t_are_exact_far_out(degrees: float):
    t = np.concatenate([np.linspace(-9.0, 9.0, 2001), [-500.0, 500.0], np.zeros(1)])
    found = Copula((0,), np.eye(1), degrees).normal(t)
    expected = -np.sign(t) * ndtri(stdtr(degrees, -np.abs(t)))
    inside = np.abs(expected) < 8.0
    np.testing.assert_allclose(found[inside], expected[inside], rtol=0, atol=1e-9)


def test_points_never_reach_the_ends():
    found = points(scrambled(40, np.random.SeedSequence(1)), 2**12)
    assert found.shape == (40, 2**12)
    assert found.min() >= HALF_STEP
    assert found.max() <= 1.0 - HALF_STEP
    cells = np.sort((found * 2**12).astype(int), axis=1)
    np.testing.assert_array_equal(cells, np.broadcast_to(np.arange(2**12), cells.shape))


def test_error_is_a_tenth_of_plain_monte_carlo():
    assumptions = assume(correlations=PAIRS)
    names = ("cost", "uplift", "saving")

    def integrand(columns: list[Any]) -> Any:
        scaled = [column / np.mean(column) for column in columns]
        return scaled[0] * scaled[1] + np.exp(-scaled[2])

    draws = draw(assumptions, 32, 2**12)
    table = integrand([draws.values[name] for name in names])
    # the same distribution in random order is what plain Monte Carlo would have drawn
    plain = np.random.default_rng(1).permutation(table.ravel()).reshape(table.shape)
    assert table.mean(axis=1).std() < 0.1 * plain.mean(axis=1).std()


def test_cores_change_no_number():
    assumptions = assume(correlations=PAIRS, copula="t")
    one, three = (draw(assumptions, 5, 256, seed=7, cores=cores) for cores in (1, 3))
    assert same(one, three)
    assert np.array_equal(one.works, three.works)
    assert same(one, draw(assumptions, 5, 256, seed=7))


def test_seeds_change_every_number():
    first, second = (draw(assume(), 2, 64, seed=seed) for seed in (1, 2))
    for name in UNCERTAIN:
        assert not np.isin(first.values[name], second.values[name]).any()
        assert not np.isin(first.values[name][0], first.values[name][1]).any()


def test_more_draws_and_replicates_keep_the_first_ones():
    assumptions = assume(correlations=PAIRS, copula="t")
    few, many = draw(assumptions, 2, 128), draw(assumptions, 3, 512)
    for name in UNCERTAIN:
        np.testing.assert_array_equal(few.values[name], many.values[name][:2, :128])
    np.testing.assert_array_equal(few.works, many.works[:2, :128])


def test_copies_share_the_array():
    copy = {"role": "metric", "unit": "EUR", "same_as": "cost"}
    twice = {"role": "saving", "unit": "EUR", "same_as": "again"}
    inputs = {"twice": twice, "again": copy, "shown": copy, **INPUTS}
    draws = draw(assume(inputs), 2, 16)
    assert draws.values["again"] is draws.values["cost"]
    assert draws.values["twice"] is draws.values["cost"]
    assert draws.uncertain == UNCERTAIN
    assert "shown" not in draws.values


def test_metrics_are_drawn_where_others_need_them():
    metric = {"role": "metric", "unit": "%", "low": 1.0, "high": 3.0}
    effect = {"role": "revenue_effect", "effect": "churn", "unit": "%", "value": 1.0}
    inputs = {"churn": metric, "idle": metric, "fewer": {**effect, "rate": "churn"}}
    draws = draw(assume(INPUTS | inputs), 1, 16)
    assert draws.values["churn"].shape == (1, 16)
    assert "idle" not in draws.values


def test_works_as_often_as_the_risk_says():
    draws = draw(assume(), 16, 2**12)
    assert set(np.unique(draws.works)) == {0.0, 1.0}
    assert draws.works.mean() == pytest.approx(1.0 - draws.values["risk"].mean(), abs=5e-4)
    # in the draws with a high risk it fails more often
    high = draws.values["risk"] > 0.25
    risk = draws.values["risk"][high].mean()
    assert draws.works[high].mean() == pytest.approx(1.0 - risk, abs=5e-3)


@pytest.mark.parametrize(("value", "expected"), [(0.0, 1.0), (25.0, 0.75), (100.0, 0.0)])
def test_works_with_a_known_risk(value: float, expected: float):
    risk = {"role": "no_effect", "unit": "%", "value": value}
    assert draw(assume(INPUTS | {"risk": risk}), 2, 64).works.mean() == expected


def test_works_always_where_no_risk_is_given():
    inputs = {name: entry for name, entry in INPUTS.items() if name != "risk"}
    np.testing.assert_array_equal(draw(assume(inputs), 2, 8).works, 1.0)


def test_sets_of_samples_stay_paired():
    entry = {"role": "saving", "unit": "kEUR", "sample_set": "pilot"}
    first, second = (3.0, 1.0, 2.0, 7.0), (10.0, 30.0, 20.0, 5.0)
    constant = {**entry, "samples": (4.0, 4.0, 4.0, 4.0)}
    inputs = {"x": {**entry, "samples": first}, "y": {**entry, "samples": second}, "z": constant}
    draws = draw(assume(INPUTS | inputs), 2, 64)
    rows = {(1e3 * x, 1e3 * y) for x, y in zip(first, second, strict=True)}
    drawn = list(zip(*(draws.values[name].ravel().tolist() for name in ("x", "y")), strict=True))
    assert set(drawn) == rows
    assert all(drawn.count(row) == 32 for row in rows)
    assert draws.values["z"].tolist() == [[4000.0]]
    assert draws.uncertain == (*UNCERTAIN, "x", "y")


def test_samples_alone_can_be_correlated():
    samples = tuple(float(x) for x in np.random.default_rng(1).permutation(500))
    inputs = INPUTS | {"seen": {"role": "saving", "unit": "EUR", "samples": samples}}
    pairs = [{"between": ("cost", "seen"), "rank": 0.7}]
    draws = draw(assume(inputs, correlations=pairs), 2, 2**12)
    found = rank_correlations(draws.values["cost"].ravel(), draws.values["seen"].ravel())[0, 1]
    assert found == pytest.approx(0.7, abs=0.01)


def test_posterior_rows_stay_together():
    rng = np.random.default_rng(4)
    posterior = {"uplift": rng.normal(0.01, 0.002, 1000), "risk": rng.beta(2.0, 6.0, 1000)}
    draws = draw(assume(correlations=PAIRS), 4, 2**12, posterior=posterior)
    order = np.argsort(posterior["uplift"])
    at = order[np.searchsorted(posterior["uplift"], draws.values["uplift"], sorter=order)]
    np.testing.assert_array_equal(posterior["uplift"][at], draws.values["uplift"])
    np.testing.assert_array_equal(posterior["risk"][at], draws.values["risk"])
    assert draws.uncertain == UNCERTAIN
    assert np.bincount(at.ravel(), minlength=1000).min() > 0
    assert draws.works.mean() == pytest.approx(1.0 - draws.values["risk"].mean(), abs=0.01)


def test_posterior_without_spread_is_one_number():
    draws = draw(assume(), 1, 4, posterior={"cost": np.full(3, 5.0)})
    assert draws.values["cost"].tolist() == [[5.0]]
    assert draws.uncertain == ("uplift", "saving", "risk")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_draws": 1000}, "Give n_draws as a power of two such as 1024, got 1000"),
        ({"n_draws": 0}, "Give n_draws as a whole number"),
        ({"n_replicates": 0}, "Give n_replicates as a whole number"),
        ({"seed": -1}, "Give seed as a whole number"),
        ({"cores": 0}, "Give cores as a whole number"),
        ({"posterior": {"other": np.ones(2)}}, "Give posterior draws of inputs out of"),
        ({"posterior": {"copy": np.ones(2)}}, "Give posterior draws of 'cost': 'copy' is a copy"),
        ({"posterior": {"cost": np.ones((2, 2))}}, "Give the posterior draws of 'cost' as finite"),
        ({"posterior": {"cost": np.array([1.0, np.nan])}}, "with 1 not finite"),
        ({"posterior": {"cost": np.ones(0)}}, "Give the posterior draws of 'cost' as finite"),
        ({"posterior": {"cost": np.ones(2), "risk": np.ones(3)}}, "Give equally many posterior"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any], match: str):
    inputs = INPUTS | {"copy": {"role": "saving", "unit": "EUR", "same_as": "cost"}}
    with pytest.raises(UsageError, match=match):
        draw(assume(inputs), **arguments)


def test_faults_of_the_dependence_are_refused():
    pairs = [{"between": ("cost", "cost"), "rank": 0.5}, {"between": ("cost", "rate"), "rank": 0.1}]
    with pytest.raises(SchemaError, match=r"with itself out\.\nGive rate"):
        draw(assume(correlations=pairs))


def test_samples_that_cannot_be_paired_are_refused():
    entry = {"role": "saving", "unit": "EUR", "sample_set": "pilot"}
    inputs = {"x": {**entry, "samples": (1.0, 2.0)}, "y": {**entry, "samples": (1.0, 2.0, 3.0)}}
    with pytest.raises(SchemaError, match="Give equally many samples in the set 'pilot'"):
        draw(assume(INPUTS | inputs))
