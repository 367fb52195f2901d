"""The split of the band against closed forms and against brute force."""

from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import xarray as xr

from segment_builders import PRICE, VISITS, VOLUME, programme, simulation, value_of, value_table
from softseg.decisions.segments.split import BLOCKS, COALITIONS, affine, known_rows, split
from softseg.decisions.segments.worth import SegmentSimulation
from softseg.errors import UsageError

Z = 1.6448536269514722


def normal(role: str, unit: str, mean: float, sd: float, **more: Any) -> dict[str, Any]:
    """Return an input that is normal."""
    law = {"low": mean - Z * sd, "high": mean + Z * sd, "family": "normal"}
    return {"role": role, "unit": unit} | law | more


def one_segment(mean: float, tau: float, delta: float, n_samples: int, seed: int) -> xr.Dataset:
    """Return one segment of value mean + tau·normal given the parameters, delta·normal by lot."""
    rng = np.random.default_rng(seed)
    given = mean + tau * rng.standard_normal(n_samples)
    lots = given + delta * rng.standard_normal(n_samples)
    table = value_of(np.ones((n_samples, 1, 1)), np.ones(1), {"programme": np.ones(1, int)}, rng)
    dims = ("rule", "sample", "assigned", "segment")
    rows = {"value_expected": given, "value_lots": lots}
    return table.assign({name: (dims, row[None, :, None, None]) for name, row in rows.items()})


def gaussian(seed: int, n_samples: int = 3000) -> SegmentSimulation:
    """Return N = p B − K: p normal (2, 1), B normal (10, 3² + 2²), K normal (5, 4)."""
    plan = programme({"A": {"price": normal("revenue_effect", "share", 2.0, 1.0, effect="price")}})
    inputs = {"cost": normal("one_off_cost", "EUR", 5.0, 4.0)}
    return simulation(
        one_segment(10.0, 3.0, 2.0, n_samples, seed), plan, inputs, {"horizon": 1},
        n_replicates=8, n_draws=1024, seed=seed,
    )  # fmt: skip


def expected_blocks(value: Callable[[frozenset[str]], float]) -> np.ndarray:
    """Return the blocks by going through all orders in which θ comes before z."""
    orders = [order for order in permutations("θze") if order.index("θ") < order.index("z")]
    added = {
        who: np.mean(
            [
                value(frozenset(order[: order.index(who) + 1]))
                - value(frozenset(order[: order.index(who)]))
                for order in orders
            ]
        )
        for who in "θze"
    }
    return np.array([added[who] for who in "θze"])


def test_the_closed_form():
    found = split(gaussian(1))
    # p and B are independent: Var(p B) = 2² (9 + 4) + 1² (10² + 9 + 4), term by term
    known = {"": 0.0, "θ": 36.0, "θz": 52.0, "e": 116.0, "θe": 161.0, "θze": 181.0}
    closed = np.array([known[u] for u in ("θ", "θz", "e", "θe", "θze")])
    np.testing.assert_array_less(np.abs(found.known - closed), 4.0 * found.known_error)
    blocks = expected_blocks(lambda u: known["".join(sorted(u, key="θze".index))])
    np.testing.assert_array_less(np.abs(found.variance - blocks), 4.0 * found.variance_error)
    np.testing.assert_array_less(np.abs(found.share - blocks / 181.0), 4.0 * found.share_error)
    assert (found.share_error < 0.02).all()


def test_blocks_sum_to_the_variance():
    found, sim = split(sim := simulation()), sim
    assert list(found.block.values) == list(BLOCKS)
    assert list(found.coalition.values) == list(COALITIONS)
    variance = sim.whole.outcome().npv.var()
    assert float(found.total) == pytest.approx(variance, rel=1e-12)
    assert float(found.variance.sum()) == pytest.approx(variance, rel=1e-9)
    assert float(found.share.sum()) == pytest.approx(1.0, abs=1e-9)
    assert (found.share > 0.0).all()
    # what they add up to before they are scaled agrees within the error
    away = abs(float(found.added - found.total))
    assert 0.0 < away < 3.0 * float(np.hypot(found.added_error, found.total_error))


def test_errors_over_replicates_and_posterior_draws_are_right():
    """Independent posteriors and independent points must differ as much as the error says."""
    found = [split(gaussian(seed, 256)) for seed in range(24)]
    for name in ("share", "known"):
        values = np.array([one[name].to_numpy() for one in found])
        errors = np.array([one[f"{name}_error"].to_numpy() for one in found])
        ratio = np.sqrt((errors**2).mean(axis=0)) / values.std(axis=0, ddof=1)
        assert (ratio > 0.6).all()
        assert (ratio < 1.8).all()


LEVELS = np.array([[[0.9], [0.2], [0.6], [0.5]], [[0.5], [0.5], [0.9], [0.1]],
                   [[0.3], [0.7], [0.4], [0.8]]])  # fmt: skip
"""P(segment A | θ) of four customers, for three values of θ."""

AMOUNT = np.array([10.0, 40.0, 20.0, 30.0])
LEVERS = {
    "A": {"price": PRICE | {"low": 1.0, "high": 6.0},
          "visits": VISITS | {"low": 0.1, "high": 0.2}},
    "B": {"volume": VOLUME | {"low": -6.0, "high": 10.0}},
}  # fmt: skip


@pytest.mark.parametrize("reach", ["assigned", "members"])
def test_against_brute_force(reach: str):
    """Nested expectations by going through every θ, every z and many e."""
    rng = np.random.default_rng(5)
    rules = {"programme": np.array([1, 2, 1, 2])}
    a = np.tile(LEVELS, (1000, 1, 1))
    table = value_of(np.concatenate([a, 1.0 - a], axis=2), AMOUNT, rules, rng)
    plan = programme(LEVERS, reach=reach)
    inputs = {
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.1},
        "setup": {"role": "one_off_cost", "unit": "EUR", "low": 1.0, "high": 5.0},
    }
    sim = simulation(table, plan, inputs, n_replicates=8, n_draws=1024)
    found = split(sim)

    cases = list(product([1, 2], repeat=4))
    few = sim.whole.first(256)
    net = np.empty((len(cases), few.draws.works.size))
    chance = np.ones((3, len(cases)))
    for i, z in enumerate(cases):
        of = np.array(z)
        reached = [
            AMOUNT[(of == k) & ((rules["programme"] == k) | (reach == "members"))].sum()
            for k in (1, 2)
        ]
        heads = of if reach == "members" else rules["programme"]
        bases = {"s1_value": reached[0], "s2_value": reached[1]}
        bases |= {f"s{k}_customers": float((heads == k).sum()) for k in (1, 2)}
        net[i] = few.pinned(bases).outcome().npv.ravel()
        chance[:, i] = np.where(of == 1, LEVELS[..., 0], 1.0 - LEVELS[..., 0]).prod(axis=1)

    given = chance @ net  # E[N | θ, e]
    joint = chance / 3.0

    def known(u: frozenset[str]) -> float:
        if u == frozenset("θ"):
            return float(given.mean(axis=1).var())
        if u == frozenset("e"):
            return float(given.mean(axis=0).var())
        if u == frozenset("θe"):
            return float(given.var())
        if u == frozenset("θz"):
            return float((joint * (net.mean(axis=1) - given.mean()) ** 2).sum())
        if u == frozenset("θze"):
            return float((joint @ (net - given.mean()) ** 2).sum() / net.shape[1])
        return 0.0

    blocks = expected_blocks(known)
    away = np.abs(found.share.to_numpy() - blocks / blocks.sum())
    assert (away < 4.0 * found.share_error.to_numpy() + 1e-3).all()
    assert (blocks / blocks.sum() > 0.01).all()
    assert float(found.total) == pytest.approx(blocks.sum(), rel=0.05)


@pytest.mark.parametrize("more", [{}, {"reach": "members"}, {"off_target": 0.4}])
def test_the_net_present_value_is_affine(more: dict[str, Any]):
    inputs = {
        "setup": {"role": "one_off_cost", "unit": "EUR", "low": 1.0, "high": 2.0},
        "serve": {"role": "running_cost", "unit": "%", "base": ("incremental_revenue",),
                  "value": 3.0},
        "learning": {"role": "learning", "unit": "%", "low": 2.0, "high": 9.0},
        "tax": {"role": "tax_rate", "unit": "%", "value": 30.0},
        "stock": {"role": "working_capital", "unit": "%", "base": ("incremental_revenue",),
                  "value": 10.0},
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.2},
    }  # fmt: skip
    sim = simulation(plan=programme(**more), inputs=inputs)
    parts = affine(sim)
    whole = sum(part.at(sim.whole.draws.values) for part in parts)
    np.testing.assert_allclose(whole, sim.whole.outcome().npv, atol=1e-12)
    assert parts[0].slopes == {}
    assert ("s1_customers" in parts[1].slopes) == (more.get("reach") == "members")
    # so that E[N | θ, e] is N at the expected bases, on the same draws
    _, expected = known_rows(sim)
    given = {id: row[sim.whole.draws.sample] for id, row in expected.items()}
    exact = sim.with_bases(expected).whole.outcome().npv
    np.testing.assert_allclose(sum(part.at(given) for part in parts), exact, atol=1e-12)


def test_without_lots_nothing_comes_from_membership():
    table = value_table()
    table = table.assign(value_lots=table.value_expected, customers_lots=table.customers_expected)
    found = split(simulation(table))
    assert float(found.share.sel(block="membership")) == 0.0
    assert float(found.share.sel(block="parameters")) > 0.0


def test_a_certain_segment_leaves_judgement_only():
    table = value_of(
        np.ones((10, 5, 1)), np.ones(5), {"programme": np.ones(5, int)}, np.random.default_rng(1)
    )
    found = split(simulation(table, programme({"A": {"price": PRICE | {"low": 1.0, "high": 2.0}}})))
    np.testing.assert_array_equal(found.share, [0.0, 0.0, 1.0])
    nothing = programme({"A": {"price": PRICE | {"value": 1.0}}})
    found = split(simulation(table, nothing, {}))
    assert float(found.total) == 0.0
    assert found.share.isnull().all()


def test_certain_judgement_leaves_the_segments_only():
    plan = programme({"A": {"price": PRICE | {"value": 2.0}}})
    sim = simulation(plan=plan, inputs={})
    found = split(sim)
    assert float(found.share.sel(block="judgement")) == pytest.approx(0.0, abs=1e-9)
    lots, expected = known_rows(sim)
    part = expected["s1_value"].var() / expected["s1_value"].var()
    apart = ((lots["s1_value"] - expected["s1_value"]) ** 2).mean() / expected["s1_value"].var()
    assert float(found.share.sel(block="membership")) == pytest.approx(
        apart / (part + apart), rel=0.02
    )


def test_the_band_is_that_of_the_headline():
    plain = {"role": "revenue_effect", "effect": "volume", "unit": "%", "base": ("revenue",),
             "programme": "uniform", "low": 0.1, "high": 2.0}  # fmt: skip
    sim = simulation(
        plan=programme({"A": {"price": PRICE | {"low": 1.0, "high": 2.0}}}),
        inputs={"plain": plain}, settings={"counterfactual": "uniform"},
    )  # fmt: skip
    found = split(sim)
    assert float(found.total) == pytest.approx(sim.whole.outcome().npv.var(), rel=1e-9)
    assert float(found.total) > 2.0 * sim.whole.outcome(programme="segmented").npv.var()


def test_one_replicate_has_no_error():
    found = split(simulation(n_replicates=1))
    assert found.share_error.isnull().all()
    assert float(found.share.sum()) == pytest.approx(1.0)


def test_a_product_of_bases_is_refused():
    lever = {"role": "running_cost", "unit": "share", "base": ("value", "customers"), "value": 0.1}
    sim = simulation(plan=programme({"A": {"odd": lever}}, reach="members"))
    with pytest.raises(UsageError, match="Let each lever of a segment rest on the value or on"):
        split(sim)
    assert split(simulation(plan=programme({"A": {"odd": lever}}))).share.sum() == pytest.approx(1)


def test_means_only_are_refused():
    with pytest.raises(UsageError, match="Simulate with the draws of the fitted model"):
        split(simulation(plug_in=True))
