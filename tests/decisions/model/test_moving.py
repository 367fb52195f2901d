"""Customers who move, in the cash flow: closed forms, exact limits, one row at a time."""

from typing import Any

import numpy as np
import pytest

from migration_chains import CHAIN
from softseg.decisions.model.moving import Move, Moving, process, shifted, stocks

NOW = np.array([[300.0, 500.0, 200.0, 0.0]])
WORTH = np.array([[1000.0, 400.0, 100.0, 0.0]])
FULL = np.ones(5)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def moving(
    rows: Any = CHAIN, per_year: int = 1, inflow: Any = None, moves: dict[str, Move] | None = None
) -> Moving:
    rows = np.asarray(rows, dtype=float)
    rows = rows[None] if rows.ndim == 2 else rows
    n = len(rows)
    return Moving(
        transition=rows,
        customers=np.repeat(NOW, n, axis=0),
        worth=np.repeat(WORTH, n, axis=0),
        per_year=per_year,
        years=5,
        inflow=np.zeros((n, 4)) if inflow is None else np.tile(inflow, (n, 1)),
        chance=np.ones((2, n, 5, 4)),
        bases={"s1_value": (0, False), "s1_customers": (0, True), "s2_value": (1, False)},
        company="revenue",
        moves=moves or {},
    )


def draws(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.stack([[*(rng.dirichlet(50.0 * row) for row in CHAIN[:3]), CHAIN[3]]
                     for _ in range(n)])  # fmt: skip


def less(weights: Any = FULL, **more: Any) -> Move:
    given: dict[str, Any] = {"segment": 0, "to": (3,), "rises": False, "freed": "stay"}
    return Move(weights=np.asarray(weights), **given | more)


def test_customers_of_the_published_chain() -> None:
    closed = moving().expected[0, 5]
    np.testing.assert_allclose(closed, [328.25, 296.52, 151.89, 223.34], atol=0.005)
    opened = moving(inflow=[10.0, 40.0, 20.0, 0.0]).expected[0, 5, :3]
    np.testing.assert_allclose(opened, [399.51, 453.29, 235.46], atol=0.005)


def test_a_year_is_a_power_of_the_matrix_of_a_period() -> None:
    found = moving(per_year=12).expected
    month = NOW
    for _ in range(12):
        month = month @ CHAIN
    np.testing.assert_allclose(found[0, 1], month[0], rtol=1e-12)
    assert moving(per_year=12).relative.shape == (2, 1, 5, 4)


def test_who_stays_changes_nothing_to_the_last_bit() -> None:
    still = moving(np.eye(4), per_year=12, moves={"lever": less()})
    found = still.at({"lever": np.array([[0.4]])}, np.zeros(3, dtype=np.intp), 3)
    for path in found.paths.values():
        assert np.array_equal(path, np.ones((5, 3)))
    assert not found.more["lever"].any()
    assert not found.at_once["lever"].any()


def test_no_change_keeps_nothing_to_the_last_bit(rng: np.random.Generator) -> None:
    found = moving(draws(rng, 50), per_year=12, moves={"lever": less()})
    which = rng.integers(0, 50, 400)
    moved = found.at({"lever": np.zeros((1, 400))}, which, 400)
    assert not moved.more["lever"].any()
    assert np.array_equal(moved.paths["s1_customers"], moved.paths["s1_value"])


def test_less_churn_keeps_what_a_direct_calculation_says() -> None:
    moves = {"lever": less([0.5, 1.0, 1.0, 1.0, 1.0])}
    found = moving(moves=moves).at({"lever": np.array([[0.4]])}, np.zeros(1, dtype=np.intp), 1)
    before, after = [NOW[0]], [NOW[0]]
    for year in range(5):
        changed = CHAIN.copy()
        part = 0.4 * (0.5 if year == 0 else 1.0) * CHAIN[0, 3]
        changed[0, 3] -= part
        changed[0, 0] += part
        before.append(before[-1] @ CHAIN)
        after.append(after[-1] @ changed)
    for year in range(5):
        was = 0.5 * (before[year] + before[year + 1])
        now = 0.5 * (after[year] + after[year + 1])
        kept = (now - was) @ WORTH[0] / (was[0] * WORTH[0, 0])
        assert found.more["lever"][year, 0] == pytest.approx(kept, rel=1e-12)
        heads = now[0] / NOW[0, 0]
        assert found.paths["s1_customers"][year, 0] == pytest.approx(heads, rel=1e-12)
    assert found.at_once["lever"][0, 0] == pytest.approx(0.4 * 0.02, rel=1e-12)


@pytest.mark.parametrize("freed", ["stay", "proportional"])
@pytest.mark.parametrize("rises", [False, True])
def test_a_shift_changes_its_row_alone(rng: np.random.Generator, freed: str, rises: bool) -> None:
    old = draws(rng, 20)
    move = less(freed=freed, rises=rises, to=(1, 3))
    new = shifted(old, 0, [(move, rng.uniform(0.0, 1.0, 20))])
    assert np.array_equal(new[:, 1:], old[:, 1:])
    np.testing.assert_allclose(new.sum(axis=-1), 1.0, rtol=1e-12)
    assert (new >= 0.0).all()
    if freed == "stay":
        assert np.array_equal(new[:, 0, 2], old[:, 0, 2])
    assert ((new[:, 0, 3] >= old[:, 0, 3]) == rises).all()


def test_a_rise_takes_no_more_than_there_is() -> None:
    row = np.array([[[0.1, 0.9, 0.0, 0.0], *CHAIN[1:]]])
    new = shifted(row, 0, [(less(to=(1,), rises=True), np.array([1.0]))])
    np.testing.assert_allclose(new[0, 0], [0.0, 1.0, 0.0, 0.0], atol=1e-15)


@pytest.mark.parametrize("freed", ["stay", "proportional"])
def test_what_is_freed_is_not_lost_where_nobody_stayed(freed: str) -> None:
    row = np.array([[[0.0, 0.6, 0.0, 0.4], *CHAIN[1:]]])
    new = shifted(row, 0, [(less(freed=freed, to=(1, 3)), np.array([0.5]))])
    stays = 0.5 if freed == "stay" else 0.25
    np.testing.assert_allclose(new[0, 0], [stays, 0.3, 0.5 - stays, 0.2], atol=1e-15)


def test_chance_has_the_mean_of_the_expectation(rng: np.random.Generator) -> None:
    n = 4000
    found = process(
        np.repeat(NOW, n, axis=0), np.repeat(NOW, n, axis=0),
        np.repeat(CHAIN[None], n, axis=0), 3, rng,
    )  # fmt: skip
    assert found.shape == (2, n, 3, 4)
    np.testing.assert_allclose(found[:, :, :, :3].mean(axis=1), 1.0, atol=0.005)
    still = process(NOW, NOW, np.eye(4)[None], 3, rng)
    assert np.array_equal(still, np.ones((2, 1, 3, 4)))


def test_the_company_follows_the_value_of_all() -> None:
    found = moving().at({}, np.zeros(1, dtype=np.intp), 1)
    during = stocks(NOW[0], lambda _: CHAIN, np.zeros(4), 1).mean(axis=0)
    expected = during @ WORTH[0] / (NOW[0] @ WORTH[0])
    assert found.paths["revenue"][0, 0] == pytest.approx(expected, rel=1e-12)


def test_without_a_sample_everything_is_at_its_mean(rng: np.random.Generator) -> None:
    found = moving(draws(rng, 30), moves={"lever": less()})
    mean = found.at({"lever": np.array([[0.3]])}, None, 1)
    assert mean.paths["s1_value"].shape == (5, 1)
    assert mean.more["lever"][0, 0] > 0.0
