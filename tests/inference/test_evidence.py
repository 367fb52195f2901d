"""The log marginal likelihood against closed forms, enumeration and published values."""

import numpy as np
import pytest
from scipy.stats import norm

from builders import frame_of, schema_of, truth
from oracles.number_cases import (
    CLOSED,
    ENUMERATED,
    VALUES_TWO,
    answers,
    bridged,
    closed_form,
    log_evidence_of_subsets,
    many_segments,
    ten_rows,
    weighed,
)
from softseg.errors import UsageError
from softseg.inference.evidence import Evidence, Labels, Proposal, bridge, evidence, probabilities
from softseg.inference.gibbs import gibbs
from softseg.inference.modes import find_modes
from softseg.inference.skew_normal import SkewNormals
from softseg.inference.space import Space
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.priors import Prior
from softseg.tables.prepare import prepare
from softseg.tables.schema import PriorSchema


@pytest.mark.parametrize(("name", "expected"), CLOSED.items())
def test_one_segment_in_closed_form(reference_data, name, expected):
    table = answers(reference_data(f"{name}.csv"))
    found = bridged(table, 1, n_draws=500)
    assert found.labels == "one"
    assert found.error < 0.02
    assert found.log == pytest.approx(expected, abs=max(4 * found.error, 1e-3))
    assert closed_form(table) == pytest.approx(expected, abs=1e-4)


def test_two_segments_of_values(reference_data):
    """Bridge sampling on 20,000 draws of another program."""
    known, error = VALUES_TWO
    found = bridged(answers(reference_data("values.csv")), 2)
    assert found.error < 0.02
    assert found.log == pytest.approx(known, abs=error + 3 * found.error)


@pytest.mark.parametrize(("k", "alpha", "expected"), [(*key, v) for key, v in ENUMERATED.items()])
def test_enumerated_evidence_of_ten_rows(k, alpha, expected):
    assert log_evidence_of_subsets(k, alpha) == pytest.approx(expected, abs=1e-6)
    found = bridged(ten_rows(), k, alpha=alpha)
    assert found.labels == ("one" if k == 1 else "symmetrised")
    assert found.error < 0.08
    assert found.log == pytest.approx(expected, abs=4 * found.error + 1e-3)


def test_more_segments_than_permutations_are_summed_for():
    """Six segments of ten rows overlap as much as they can: the piece is cut off, and right."""
    found = bridged(ten_rows(), 6)
    assert found.labels == "restricted"
    assert found.error < 0.08
    assert found.log == pytest.approx(log_evidence_of_subsets(6, 1.0), abs=4 * found.error)


def test_six_segments_apart_have_the_evidence_of_importance_weights():
    table = many_segments(6, 400)
    known, error = weighed(table, 6)
    found = bridged(table, 6, n_draws=600, n_chains=2, n_starts=10, used=1000)
    assert found.labels == "separated"
    assert found.log == pytest.approx(known, abs=4 * np.hypot(error, found.error))


def test_separated_labels_count_all_permutations():
    """Segments far apart, sampler in one labelling: log K! is in, labels do not matter."""
    kinds = {"x": "gaussian", "n": "poisson"}
    frame, _ = frame_of(kinds, truth(kinds, (0.5, 0.3, 0.2)), 150, np.random.default_rng(3))
    table = prepare(frame, schema_of(kinds))
    mixture, statistics = specify(table.schema, 3), reduce(table)
    first, second, third = np.random.default_rng(2).spawn(3)
    mode = find_modes(statistics, mixture, n_starts=4, rng=first).best.values
    draws, _ = gibbs(
        statistics, mixture, [mode] * 2, n_draws=1000, n_tune=100, rngs=second.spawn(2)
    )
    space = Space.of(mixture, statistics)
    found = evidence(space, draws.values, third, n_draws=1000)
    assert found.labels == "separated"
    assert found.stray < 0.01
    assert found.error < 0.05
    assert found.usable
    orders = np.argsort(np.random.default_rng(7).random(draws.values.share.shape), axis=-1)
    mixed = evidence(space, draws.values.permuted(orders), np.random.default_rng(9), n_draws=1000)
    assert mixed.log == pytest.approx(found.log, abs=4 * np.hypot(found.error, mixed.error))


def test_bridge_finds_the_constant_of_a_normal_density():
    """p̃ = 3 · e^(−u²/2) over a proposal that is off: Z = 3 √(2π)."""
    rng = np.random.default_rng(4)
    place, scale = 0.4, 1.3

    def log_ratio(u):
        return np.log(3.0) - 0.5 * u**2 - norm.logpdf(u, place, scale)

    log_z, error = bridge(
        log_ratio(rng.standard_normal((4, 2000))), log_ratio(rng.normal(place, scale, 8000))
    )
    expected = np.log(3.0 * np.sqrt(2.0 * np.pi))
    assert error < 0.01
    assert log_z == pytest.approx(expected, abs=4 * error)


def test_proposals_that_all_miss_give_no_evidence():
    log_z, error = bridge(np.zeros((2, 50)), np.full(100, -np.inf))
    assert np.isnan(log_z)
    assert error == np.inf
    assert not Evidence(log_z, error, "separated", 1.0).usable


@pytest.fixture(scope="module")
def ten():
    return Space.of(specify(ten_rows().schema, 2), reduce(ten_rows()))


def test_draws_that_stand_still_give_no_evidence(ten):
    """Weights that fell on one draw alone: this used to end in an error of linear algebra."""
    one = np.random.default_rng(7).normal(size=ten.size)
    points = np.broadcast_to(one, (2, 40, ten.size))
    found = evidence(ten, ten.values(points), np.random.default_rng(1))
    assert np.isnan(found.log)
    assert not found.usable


def test_proposals_of_no_density_give_no_evidence(ten, monkeypatch):
    """−∞ must reach the bridge as such, not as the lowest number that there is."""
    values = ten.values(np.random.default_rng(7).normal(size=(2, 40, ten.size)))
    real, calls = Space.log_densities, []

    def missed(self, points, cores=1):
        density, likelihood = real(self, points, cores)
        calls.append(len(points))
        return (density, likelihood) if len(calls) == 1 else (density - np.inf, likelihood)

    monkeypatch.setattr(Space, "log_densities", missed)
    found = evidence(ten, values, np.random.default_rng(1))
    assert np.isnan(found.log)
    assert found.error == np.inf


def test_copies_of_few_draws_are_worth_no_more(ten):
    """Resampled draws in random order look independent; their error is that of the originals."""
    rng = np.random.default_rng(8)
    values = ten.values(rng.normal(size=(2, 200, ten.size)))
    free = evidence(ten, values, np.random.default_rng(1))
    copies = evidence(ten, values, np.random.default_rng(1), worth=10.0)
    assert copies.log == free.log
    assert copies.error > 1.5 * free.error


def test_moving_labels_keeps_the_density_and_ends_in_the_piece():
    space = Space.of(specify(ten_rows().schema, 3), reduce(ten_rows()))
    points = np.random.default_rng(5).normal(size=(60, space.size))
    labels = Labels.of(space, points)
    moved, _ = labels.moved(points)
    again, outside = labels.moved(moved)
    assert not outside.any()
    np.testing.assert_allclose(again, moved)
    np.testing.assert_allclose(space.log_densities(moved)[0], space.log_densities(points)[0])
    permuted = labels.permuted(points, (2, 0, 1))
    values = space.values(points).permuted(np.array([2, 0, 1]))
    np.testing.assert_allclose(space.values(permuted).share, values.share)
    np.testing.assert_allclose(labels.moved(permuted)[0], moved)


def test_skewed_marginals_fit_and_have_a_density():
    rng = np.random.default_rng(6)
    points = np.stack([np.log(rng.gamma(1.5, 1.0, 2000)), rng.standard_t(5, 2000)], axis=1)
    marginals = SkewNormals.of(points)
    z, log_slope = marginals.scores(points)
    np.testing.assert_allclose(marginals.points(z), points, atol=1e-8)
    assert np.abs(z.mean(axis=0)).max() < 0.1
    assert np.abs(z.std(axis=0) - 1.0).max() < 0.1
    assert np.abs((z**3).mean(axis=0)).max() < 0.35
    h = 1e-5
    wide = (marginals.scores(points + h)[0] - marginals.scores(points - h)[0]) / (2.0 * h)
    np.testing.assert_allclose(np.log(wide).sum(axis=1), log_slope, atol=1e-6)
    still = SkewNormals.of(np.full((50, 1), 2.0))
    assert still.points(np.zeros((1, 1)))[0, 0] == pytest.approx(2.0)


def test_proposal_integrates_to_one():
    rng = np.random.default_rng(8)
    proposal = Proposal.of(np.log(rng.gamma(2.0, 1.0, (1500, 1))))
    grid = np.linspace(-30.0, 12.0, 40001)[:, None]
    total = np.exp(proposal.log_density(grid)).sum() * (grid[1, 0] - grid[0, 0])
    assert total == pytest.approx(1.0, abs=1e-4)
    assert proposal.draw(rng, 5).shape == (5, 1)


def test_labels_with_a_meaning_are_left_alone():
    table = ten_rows()
    entry = table.schema.indicators["a"]
    priors = [PriorSchema.of(Prior("Beta", alpha=a, beta=b)) for a, b in ((9.0, 1.0), (1.0, 9.0))]
    mine = entry.model_copy(update={"priors": {"probability": priors}})
    schema = table.schema.model_copy(update={"indicators": {**table.schema.indicators, "a": mine}})
    mixture, statistics = specify(schema, 2), reduce(table)
    start = mixture.draw_prior(np.random.default_rng(1))
    draws, _ = gibbs(
        statistics, mixture, [start] * 2, n_draws=800, n_tune=50,
        rngs=np.random.default_rng(2).spawn(2),
    )  # fmt: skip
    found = evidence(Space.of(mixture, statistics), draws.values, np.random.default_rng(3))
    assert found.labels == "meaningful"
    assert found.stray == 0.0
    assert np.isfinite(found.log)


def test_too_few_draws_are_refused():
    table = ten_rows()
    mixture, statistics = specify(table.schema, 2), reduce(table)
    values = mixture.draw_prior(np.random.default_rng(1)).map(lambda array: array[None, None])
    with pytest.raises(UsageError, match="Give more draws for the evidence"):
        evidence(Space.of(mixture, statistics), values, np.random.default_rng(1))


def test_probabilities_of_the_number():
    p = probabilities([-10.0, -9.0, np.nan])
    assert p[2] == 0.0
    assert p[1] / p[0] == pytest.approx(np.e)
    assert np.isnan(probabilities([np.nan])).all()
    assert probabilities([-1.0, -1.0], np.log([0.9, 0.1]))[0] == pytest.approx(0.9)
