"""The arithmetic of every role against sums done by hand."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roi_builders import assumptions, company, effect
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.accounting import AS_PUBLISHED, CONTRIBUTION_MARGIN, STEPS, Switches
from softseg.decisions.model.cashflow import Flows, flows


def values(file: Assumptions, **other: Any) -> dict[str, Any]:
    given_values = {name: entry.value for name, entry in file.inputs.items()}
    scaled = {n: (x or 0.0) * (0.01 if file.inputs[n].unit == "pp" else 1.0)
              for n, x in given_values.items()}  # fmt: skip
    return {**scaled, **other}


def run(inputs: dict[str, Any], switches: Switches = CONTRIBUTION_MARGIN, **settings: Any) -> Flows:
    file = assumptions(inputs, **settings)
    return flows(file, values(file), switches)


def profit(inputs: dict[str, Any], switches: Switches = CONTRIBUTION_MARGIN, year: int = 0):
    return float(np.ravel(run(inputs, switches).benefit)[year])


def test_profit_of_volume_price_and_margin_is_the_exact_identity() -> None:
    both = company(
        v=effect("volume", value=0.1), p=effect("price", value=0.05), d=effect("margin", value=2.0)
    )
    new_revenue = 100.0 * 1.1 * 1.05
    variable_cost = 100.0 * 1.1 * 0.6
    better = 0.02 * new_revenue
    assert profit(both) == pytest.approx(new_revenue - variable_cost + better - 40.0, rel=1e-14)
    assert np.ravel(run(both).revenue)[0] == pytest.approx(new_revenue - 100.0, rel=1e-14)


def test_the_published_way_counts_revenue_and_margin_on_the_old_revenue() -> None:
    both = company(v=effect("volume", value=0.1), d=effect("margin", value=2.0))
    assert profit(both, AS_PUBLISHED) == pytest.approx(10.0 + 2.0)


@given(
    v=st.floats(-0.5, 0.5), p=st.floats(-0.3, 0.3), d=st.floats(-0.1, 0.1), m=st.floats(0.0, 1.0)
)
def test_identity_against_profit_before_and_after(v: float, p: float, d: float, m: float) -> None:
    # The margin change is of the margin that volume and price leave behind.
    file = assumptions(
        company(v=effect("volume"), p=effect("price"), d=effect("margin")),
    )
    found = flows(file, values(file, v=v, p=p, d=d, contribution_margin=m))
    revenue = 100.0 * (1.0 + v) * (1.0 + p)
    margin = 1.0 - (1.0 - m) / (1.0 + p)
    assert np.ravel(found.benefit)[0] == pytest.approx(
        revenue * (margin + d) - 100.0 * m, rel=1e-9, abs=1e-9
    )


def test_a_price_elasticity_takes_volume_away() -> None:
    inputs = company(
        p=effect("price", value=0.1), e={"role": "price_elasticity", "unit": "factor", "value": 2.0}
    )
    revenue = 100.0 * 0.8 * 1.1
    assert profit(inputs) == pytest.approx(revenue - 0.6 * 80.0 - 40.0)
    assert profit(inputs, AS_PUBLISHED) == pytest.approx(10.0)


def test_less_churn_keeps_revenue_as_a_stock_that_leaves_later() -> None:
    inputs = company(
        churn={"role": "base", "unit": "share", "value": 0.2},
        kept=effect("churn", value=0.5, rate="churn"),
    )
    first = 0.1
    second = first * 0.9 + 0.1
    expected = [first / 2, (first + second) / 2]
    found = np.ravel(run(inputs).revenue)
    np.testing.assert_allclose(found[:2], 100.0 * np.array(expected))
    np.testing.assert_allclose(np.ravel(run(inputs).benefit)[:2], 40.0 * np.array(expected))
    assert profit(inputs, AS_PUBLISHED) == pytest.approx(10.0)


def test_less_churn_converges_to_the_ratio_of_the_rates() -> None:
    # A stock fed with c·r and drained at c(1 − r) settles at r / (1 − r).
    inputs = company(
        churn={"role": "base", "unit": "share", "value": 0.3},
        kept=effect("churn", value=0.25, rate="churn"),
    )
    found = np.ravel(run(inputs, horizon=50).revenue)
    assert found[-1] == pytest.approx(100.0 * 0.25 / 0.75, rel=1e-4)


def test_customers_won_stay_until_they_leave() -> None:
    inputs = company(
        churn={"role": "base", "unit": "share", "value": 0.25},
        won=effect("acquisition", value=0.1, rate="churn"),
    )
    np.testing.assert_allclose(np.ravel(run(inputs).revenue)[:3], [10.0, 17.5, 23.125])
    once = company(won=effect("acquisition", value=0.1))
    np.testing.assert_allclose(np.ravel(run(once).revenue), 10.0)


def test_savings_in_the_margin_count_once() -> None:
    inputs = company(
        service={"role": "base", "unit": "EUR/year", "value": 30.0},
        s={"role": "saving", "unit": "share", "value": 0.1, "base": "service", "in_margin": True},
    )
    assert profit(inputs, AS_PUBLISHED) == pytest.approx(3.0)
    assert profit(inputs) == 0.0


def test_costs_of_growth_follow_the_additional_revenue() -> None:
    inputs = company(
        v=effect("volume", value=0.1),
        serve={"role": "running_cost", "unit": "share", "value": 0.05,
               "base": "incremental_revenue"},
        tied={"role": "working_capital", "unit": "share", "value": 0.2,
              "base": "incremental_revenue"},
    )  # fmt: skip
    found = run(inputs, ramp=[0.5, 1.0])
    np.testing.assert_allclose(np.ravel(found.benefit)[:2], [5.0 * 0.35, 10.0 * 0.35])
    np.testing.assert_allclose(np.ravel(found.cash)[:3], [-1.0, -1.0, 0.0])
    assert not np.any(found.cost)


def test_money_released_is_no_profit() -> None:
    inputs = company(
        stock={"role": "base", "unit": "EUR", "value": 200.0},
        less={"role": "cash_release", "unit": "share", "value": 0.1, "base": "stock"},
    )
    found = run(inputs, ramp=[0.5, 1.0])
    np.testing.assert_allclose(np.ravel(found.cash)[:3], [10.0, 10.0, 0.0])
    assert not np.any(found.benefit)
    assert not np.any(run(inputs, AS_PUBLISHED).cash)


def test_learning_raises_all_effects() -> None:
    inputs = company(
        v=effect("volume", value=0.1),
        s={"role": "saving", "unit": "EUR/year", "value": 5.0},
        more={"role": "learning", "unit": "share", "value": 0.2, "profile": {"start": 2}},
    )
    np.testing.assert_allclose(np.ravel(run(inputs).benefit)[:2], [9.0, 10.8])
    np.testing.assert_allclose(np.ravel(run(inputs).revenue)[:2], [10.0, 12.0])


def test_costs_the_published_way_leaves_out() -> None:
    inputs = company(
        project={"role": "one_off_cost", "unit": "EUR", "value": 50.0},
        force={"role": "base", "unit": "EUR/year", "value": 40.0},
        capacity={"role": "running_cost", "unit": "share", "value": 0.05, "base": "force",
                  "published": False},
    )  # fmt: skip
    np.testing.assert_allclose(np.ravel(run(inputs).cost)[:2], [52.0, 2.0])
    np.testing.assert_allclose(np.ravel(run(inputs, AS_PUBLISHED).cost)[:2], [50.0, 0.0])


def test_growth_of_the_base_and_tax() -> None:
    inputs = company(
        v=effect("volume", value=0.1),
        project={"role": "one_off_cost", "unit": "EUR", "value": 50.0},
        growth={"role": "baseline_growth", "unit": "share", "value": 0.1},
        tax={"role": "tax_rate", "unit": "share", "value": 0.25},
    )
    found = run(inputs)
    np.testing.assert_allclose(np.ravel(found.benefit)[:2], [3.0, 3.3])
    np.testing.assert_allclose(np.ravel(found.cost)[0], 37.5)
    np.testing.assert_allclose(np.ravel(found.earned)[:2], [4.0, 4.4])
    np.testing.assert_allclose(np.ravel(found.spent)[0], 50.0)


def test_programmes_hold_their_own_inputs_and_the_common_ones() -> None:
    file = assumptions(
        company(
            v=effect("volume", value=0.1),
            w=effect("volume", value=0.04, programme="uniform"),
            both={"role": "saving", "unit": "EUR/year", "value": 1.0, "programme": "both"},
        ),
        counterfactual="uniform",
    )
    segmented = flows(file, values(file), programme="segmented")
    uniform = flows(file, values(file), programme="uniform")
    assert np.ravel(segmented.benefit)[0] == pytest.approx(5.0)
    assert np.ravel(uniform.benefit)[0] == pytest.approx(2.6)


def test_bases_are_multiplied_and_margins_can_differ_by_effect() -> None:
    file = assumptions(
        company(
            part={"role": "base", "unit": "share", "value": 0.3},
            own={"role": "contribution_margin", "unit": "share", "value": 0.1},
            v=effect("volume", value=0.5, base=["revenue", "part"], margin="own"),
        )
    )
    assert np.ravel(flows(file, values(file)).benefit)[0] == pytest.approx(1.5)


def test_bases_are_the_same_in_any_order() -> None:
    part = {"role": "base", "unit": "share", "value": 0.3}
    both = company(
        part=part,
        v=effect("volume", value=0.5, base=["revenue", "part"]),
        p=effect("price", value=0.2, base=["part", "revenue"]),
    )
    found = run(both)
    np.testing.assert_allclose(np.ravel(found.revenue), 30.0 * (1.5 * 1.2 - 1.0))
    np.testing.assert_allclose(np.ravel(found.benefit), 30.0 * (0.5 * 0.4 + 0.2 * 1.5))


def test_nothing_done_is_exactly_nothing() -> None:
    for switches in (AS_PUBLISHED, CONTRIBUTION_MARGIN):
        found = run(
            company(
                v=effect("volume", value=0.0),
                project={"role": "one_off_cost", "unit": "EUR", "value": 0.0},
            ),
            switches,
        )
        for part in (found.benefit, found.cost, found.revenue, found.cash):
            assert not np.any(part)


def test_draws_give_what_each_draw_gives_alone() -> None:
    rng = np.random.default_rng(3)
    file = assumptions(
        company(
            churn={"role": "base", "unit": "share", "value": 0.2},
            late={"role": "delay", "unit": "years", "value": 0.5},
            v=effect("volume", value=0.1),
            p=effect("price", value=0.1),
            kept=effect("churn", value=0.5, rate="churn"),
            rate={"role": "discount_rate", "unit": "share", "value": 0.1},
        ),
        ramp=[0.3, 1.0],
    )
    drawn = {name: rng.uniform(0.05, 0.4, 6) for name in ("churn", "late", "v", "p", "kept")}
    together = flows(file, values(file, **drawn))
    for i in range(6):
        alone = flows(file, values(file, **{name: x[i] for name, x in drawn.items()}))
        np.testing.assert_allclose(together.benefit[:, i], np.ravel(alone.benefit), rtol=1e-13)


def test_steps_name_every_switch() -> None:
    assert STEPS[0] == "margin_on_volume"
    assert Switches(**dict.fromkeys(STEPS, True)) == CONTRIBUTION_MARGIN
