"""Flows year by year."""

import numpy as np
import pytest

from roi_builders import assumptions, company, effect
from softseg.decisions.answers.headline import headline
from softseg.decisions.answers.yearly import yearly
from softseg.decisions.model.simulate import RoiModel, Simulation

MARGIN = {"role": "ebit_margin", "unit": "%", "value": 10.0}


def simulate(*, counterfactual: str = "nothing", horizon: int = 3, **inputs) -> Simulation:
    settings = {"counterfactual": counterfactual, "horizon": horizon}
    model = RoiModel(assumptions(company(**inputs), **settings))
    return model.simulate(n_replicates=4, n_draws=64)


def test_the_last_year_is_the_net_present_value() -> None:
    simulation = simulate(
        saved={"role": "saving", "unit": "EUR/year", "low": 10.0, "high": 30.0},
        once={"role": "one_off_cost", "unit": "EUR", "value": 20.0},
        rate={"role": "discount_rate", "unit": "%", "value": 8.0},
    )
    found, whole = yearly(simulation), headline(simulation)
    np.testing.assert_allclose(found["cumulative"].isel(year=-1), whole.npv)
    np.testing.assert_allclose(found["cumulative_error"].isel(year=-1), whole.npv_error, atol=1e-12)
    np.testing.assert_allclose(found["cumulative_mean"].isel(year=-1), whole.mean_npv)
    assert found.year.values.tolist() == [1, 2, 3]
    net = found.net.sel(accounting="as_published", adjusted=False)
    np.testing.assert_allclose(net.sel(year=2) - net.sel(year=1), 20.0)
    assert "ebit_margin_change" not in found


def test_the_ebit_margin_by_hand() -> None:
    found = yearly(simulate(price=effect("price", value=0.05), ebit=MARGIN))
    np.testing.assert_allclose(found.revenue, 5.0)
    np.testing.assert_allclose(found.profit, 5.0)
    np.testing.assert_allclose(found.ebit_margin_change, 15.0 / 105.0 - 0.1)
    np.testing.assert_allclose(found.ebit_margin_change_mean, 15.0 / 105.0 - 0.1)


def test_the_ebit_margin_grows_with_its_base() -> None:
    found = yearly(
        simulate(
            saved={"role": "saving", "unit": "EUR/year", "value": 11.0},
            growth={"role": "baseline_growth", "unit": "%", "value": 10.0},
            ebit=MARGIN,
        )
    ).isel(quantile=2, adjusted=1)
    full, published = (found.ebit_margin_change.sel(accounting=a) for a in
                       ("contribution_margin", "as_published"))  # fmt: skip
    np.testing.assert_allclose(full, [0.11, 0.1, 0.11 / 1.21])
    np.testing.assert_allclose(published, 0.11)


def test_the_ebit_margin_against_the_uniform_programme() -> None:
    found = yearly(
        simulate(
            counterfactual="uniform",
            price=effect("price", value=0.05),
            all_prices=effect("price", value=0.02, programme="uniform"),
            ebit=MARGIN,
        )
    )
    np.testing.assert_allclose(found.ebit_margin_change, 15.0 / 105.0 - 12.0 / 102.0)


def test_profit_is_before_tax() -> None:
    found = yearly(
        simulate(
            saved={"role": "saving", "unit": "EUR/year", "value": 10.0},
            tax={"role": "tax_rate", "unit": "%", "value": 30.0},
        )
    ).sel(accounting="contribution_margin", adjusted=True, quantile=0.5)
    np.testing.assert_allclose(found.profit, 10.0)
    np.testing.assert_allclose(found.net, 7.0)


def test_no_revenue_no_margin() -> None:
    simulation = simulate(volume=effect("volume", value=-1.0), ebit=MARGIN)
    assert yearly(simulation).ebit_margin_change.isnull().all()


@pytest.mark.parametrize("horizon", [1, 7])
def test_every_horizon_has_its_years(horizon: int) -> None:
    found = yearly(simulate(volume=effect("volume", value=0.1), horizon=horizon))
    assert found.sizes["year"] == horizon
