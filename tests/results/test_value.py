import numpy as np
import pytest

from results.test_evaluate import kernel_memberships
from results.worlds import World
from softseg.errors import UsageError
from softseg.results.value import value


def labels(world: World) -> np.ndarray:
    members = kernel_memberships(world)[world.statistics.pattern_of_row]
    return members.mean(axis=2).argmax(axis=1) + 1


def table(world: World, seed: int = 1, **more):
    amount = world.frame["profit"].to_numpy()
    rules = {"programme": labels(world), "all": np.ones(80, dtype=np.int64)} | more
    return value(world.statistics, world.values, amount, rules, np.random.default_rng(seed))


def test_expected_is_the_sum_of_memberships(mixed: World):
    found = table(mixed)
    members = kernel_memberships(mixed)[mixed.statistics.pattern_of_row]
    amount = np.nan_to_num(mixed.frame["profit"].to_numpy())
    for a in (1, 2, 3):
        inside = labels(mixed) == a
        expected = np.einsum("i,iks->sk", amount * inside, members)
        one = found.sel(rule="programme", assigned=a)
        np.testing.assert_allclose(one["value_expected"], expected, rtol=1e-9, atol=1e-6)
        heads = np.einsum("i,iks->sk", inside.astype(float), members)
        np.testing.assert_allclose(one["customers_expected"], heads, atol=1e-9)
        assert float(one["value_treated"]) == pytest.approx(amount[inside].sum())
        assert float(one["customers_treated"]) == inside.sum()


def test_lots_scatter_around_the_expectation(mixed: World):
    members = kernel_memberships(mixed)[mixed.statistics.pattern_of_row]
    by_lot = (members * (1 - members)).sum(axis=0).T
    away = []
    for seed in range(12):  # 60 draws each
        found = table(mixed, seed).sel(rule="all", assigned=1)
        away.append((found["customers_lots"] - found["customers_expected"]).to_numpy())
    scaled = np.array(away) / np.sqrt(by_lot)
    np.testing.assert_allclose((scaled**2).mean(axis=(0, 1)), 1.0, atol=0.2)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1)), 0.0, atol=0.15)


def test_every_lot_is_one_segment_for_each_customer(mixed: World):
    """Whatever the rule, the same customers in the same draw belong to the same segment."""
    found = table(mixed)
    whole = found.sum("assigned")
    for what in ("value_lots", "customers_lots", "value_expected"):
        by_rule = whole[what]
        np.testing.assert_allclose(
            by_rule.sel(rule="programme"), by_rule.sel(rule="all"), rtol=1e-9, atol=1e-6
        )
    heads = found["customers_lots"].to_numpy()
    np.testing.assert_array_equal(heads, np.round(heads))
    np.testing.assert_allclose(heads.sum(axis=(2, 3)), 80.0)


def test_unknown_values_and_untreated_customers_stand_in_no_total(mixed: World):
    amount = mixed.frame["profit"].to_numpy().copy()
    amount[:10] = np.nan
    few = np.r_[np.zeros(40, dtype=np.int64), np.ones(40, dtype=np.int64)]
    found = value(mixed.statistics, mixed.values, amount, {"few": few}, np.random.default_rng(1))
    assert found.attrs["customers_unknown"] == 10.0
    assert found.attrs["value_total"] == pytest.approx(np.nansum(amount))
    assert float(found["customers_treated"].sum()) == 40.0
    reached = found["value_lots"].sum(("assigned", "segment"))
    np.testing.assert_allclose(reached, np.nansum(amount[40:]))


def test_names_of_the_segments(mixed: World):
    found = value(
        mixed.statistics, mixed.values, mixed.frame["profit"].to_numpy(), {"p": labels(mixed)},
        np.random.default_rng(1), segment_names=("A", "B", "C"), n_used=7,
    )  # fmt: skip
    assert list(found["segment_name"].values) == ["A", "B", "C"]
    assert found.sizes["sample"] == 7


def test_what_does_not_fit_is_refused(mixed: World):
    rng = np.random.default_rng(1)
    amount = mixed.frame["profit"].to_numpy()
    with pytest.raises(UsageError, match="at least one rule"):
        value(mixed.statistics, mixed.values, amount, {}, rng)
    with pytest.raises(UsageError, match="one finite amount"):
        value(mixed.statistics, mixed.values, amount[:5], {"p": labels(mixed)}, rng)
    with pytest.raises(UsageError, match="one label from 0 on per customer in the rule 'p'"):
        value(mixed.statistics, mixed.values, amount, {"p": labels(mixed)[:5]}, rng)
