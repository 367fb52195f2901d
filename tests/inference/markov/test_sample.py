"""Posterior draws of latent Markov models: methods agree, and nothing that must not matter does."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from calibration_markov import ENDED, Panel, World
from inference.test_checkpoint import Memory, assert_same
from oracles.reference_cases import ERRORS, distances, summary
from softseg.errors import UsageError
from softseg.inference.markov.sample import sample_markov
from softseg.inference.sample import Sampled
from softseg.likelihood.histories import ACTIVE, CHURNED, histories_of
from softseg.models.latent_markov import LatentMarkov, specify_markov
from softseg.models.mixture import Values

METHODS = ("gibbs", "laplace", "nuts")
N_DRAWS = {"gibbs": 2000, "laplace": 1000, "nuts": 1000}
ROWS = np.array([[0.80, 0.12, 0.08], [0.20, 0.65, 0.15]])
SHORT: dict[str, Any] = {"n_draws": 30, "n_tune": 10, "n_chains": 2, "n_starts": 2, "longer": False}


def truth_of(world: World) -> Values:
    """Return parameters whose segments are apart, but not so far that nothing is uncertain."""
    families = {
        "anchor": {"mean": np.array([-2.0, 1.5]), "sd": np.array([1.2, 1.5])},
        "orders": {"rate": np.array([1.5, 4.0])},
        "late": {"probability": np.array([0.2, 0.5])},
    }
    own = {name: families[name] for name in world.mixture.families}
    return Values(np.array([0.6, 0.4]), {**own, "transition": {"all": ROWS}})


@cache
def panel_of(churn: str) -> tuple[LatentMarkov, Panel]:
    world = World(churn)
    return world.mixture, world.table(truth_of(world), np.random.default_rng(11))


def draws_of(churn: str, method: Any, seed: int = 5, **options: Any) -> Sampled:
    model, panel = panel_of(churn)
    return sample_markov(
        panel.statistics, panel.histories, model, method=method,
        rng=np.random.default_rng(seed), **options,
    )  # fmt: skip


def summarised(found: Sampled) -> dict[str, dict[str, float]]:
    stats = found.draws.sample_stats.get("importance_ess")
    ess = None if stats is None else float(stats[0, 0])
    return summary(found.draws.values, found.draws.log_likelihood, ess)


def assert_agree(one: dict[str, Any], other: dict[str, Any]) -> None:
    apart = distances(one, other)
    assert max(apart.values()) < ERRORS, apart
    sds = {
        name: abs(one[name]["mean"] - row["mean"]) / max(row["sd"], 1e-12)
        for name, row in other.items()
    }
    assert max(sds.values()) < 0.1, sds


@pytest.mark.parametrize("churn", ["observed", "interval", "silent"])
def test_all_methods_agree(churn: str) -> None:
    found = {name: draws_of(churn, name, n_draws=N_DRAWS[name], n_starts=3) for name in METHODS}
    for name, sampled in found.items():
        assert sampled.diagnosis.status == "good", (name, sampled.diagnosis.failed)
    gibbs, laplace, nuts = (summarised(found[name]) for name in METHODS)
    assert_agree(gibbs, nuts)
    assert_agree(laplace, nuts)
    assert_agree(gibbs, laplace)
    rows = found["gibbs"].draws.values.indicators["transition"]["all"]
    np.testing.assert_allclose(rows.sum(axis=-1), 1.0)
    error = np.abs(rows.mean(axis=(0, 1)) - ROWS) / rows.std(axis=(0, 1))
    assert error.max() < 4.0


COVARIATE = np.array([-1.5, -0.5, 0.5, 1.5])
SLOPES = np.array([[0.0, 0.8, 0.5], [-0.7, 0.0, 0.6]])
BEGIN_SLOPE = 1.2


def covariate_panel(rng: np.random.Generator, n: int = 400) -> tuple[LatentMarkov, Panel]:
    """Return customers whose moves depend on the period's profile, their start on a group."""
    world = World("observed", n, 6)
    plain, values = world.mixture, truth_of(world)
    profile = rng.integers(4, size=(n, 6))
    group = rng.integers(2, size=n)
    logits = np.log(ROWS)[None] + COVARIATE[:, None, None] * SLOPES
    moves = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    state = np.empty((n, 6), dtype=np.int64)
    second = 1.0 / (1.0 + np.exp(-BEGIN_SLOPE * (2.0 * group - 1.0)))
    state[:, 0] = rng.random(n) < second
    for t in range(1, 6):
        now = np.minimum(state[:, t - 1], 1)
        edges = np.cumsum(moves[profile[:, t], now], axis=1)[:, :-1]
        state[:, t] = (rng.random(n)[:, None] > edges).sum(axis=1)
        state[state[:, t - 1] == 2, t] = 2
    drawn = world.drawn(values, state, rng)
    kept = drawn.sign != ENDED
    histories = histories_of(
        drawn.statistics, row=drawn.row[kept], sign=drawn.sign[kept],
        start=np.append(0, np.cumsum(kept.sum(axis=1))), churns=True, profile=profile[kept],
        begin=group,
    )  # fmt: skip
    model = specify_markov(
        plain.schema, 2, profiles=("1", "2", "3", "4"), design=COVARIATE[:, None],
        covariates=("x",), begin_design=np.array([[-1.0], [1.0]]), begin_covariates=("w",),
    )  # fmt: skip
    return model, replace(drawn, histories=histories)


def test_covariates_are_recovered_and_methods_agree() -> None:
    model, panel = covariate_panel(np.random.default_rng(21))
    found = {}
    for name in ("laplace", "nuts"):
        found[name] = sample_markov(
            panel.statistics, panel.histories, model, method=name, n_draws=N_DRAWS[name],
            n_starts=3, rng=np.random.default_rng(2),
        )  # fmt: skip
        assert found[name].diagnosis.status == "good", (name, found[name].diagnosis.failed)
    assert_agree(*(summarised(each) for each in found.values()))
    values = found["nuts"].draws.values
    order = np.argsort(values.indicators["anchor"]["mean"].mean(axis=(0, 1)))
    values = values.permuted(order)
    slopes = values.indicators["transition"]["x"]
    constants = values.indicators["transition"]["constant"]
    wanted = np.log(ROWS) - np.log(np.diagonal(ROWS))[:, None]
    for drawn, true in ((slopes, SLOPES), (constants, wanted)):
        sd = np.maximum(drawn.std(axis=(0, 1)), 1e-12)
        assert (np.abs(drawn.mean(axis=(0, 1)) - true) / sd).max() < 4.0
    begin = values.indicators["initial"]["w"][..., 0]
    slope = 0.5 * (begin[..., 1] - begin[..., 0])
    assert abs(slope.mean() - BEGIN_SLOPE / 2.0) < 3.5 * slope.std()


def test_gibbs_does_not_serve_covariates() -> None:
    model, panel = covariate_panel(np.random.default_rng(1), 20)
    with pytest.raises(UsageError, match="covariates"):
        sample_markov(
            panel.statistics, panel.histories, model, method="gibbs",
            rng=np.random.default_rng(2), **SHORT,
        )  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_draws_do_not_depend_on_the_number_of_cores(method: str) -> None:
    one, two = (draws_of("observed", method, cores=cores, **SHORT) for cores in (1, 2))
    assert_same(one.draws, two.draws)


@pytest.mark.parametrize("method", METHODS)
def test_chains_that_were_kept_are_the_same(method: str) -> None:
    memory = Memory()
    whole, kept = draws_of("silent", method, **SHORT), []
    for _ in range(2):
        kept.append(draws_of("silent", method, checkpoint=memory, **SHORT))
    for each in kept:
        assert_same(each.draws, whole.draws)
        assert each.diagnosis.to_json() == whole.diagnosis.to_json()
    assert len(memory) == (1 if method == "laplace" else 2)
    draws_of("observed", method, checkpoint=memory, **SHORT)
    assert len(memory) == (2 if method == "laplace" else 4)


def test_the_order_of_rows_and_customers_changes_no_bit() -> None:
    model, panel = panel_of("observed")
    rng = np.random.default_rng(3)
    customers = rng.permutation(len(panel.row))
    row, sign = panel.row[customers], panel.sign[customers]
    n = panel.row.max() + 1
    rows = rng.permutation(n)
    place = np.argsort(rows)
    s = panel.statistics
    other = replace(s, pattern_of_row=s.pattern_of_row[rows])
    kept = sign != ENDED
    histories = histories_of(
        other, row=np.where(row >= 0, place[row], -1)[kept], sign=sign[kept],
        start=np.append(0, np.cumsum(kept.sum(axis=1))), churns=True,
    )  # fmt: skip
    found = sample_markov(
        other, histories, model, method="gibbs", rng=np.random.default_rng(5), **SHORT
    )
    assert_same(found.draws, draws_of("observed", "gibbs", **SHORT).draws)


@pytest.mark.parametrize("n_segments", [1, 2])
@pytest.mark.parametrize("churns", [True, False])
def test_one_segment_and_no_churn(n_segments: int, churns: bool) -> None:
    """Without churn the histories end where customers leave, which then says nothing."""
    plain, panel = panel_of("observed")
    kept = panel.sign != ENDED if churns else panel.sign == ACTIVE
    histories = histories_of(
        panel.statistics, row=panel.row[kept], sign=panel.sign[kept],
        start=np.append(0, np.cumsum(kept.sum(axis=1))), churns=churns,
    )  # fmt: skip
    model = specify_markov(plain.schema, n_segments, churns=churns)
    gibbs, laplace = (
        sample_markov(
            panel.statistics,
            histories,
            model,
            method=method,
            n_draws=N_DRAWS[method],
            n_starts=3,
            rng=np.random.default_rng(6),
        )
        for method in ("gibbs", "laplace")
    )
    assert gibbs.diagnosis.status == laplace.diagnosis.status == "good"
    one, other = summarised(gibbs), summarised(laplace)
    moving = [name for name, row in one.items() if row["sd"] > 1e-12]
    assert_agree({n: one[n] for n in moving}, {n: other[n] for n in moving})
    rows = gibbs.draws.values.indicators["transition"]["all"]
    assert rows.shape[-2:] == (n_segments, n_segments + churns)
    if n_segments == 1 and not churns:
        np.testing.assert_array_equal(rows, 1.0)
    if n_segments == 1 and churns:
        # Beta(16 + stays, 4 + churns), whose mean is known
        moves, left = kept.sum() - len(kept), (panel.sign == CHURNED).sum()
        mean = (4.0 + left) / (20.0 + moves)
        assert rows[..., 0, 1].mean() == pytest.approx(mean, abs=0.002)
