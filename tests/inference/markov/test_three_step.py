"""Three steps: closed forms, the exact posterior for each D, no lag behind D, recovery."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from markov_cases import random_case
from softseg.errors import UsageError
from softseg.families.base import Array
from softseg.inference.curvature import summit
from softseg.inference.markov.classification import assign
from softseg.inference.markov.observed import counts, sample_observed
from softseg.inference.markov.three_step import pair, three_step
from softseg.inference.sample import sample
from softseg.likelihood.histories import ACTIVE, ANY, CHURNED, Histories, histories_of
from softseg.likelihood.statistics import Statistics, reduce
from softseg.models.labelled import held, labelled, specify_observed
from softseg.models.latent_markov import LatentMarkov, specify_markov
from softseg.models.mixture import Values, specify
from softseg.names import TRANSITION
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema

MOVES = np.array([[0.85, 0.10, 0.05], [0.15, 0.80, 0.05], [0.0, 0.0, 1.0]])
SHOWN = np.array([[0.85, 0.15], [0.25, 0.75]])
"""What each segment answers; the answer of most is the one its customers are assigned by."""


def simulated(
    n: int, *, n_answers: int = 1, shown: Array = SHOWN, seed: int = 1, n_periods: int = 6
) -> tuple[Schema, Statistics, Histories]:
    """Return a panel of two segments that churn, with a two-valued answer or several."""
    rng = np.random.default_rng(seed)
    answers: list[list[str]] = []
    row, sign, start = [], [], [0]
    for _ in range(n):
        state = int(rng.integers(2))
        for _ in range(n_periods):
            row.append(-1 if state == 2 else len(answers))
            sign.append(CHURNED if state == 2 else ACTIVE)
            if state == 2:
                break
            answers.append([str(rng.choice(2, p=shown[state])) for _ in range(n_answers)])
            state = int(rng.choice(3, p=MOVES[state]))
        start.append(len(row))
    frame = pd.DataFrame(answers, columns=[f"a{j}" for j in range(n_answers)])
    table = prepare(frame, Schema(indicators=dict.fromkeys(frame.columns, "categorical")))
    statistics = reduce(table)
    histories = histories_of(
        statistics, row=np.array(row), sign=np.array(sign), start=np.array(start), churns=True
    )
    return table.schema, statistics, histories


def mixture_draws(probability: Array, share: Array | None = None) -> Values:
    """Return draws of a mixture with one answer, (chain, draw, segment, level)."""
    even = np.full(probability.shape[:3], 1.0 / probability.shape[2])
    return Values(even if share is None else share, {"a0": {"probability": probability}})


def several(probability: Array, n_chains: int, n_draws: int) -> Array:
    return np.tile(probability, (n_chains, n_draws, 1, 1))


def rows_of_draws(values: Values) -> Array:
    return values.indicators[TRANSITION]["all"]


def test_without_errors_it_is_the_dirichlet_of_counts() -> None:
    sure = np.array([[1.0 - 1e-9, 1e-9], [1e-9, 1.0 - 1e-9]])
    schema, statistics, histories = simulated(150, shown=np.eye(2))
    model = specify_markov(schema, 2)
    values = mixture_draws(several(sure, 2, 500))
    found = three_step(values, statistics, histories, model, rng=np.random.default_rng(1))
    assert not found.diagnosis.failed
    assigned = assign(statistics, histories, values.flattened())
    begun, moved = counts(assigned.histories, 2)
    alpha = model.extras[0].prior.codes()[1] + moved[0]
    rows = rows_of_draws(found.draws.values)
    for j, s in np.ndindex(alpha.shape):
        law = stats.beta(alpha[j, s], alpha[j].sum() - alpha[j, s])
        assert stats.kstest(rows[:, :, j, s].ravel(), law.cdf).pvalue > 1e-4
    share = stats.beta(2.0 + begun[0], 2.0 + begun[1])
    assert stats.kstest(found.draws.values.share[..., 0].ravel(), share.cdf).pvalue > 1e-4
    assert found.draws.sample_stats["accepted"].mean() > 0.8


def test_for_one_matrix_of_errors_it_is_the_model_of_labels() -> None:
    """Two engines, one posterior: moves in pairs, and importance sampling of observed states."""
    schema, statistics, histories = simulated(400)
    values = mixture_draws(several(SHOWN, 2, 1000))
    model = specify_markov(schema, 2)
    found = three_step(values, statistics, histories, model, rng=np.random.default_rng(1))
    assert found.errors is not None
    errors = found.errors[0, 0]
    assert np.ptp(found.errors, axis=(0, 1)).max() < 1e-12
    assigned = assign(statistics, histories, values.flattened())
    other = sample_observed(
        assigned.statistics, assigned.histories, specify_observed(2, errors=errors),
        rng=np.random.default_rng(2), n_draws=1000, n_chains=2, n_starts=2, method="laplace",
    )  # fmt: skip
    own, theirs = (rows_of_draws(r.draws.values).reshape(-1, 2, 3) for r in (found, other))
    sd = theirs.std(axis=0)
    assert np.all(np.abs(own.mean(axis=0) - theirs.mean(axis=0)) < 0.15 * sd)
    np.testing.assert_allclose(own.std(axis=0), sd, rtol=0.1)
    np.testing.assert_allclose(
        found.draws.log_likelihood.mean(), other.draws.log_likelihood.mean(), atol=0.3
    )


def test_the_posterior_of_one_stay_rate_on_a_grid() -> None:
    schema, statistics, histories = simulated(5, seed=3)
    values = mixture_draws(several(SHOWN, 2, 1500))
    fixed = np.array([[np.nan] * 3, [0.15, 0.80, 0.05]])
    model = specify_markov(schema, 2, fixed=fixed, alpha=np.ones((2, 3)))
    model = replace(model, fixed_share=np.array([0.5, 0.5]))
    found = three_step(values, statistics, histories, model, rng=np.random.default_rng(1))
    assert found.errors is not None
    labels = labelled(model, held(found.errors[0, 0]))
    assigned = assign(statistics, histories, values.flattened())
    space = pair(labels, assigned.statistics, assigned.histories).space
    grid = np.stack(np.meshgrid(*[np.linspace(-7.0, 9.0, 161)] * 2), axis=-1).reshape(-1, 2)
    density, _ = space.log_densities(grid)
    weight = np.exp(density - density.max())
    rows = rows_of_draws(space.values(grid))[:, 0]
    mean = weight @ rows / weight.sum()
    sd = np.sqrt(weight @ (rows - mean) ** 2 / weight.sum())
    drawn = rows_of_draws(found.draws.values)[:, :, 0].reshape(-1, 3)
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.1 * sd.max())
    np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=0.1)


def test_draws_do_not_lag_behind_their_errors() -> None:
    """Two matrices in turn: each draw belongs to its own, as if there were no other."""
    schema, statistics, histories = simulated(600)
    better = np.array([[0.90, 0.10], [0.20, 0.80]])
    model = specify_markov(schema, 2)

    def stays(probability: Array, seed: int) -> Array:
        found = three_step(
            mixture_draws(probability),
            statistics,
            histories,
            model,
            rng=np.random.default_rng(seed),
        )
        return rows_of_draws(found.draws.values)[:, :, 0, 0]

    alone = [stays(several(p, 2, 1500), 1) for p in (SHOWN, better)]
    mixed = several(SHOWN, 2, 3000)
    mixed[:, 1::2] = better
    turns = stays(mixed, 2)
    gap = alone[0].mean() - alone[1].mean()
    assert gap > 3.0 * alone[0].std()
    for one, own in zip(alone, (turns[:, ::2], turns[:, 1::2]), strict=True):
        assert abs(own.mean() - one.mean()) < 0.05 * gap


def test_the_mode_follows_the_errors() -> None:
    schema, statistics, histories = simulated(300)
    values = mixture_draws(several(SHOWN, 1, 1))
    assigned = assign(statistics, histories, values.flattened())
    model = specify_markov(schema, 2)
    paired = pair(labelled(model, held(SHOWN)), assigned.statistics, assigned.histories)
    moved = SHOWN + 1e-3 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    other = pair(labelled(model, held(moved)), assigned.statistics, assigned.histories)
    tops = [
        summit(p.space, p.space.point(p.space.inside(start_of(p.space.model))))
        for p in (paired, other)
    ]
    expected = np.einsum("ckw,kw->c", paired.response, moved - SHOWN)
    np.testing.assert_allclose(tops[1].point - tops[0].point, expected, rtol=0.05, atol=1e-4)


def start_of(model: LatentMarkov) -> Values:
    drawn = model.draw_prior(np.random.default_rng(3))
    rows = {"all": np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])}
    return Values(np.full(2, 0.5), {**drawn.indicators, TRANSITION: rows})


@pytest.mark.parametrize("rule", ["modal", "lot"])
def test_moves_are_recovered_where_counting_fails(rule: Any) -> None:
    shown = np.array([[0.72, 0.28], [0.28, 0.72]])
    schema, statistics, histories = simulated(1500, n_answers=5, shown=shown)
    fitted = sample(
        statistics, specify(schema, 2), rng=np.random.default_rng(1), method="laplace",
        n_draws=250, n_starts=4,
    )  # fmt: skip
    values = fitted.draws.values
    first = values.indicators["a0"]["probability"].mean(axis=(0, 1))
    order = np.argsort(-first[:, 0])
    found = three_step(
        values, statistics, histories, specify_markov(schema, 2), rng=np.random.default_rng(2),
        rule=rule,
    )  # fmt: skip
    assert not found.diagnosis.failed
    posterior = found.posterior()
    rows = posterior.transition.values.reshape(-1, 3, 3)[:, [*order, 2]][:, :, [*order, 2]]
    low, high = np.quantile(rows, [0.005, 0.995], axis=0)
    assert np.all((low <= MOVES) & (high >= MOVES))
    assigned = assign(
        statistics, histories, values.flattened(), rule=rule, rng=np.random.default_rng(3)
    )
    moved = counts(assigned.histories, 2)[1][0]
    stay = np.diagonal(moved) / moved.sum(axis=1)
    assert np.all(stay[order] < low[[0, 1], [0, 1]] - 0.05)
    assert posterior.classification_error.dims == ("chain", "draw", "segment", "assigned")
    np.testing.assert_allclose(posterior.classification_error.sum("assigned"), 1.0)
    assert list(posterior.state.values) == ["1", "2", "churned"]


def test_draws_are_chosen_and_do_not_depend_on_cores() -> None:
    schema, statistics, histories = simulated(60)
    values = mixture_draws(several(SHOWN, 3, 40))
    model = specify_markov(schema, 2)
    first, second = (
        three_step(
            values,
            statistics,
            histories,
            model,
            rng=np.random.default_rng(4),
            n_draws=10,
            cores=cores,
        )
        for cores in (1, 3)
    )
    assert first.draws.values.share.shape == (3, 10, 2)
    np.testing.assert_array_equal(
        rows_of_draws(first.draws.values), rows_of_draws(second.draws.values)
    )


def test_covariates_explain_the_moves() -> None:
    schema, statistics, histories = simulated(200)
    whole = histories.whole()
    profile = np.broadcast_to(np.arange(whole.codes.shape[1]) % 2, whole.codes.shape).copy()
    profile[:, 0] = 0
    profile[whole.codes < 0] = 0
    split = replace(whole, profiles=profile.astype(np.int64))
    panel = split.histories(histories.quiet, 1, 2, 1)
    model = specify_markov(
        schema, 2, profiles=("odd", "even"), design=np.array([[-1.0], [1.0]]), covariates=("even",)
    )
    values = mixture_draws(several(SHOWN, 2, 200))
    found = three_step(values, statistics, panel, model, rng=np.random.default_rng(1))
    posterior = found.posterior()
    assert posterior.transition.dims == ("chain", "draw", "covariate_profile", "state", "state_to")
    np.testing.assert_allclose(posterior.transition.sum("state_to"), 1.0)


def test_another_number_of_segments_is_refused() -> None:
    schema, statistics, histories = simulated(20)
    values = mixture_draws(several(SHOWN, 1, 5))
    with pytest.raises(UsageError, match="as many segments as the mixture: expected 2, got 3"):
        three_step(
            values, statistics, histories, specify_markov(schema, 3), rng=np.random.default_rng(1)
        )


def test_silent_churn_is_refused() -> None:
    case = random_case(np.random.default_rng(3), churn="silent", n_histories=12)
    assert np.any((case.row >= 0) & (case.sign == ANY))
    drawn = specify(case.schema, 2).draw_prior(np.random.default_rng(1))
    values = drawn.map(lambda array: array[None, None])
    model = specify_markov(case.schema, 2)
    with pytest.raises(UsageError, match="Use the joint way for silent churn"):
        three_step(values, case.statistics, case.histories, model, rng=np.random.default_rng(1))


def test_nothing_to_estimate_is_refused() -> None:
    schema, statistics, histories = simulated(20)
    model = replace(specify_markov(schema, 2, fixed=MOVES[:2]), fixed_share=np.full(2, 0.5))
    values = mixture_draws(several(SHOWN, 1, 5))
    with pytest.raises(UsageError, match="Leave shares or transitions to be estimated"):
        three_step(values, statistics, histories, model, rng=np.random.default_rng(1))
