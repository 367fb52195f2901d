"""The calibration itself: uniform ranks pass, ranks that are off do not, and set-ups are judged."""

import numpy as np
import pytest
from scipy.stats import kstest

import calibration_bands
import calibration_bank
import calibration_markov
import calibration_ranks
from softseg.inference.starts import random_start
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify

N = 400


def test_p_values_of_uniform_ranks_are_uniform():
    ranks = np.random.default_rng(1).integers(100, size=(N, 300))
    assert kstest(calibration_bands.p_values(ranks), "uniform").pvalue > 0.001


def test_a_band_holds_uniform_ranks_as_often_as_it_says():
    rng = np.random.default_rng(2)
    low, high = calibration_bands.band(N)
    samples = [calibration_bands.shares(rng.integers(100, size=N)) for _ in range(2000)]
    inside = np.mean([np.all((low <= s) & (s <= high)) for s in samples])
    assert inside == pytest.approx(calibration_bands.INSIDE, abs=0.007)


@pytest.mark.parametrize(
    "places",
    [
        pytest.param(lambda rng: rng.beta(1.3, 1.3, N), id="too wide"),
        pytest.param(lambda rng: rng.beta(0.6, 0.6, N), id="too narrow"),
        pytest.param(lambda rng: rng.beta(1.25, 1.0, N), id="too low"),
    ],
)
def test_ranks_that_are_off_are_found_out(places):
    ranks = np.floor(100 * places(np.random.default_rng(3))).astype(int)
    assert calibration_bands.p_values(ranks[:, None])[0] < 0.001


def test_the_truth_is_ranked_by_what_the_sampler_reports():
    mixture = specify(calibration_ranks.frozen_schema("negative_binomial"), 2)
    rng = np.random.default_rng(4)
    table, truth = calibration_ranks.simulated(mixture, 60, rng, 0.1)
    statistics = reduce(table)
    start = random_start(statistics, mixture, rng)
    draws, _ = calibration_ranks.gibbs(
        statistics, mixture, [start], n_draws=5, n_tune=0, rngs=rng.spawn(1)
    )
    names, mine = calibration_ranks.watched(statistics, draws.values, None)
    lik = names.index("log_likelihood")
    assert mine[:, lik] == pytest.approx(draws.log_likelihood[0], rel=1e-10)
    true = calibration_ranks.watched(statistics, truth.map(lambda v: v[None, None]), None)[1]
    assert true.shape == (1, len(names))


def test_shards_are_stored_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration_ranks, "SHARD", 2)
    monkeypatch.setattr(calibration_ranks, "N_SIMULATIONS", 4)
    for unit in ("poisson-0", "poisson-1"):
        calibration_ranks.work(unit, "laplace", tmp_path, "abc")
    found = calibration_ranks.read(tmp_path, "poisson", "laplace")
    assert found.ranks.shape == (4, len(found.names))
    assert found.ranks.min() >= 0
    assert found.ranks.max() < calibration_bands.N_RANKS
    assert found.commit == ["abc", "abc"]
    assert calibration_ranks.read(tmp_path, "gamma", "laplace") is None


@pytest.mark.parametrize("churn", list(calibration_markov.KINDS))
def test_the_truth_of_a_panel_is_ranked_by_what_the_sampler_reports(churn):
    world, rng = calibration_markov.World(churn), np.random.default_rng(4)
    truth = world.mixture.draw_prior(rng)
    panel = world.table(truth, rng)
    own = calibration_markov.MarkovSpace.on(world.mixture, panel.statistics, panel.histories)
    log_lik = own.log_densities(own.point(truth)[None])[1][0]
    assert world.log_likelihood(panel, truth) == pytest.approx(log_lik, rel=1e-10)
    names, watched = calibration_markov.watched(panel, truth.map(lambda v: v[None, None]), None)
    assert watched.shape == (1, len(names))
    assert 0.0 <= watched[0, names.index("membership")] <= 1.0


def test_shards_of_panels_are_stored_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration_markov, "SHARD", 1)
    monkeypatch.setattr(calibration_markov, "N_SIMULATIONS", 2)
    assert calibration_markov.units() == ["observed-0", "silent-0", "observed-1", "silent-1"]
    calibration_markov.work("silent-1", "gibbs", tmp_path, "abc")
    found = calibration_markov.read(tmp_path, "silent", "gibbs")
    assert found.ranks.shape == (1, len(found.names))
    assert calibration_markov.read(tmp_path, "observed", "gibbs") is None


def test_a_refused_table_counts_as_flagged():
    setup = calibration_bank.few_customers(np.random.default_rng(1))
    found = calibration_bank.judged(setup)
    assert found["flagged"]
    assert found["gate"] == "refused"
