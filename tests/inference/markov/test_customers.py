"""Log densities of customers' whole histories: by enumeration, in sum, and piece by piece."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from markov_cases import Case, by_enumeration, random_case
from small_migration import small_fit, small_panel
from softseg.inference.markov import customers as module
from softseg.inference.markov.customers import Customers, customer_densities, customers_of
from softseg.inference.markov.fit import Layout, lay_out, model_for
from softseg.inference.markov.migration import chains
from softseg.inference.markov.space import MarkovSpace
from softseg.models.latent_markov import LatentMarkov, specify_markov
from softseg.models.mixture import Values

IDLE = pytest.mark.filterwarnings("ignore:Customers are without activity")


def prior_draws(model: LatentMarkov, n: int, seed: int = 2) -> Values:
    rng = np.random.default_rng(seed)
    drawn = [model.draw_prior(rng) for _ in range(n)]
    indicators = {
        group: {name: np.stack([d.indicators[group][name] for d in drawn]) for name in named}
        for group, named in drawn[0].indicators.items()
    }
    return Values(np.stack([d.share for d in drawn]), indicators)


def laid_out(case: Case, **more: Any) -> tuple[LatentMarkov, Layout]:
    histories = case.histories
    profiles = tuple(str(i) for i in range(histories.n_profiles))
    model = specify_markov(
        case.schema, 2, churns=bool(histories.n_churns), profiles=profiles, **more
    )
    return model, Layout(case.statistics, histories, profiles, None, None)


@pytest.mark.parametrize("churn", ["none", "observed", "interval", "silent"])
@pytest.mark.parametrize("several", [False, True])
def test_they_are_those_of_all_paths_one_by_one(churn: str, several: bool) -> None:
    rng = np.random.default_rng(8)
    case = random_case(rng, churn=churn, n_profiles=1 + several, n_begins=1 + several)
    more: dict[str, Any] = {}
    if several:
        more = {"begin_design": np.array([[-1.0], [1.0]]), "begin_covariates": ("w",)}
    model, layout = laid_out(case, **more)
    values = prior_draws(model, 3)
    own = case.histories.history_of
    customers = Customers(own[:, None], np.ones(len(own)))
    found = customer_densities(model, layout, customers, values)(slice(0, len(own)))
    one_chain = Values(
        values.share[None],
        {g: {n: a[None] for n, a in named.items()} for g, named in values.indicators.items()},
    )
    begin, moves = chains(model, one_chain)
    for i in range(3):
        expected = by_enumeration(case, values.at(i), begin[0, i], moves[0, i])
        np.testing.assert_allclose(found[i], expected, rtol=1e-9)


def test_they_add_up_to_the_log_likelihood_of_each_draw() -> None:
    fit = small_fit()
    customers = customers_of(fit.panel, fit.layout)
    values = fit.draws.values.flattened().at(slice(0, 5))
    density = customer_densities(fit.model, fit.layout, customers, values, cores=2)
    total = density(slice(0, len(customers.count))) @ customers.count
    np.testing.assert_allclose(total, fit.draws.log_likelihood.ravel()[:5], rtol=1e-11)
    assert customers.n_customers == fit.panel.notes.customers == 150


@IDLE
@pytest.mark.parametrize("churn", ["silent", "inactivity"])
def test_customers_who_came_back_are_one_customer(churn: str) -> None:
    panel = small_panel(churn)
    layout = lay_out(panel)
    model, customers = model_for(panel, layout, 2), customers_of(panel, layout)
    assert customers.n_customers == len(np.unique(panel.customer))
    assert (customers.histories.shape[1] > 1) == (churn == "inactivity")
    space = MarkovSpace.on(model, layout.statistics, layout.histories)
    values = prior_draws(model, 3)
    inner = [space.inside(values.at(i)) for i in range(3)]
    _, expected = space.log_densities(np.stack([space.point(each) for each in inner]))
    density = customer_densities(model, layout, customers, values)
    total = density(slice(0, len(customers.count))) @ customers.count
    np.testing.assert_allclose(total, expected, rtol=1e-6)


def test_equal_customers_are_one_with_a_count() -> None:
    """Customers 0 and 2 have the same two stays in another order, customer 1 one of them."""
    panel = replace(small_panel(), customer=np.array([0, 0, 1, 2, 2]))
    layout = lay_out(small_panel())
    histories = replace(layout.histories, history_of=np.array([4, 7, 4, 7, 4]))
    found = customers_of(panel, replace(layout, histories=histories))
    np.testing.assert_array_equal(found.histories, [[4, -1], [4, 7]])
    np.testing.assert_array_equal(found.count, [1.0, 2.0])


@IDLE
def test_pieces_hold_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = small_panel("inactivity")
    layout = lay_out(panel)
    model, customers = model_for(panel, layout, 2), customers_of(panel, layout)
    values, n = prior_draws(model, 2), len(customers.count)
    whole = customer_densities(model, layout, customers, values)(slice(0, n))
    monkeypatch.setattr(module, "HELD", 2 * 16)
    density = customer_densities(model, layout, customers, values)
    for first, last in ((0, 1), (1, 30), (30, 31), (5, 9), (31, n)):
        np.testing.assert_allclose(density(slice(first, last)), whole[:, first:last], rtol=1e-12)
