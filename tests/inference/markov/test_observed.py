"""States that somebody has written down: closed forms, enumeration, and two ways to one answer."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy import stats

from softseg.errors import DataError, UsageError
from softseg.families.base import Array
from softseg.inference.markov.observed import counts, observed_histories, sample_observed
from softseg.inference.markov.space import MarkovSpace
from softseg.likelihood.histories import ACTIVE, ANY, CHURNED
from softseg.models.labelled import specify_observed
from softseg.models.latent_markov import RowPrior, sticky
from softseg.models.mixture import Values
from softseg.names import TRANSITION

MOVES = np.array([[0.85, 0.10, 0.05], [0.15, 0.80, 0.05], [0.0, 0.0, 1.0]])
ERRORS = np.array([[0.9, 0.1], [0.2, 0.8]])


def ledger(
    rng: np.random.Generator,
    n: int,
    longest: int = 6,
    gaps: float = 0.0,
    errors: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Return written states, signs and starts of histories that may end with churn."""
    state: list[int] = []
    sign: list[int] = []
    start = [0]
    for _ in range(n):
        at = int(rng.integers(2))
        for t in range(longest):
            if at == 2:
                state.append(-1)
                sign.append(CHURNED)
                break
            seen = at if errors is None else int(rng.choice(2, p=errors[at]))
            missing = t > 0 and rng.random() < gaps
            state.append(-1 if missing else seen)
            sign.append(ACTIVE)
            at = int(rng.choice(3, p=MOVES[at]))
        start.append(len(state))
    return np.array(state), np.array(sign), np.array(start)


def histories(state: Array, sign: Array, start: Array, churns: bool = True, **more: Array):
    return observed_histories(state, 2, sign=sign, start=start, churns=churns, **more)


def counted(state: Array, sign: Array, start: Array) -> tuple[Array, Array]:
    """Return beginnings and moves, counted one by one."""
    whole = np.where(sign == CHURNED, 2, state)
    begun, moved = np.zeros(2), np.zeros((2, 3))
    for h in range(len(start) - 1):
        path = whole[start[h] : start[h + 1]]
        begun[path[0]] += 1
        for a, b in pairwise(path):
            moved[a, b] += 1
    return begun, moved


def test_complete_histories_are_counted() -> None:
    written = ledger(np.random.default_rng(1), 60)
    begun, moved = counts(histories(*written)[1], 2)
    expected = counted(*written)
    np.testing.assert_array_equal(begun, expected[0])
    np.testing.assert_array_equal(moved[0], expected[1])


def test_moves_are_counted_by_profile_and_customers_by_their_count() -> None:
    state, sign = np.array([0, 1, 1, 0, 1, 1]), np.zeros(6, dtype=int)
    profile, count = np.array([0, 0, 1, 0, 0, 1]), np.array([3.0, 2.0])
    _, found = histories(
        state, sign, np.array([0, 3, 6]), churns=False, profile=profile, count=count
    )
    begun, moved = counts(found, 2)
    np.testing.assert_array_equal(begun, [5.0, 0.0])
    np.testing.assert_array_equal(moved, [[[0, 5], [0, 0]], [[0, 0], [0, 5]]])


def test_the_posterior_is_dirichlet_where_every_state_is_known() -> None:
    written = ledger(np.random.default_rng(2), 80)
    statistics, panel = histories(*written)
    model = specify_observed(2)
    found = sample_observed(
        statistics, panel, model, rng=np.random.default_rng(3), n_draws=2000, n_chains=2
    )
    begun, moved = counted(*written)
    alpha = sticky(2, True) + moved
    posterior = found.posterior()
    rows = posterior.transition.values[:, :, :2]
    assert found.draws.method == "exact"
    assert not found.diagnosis.failed
    assert found.errors is None
    for j, s in np.ndindex(alpha.shape):
        law = stats.beta(alpha[j, s], alpha[j].sum() - alpha[j, s])
        assert stats.kstest(rows[:, :, j, s].ravel(), law.cdf).pvalue > 1e-4
    share = stats.beta(2.0 + begun[0], 2.0 + begun[1])
    assert stats.kstest(posterior.share.values[..., 0].ravel(), share.cdf).pvalue > 1e-4
    np.testing.assert_array_equal(posterior.transition.sel(state="churned").values[..., 2], 1.0)


def test_the_log_likelihood_of_draws_in_closed_form() -> None:
    written = ledger(np.random.default_rng(2), 20)
    statistics, panel = histories(*written)
    model = specify_observed(2)
    found = sample_observed(
        statistics, panel, model, rng=np.random.default_rng(3), n_draws=3, n_chains=1
    )
    space = MarkovSpace.on(model, statistics, panel)
    values = found.draws.values.flattened()
    errors = {"probability": np.tile(np.eye(2), (3, 1, 1))}
    own = Values(values.share, {"assigned": errors, **values.indicators})
    points = np.stack([space.point(own.at(i)) for i in range(3)])
    np.testing.assert_allclose(
        found.draws.log_likelihood.ravel(), space.log_densities(points)[1], rtol=1e-10
    )


def test_fixed_rows_stay_and_forbid_moves() -> None:
    written = ledger(np.random.default_rng(4), 30)
    statistics, panel = histories(*written)
    fixed = np.array([[0.8, 0.1, 0.1], [np.nan, np.nan, np.nan]])
    model = specify_observed(2, fixed=fixed)
    found = sample_observed(statistics, panel, model, rng=np.random.default_rng(1), n_draws=5)
    rows = found.draws.values.indicators[TRANSITION]["all"]
    np.testing.assert_array_equal(rows[:, :, 0], np.broadcast_to(fixed[0], (4, 5, 3)))
    assert np.ptp(rows[:, :, 1]) > 0.0
    closed = specify_observed(2, fixed=np.array([[1.0, 0.0, 0.0], [np.nan] * 3]))
    with pytest.raises(DataError, match="Leave these rows of transitions to be estimated"):
        sample_observed(statistics, panel, closed, rng=np.random.default_rng(1))


def by_enumeration(
    written: tuple[Array, Array, Array], share: Array, rows: Array, errors: Array
) -> float:
    """Return the log-likelihood, summed over all paths of states one by one."""
    state, sign, start = written
    moves = np.vstack([rows, [0.0, 0.0, 1.0]])
    begin = np.append(share, 0.0)
    total = 0.0
    for h in range(len(start) - 1):
        steps = range(start[h], start[h + 1])
        density = 0.0
        for path in product(range(3), repeat=len(steps)):
            p = begin[path[0]]
            for t, (step, z) in enumerate(zip(steps, path, strict=True)):
                if t:
                    p *= moves[path[t - 1], z]
                if state[step] >= 0:
                    p *= errors[z, state[step]] if z < 2 else 0.0
                else:
                    p *= float(sign[step] == ANY or (z == 2) == (sign[step] == CHURNED))
            density += p
        total += np.log(density)
    return total


@pytest.mark.parametrize("errors", [np.eye(2), ERRORS])
def test_the_likelihood_is_the_sum_over_all_paths(errors: Array) -> None:
    rng = np.random.default_rng(6)
    written = ledger(rng, 8, longest=4, gaps=0.3, errors=errors)
    written[1][written[0] < 0] = np.where(
        written[1][written[0] < 0] == ACTIVE, rng.choice([ACTIVE, ANY]), CHURNED
    )
    statistics, panel = histories(*written)
    model = specify_observed(2, errors=errors)
    space = MarkovSpace.on(model, statistics, panel)
    values = model.draw_prior(rng)
    rows = values.indicators[TRANSITION]["all"]
    expected = by_enumeration(written, values.share, rows, errors)
    found = space.log_densities(space.point(values)[None])[1][0]
    assert found == pytest.approx(expected, abs=1e-9)


def test_gaps_leave_the_posterior_on_a_grid() -> None:
    """One free stay rate, a gap and a wrong label: the posterior by numerical integration."""
    written = np.array([0, -1, 0, 1, -1, 1, 0, 0]), np.zeros(8, dtype=int), np.array([0, 3, 6, 8])
    count = np.array([5.0, 4.0, 6.0])
    statistics, panel = histories(*written, churns=False, count=count)
    fixed = np.array([[np.nan, np.nan], [0.1, 0.9]])
    model = specify_observed(2, churns=False, fixed=fixed, alpha=np.ones((2, 2)))
    found = sample_observed(statistics, panel, model, rng=np.random.default_rng(2), n_starts=2)
    stay = np.linspace(0.0005, 0.9995, 1000)
    rows = np.stack([stay, 1.0 - stay], axis=1)
    two = rows @ np.array([[0.0, 1.0], [0.1, 0.9]])
    from_first = stay * stay + (1.0 - stay) * 0.1
    from_second = 0.1 * (1.0 - stay) + 0.81
    height = 5.0 * np.log(from_first) + 4.0 * np.log(from_second) + 6.0 * np.log(stay)
    weight = np.exp(height - height.max())
    mean = float(stay @ weight / weight.sum())
    drawn = found.draws.values.indicators[TRANSITION]["all"][:, :, 0, 0]
    assert two.shape == (1000, 2)
    assert drawn.mean() == pytest.approx(mean, abs=0.01)


@pytest.mark.slow
def test_misclassification_is_taken_out() -> None:
    """Known errors and a strong prior both find the moves that counting overstates."""
    rng = np.random.default_rng(8)
    written = ledger(rng, 1500, errors=ERRORS)
    statistics, panel = histories(*written)
    for errors in (ERRORS, RowPrior(200.0 * ERRORS, np.full((2, 2), np.nan))):
        model = specify_observed(2, errors=errors)
        found = sample_observed(
            statistics, panel, model, rng=np.random.default_rng(1), n_draws=500, n_starts=3
        )
        posterior = found.posterior()
        rows = posterior.transition.values.reshape(-1, 3, 3)
        low, high = np.quantile(rows, [0.005, 0.995], axis=0)
        assert np.all((low <= MOVES) & (high >= MOVES))
        assert posterior.classification_error.dims == ("chain", "draw", "segment", "assigned")
    naive = counted(*written)[1]
    assert naive[0, 0] / naive[0].sum() < low[0, 0]


def test_a_state_that_is_no_segment_is_refused() -> None:
    with pytest.raises(DataError, match="Give each period's state as a segment from 0 to 1"):
        histories(np.array([0, 2]), np.zeros(2, dtype=int), np.array([0, 2]))


def test_a_method_that_does_not_serve_is_refused() -> None:
    written = ledger(np.random.default_rng(1), 10, gaps=0.5)
    statistics, panel = histories(*written)
    with pytest.raises(UsageError, match="Choose a method out of"):
        sample_observed(
            statistics, panel, specify_observed(2), rng=np.random.default_rng(1),
            method="best",
        )  # fmt: skip
