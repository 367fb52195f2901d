"""How many segments of a panel: closed forms, simulation from the prior, and clear cases."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, gammaln, logsumexp

from small_migration import small_fit, small_panel
from softseg.errors import DataError, SchemaError, UsageError
from softseg.inference.choice import Candidate, Choice
from softseg.inference.markov.choose import PanelCandidate, candidate_of, choose_markov, evidence_of
from softseg.inference.markov.customers import customers_of
from softseg.inference.markov.fit import MarkovFit, fit_laid_out, lay_out, model_for
from softseg.inference.verdicts import Check, Diagnosis
from softseg.tables.panel.migration import MigrationSchema
from softseg.tables.panel.panel import Panel
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.schema import Schema
from softseg.wording import LANGUAGES

STAY, STRENGTH = 0.8, 20.0


def panel_of(
    rng: np.random.Generator,
    rates: np.ndarray,
    n: int,
    n_periods: int,
    *,
    leave: float = 0.0,
    values: np.ndarray | None = None,
) -> Panel:
    """Return customers who order at the rate of their segment, and who seldom move."""
    k, rows = len(rates), []
    for customer in range(n):
        state = customer % k
        for period in range(n_periods):
            if period and rng.random() < 0.1:
                state = int(rng.integers(k))
            gone = period > 0 and rng.random() < leave
            row = {"id": customer, "t": period, "orders": int(rng.poisson(rates[state]))}
            if values is not None:
                row["value"] = float(rng.normal(values[state]))
            rows.append(row | {"gone": "yes" if gone else "no"})
            if gone:
                rows[-1] = {"id": customer, "t": period, "gone": "yes"}
                break
    churn = {"churn": "observed", "churned": "gone"} if leave else {}
    indicators = {"orders": "poisson"} | ({} if values is None else {"value": "gaussian"})
    schema = Schema(
        id="id", period="t", indicators=indicators, migration=MigrationSchema(**churn)
    )  # fmt: skip
    frame = pd.DataFrame(rows)
    return prepare_panel(frame if leave else frame.drop(columns="gone"), schema)


def fitted(panel: Panel, k: int, method: str = "laplace", n_draws: int = 1000) -> MarkovFit:
    layout = lay_out(panel)
    model = model_for(panel, layout, k)
    return fit_laid_out(panel, layout, model, method=method, n_draws=n_draws, seed=1, cores=1)


def prior_of_rate(fit: MarkovFit) -> tuple[float, float]:
    parameters = fit.panel.schema.indicators["orders"].prior_mapping()["rate"].parameters
    return float(parameters["alpha"]), float(parameters["beta"])


# --- one segment, in closed form


def test_one_segment_is_left_out_in_closed_form() -> None:
    """Gamma–Poisson orders and Beta leaving; leaving a customer out takes both away at once."""
    panel = panel_of(np.random.default_rng(3), np.array([3.0]), 40, 5, leave=0.15)
    fit = fitted(panel, 1)
    a, b = prior_of_rate(fit)
    orders = fit.panel.table.columns["orders"]
    whose = np.repeat(panel.customer, np.diff(panel.start))[panel.row >= 0]
    n = np.bincount(whose).astype(float)
    y = np.bincount(whose, weights=orders)
    base = np.bincount(whose, weights=gammaln(orders + 1.0))
    length = np.diff(panel.start)
    left = (length > n).astype(float)
    stays = length - 1.0 - left

    def log_marginal(y: float, n: float, stays: float, left: float) -> float:
        rate = a * np.log(b) - gammaln(a) + gammaln(a + y) - (a + y) * np.log(b + n)
        alpha, beta = STRENGTH * STAY, STRENGTH * (1.0 - STAY)
        return float(rate + betaln(alpha + stays, beta + left) - betaln(alpha, beta))

    whole = log_marginal(y.sum(), n.sum(), stays.sum(), left.sum())
    without = [
        log_marginal(y.sum() - y[i], n.sum() - n[i], stays.sum() - stays[i], left.sum() - left[i])
        for i in range(len(y))
    ]
    exact = whole - np.array(without) - base
    found = candidate_of(fit, customers_of(panel, fit.layout), 1)
    assert found.loo.elpd == pytest.approx(exact.sum(), abs=0.1)
    expected_se = np.sqrt(len(y) * exact.var(ddof=1))
    assert found.loo.se == pytest.approx(expected_se, rel=0.02)
    assert found.loo.n_bad == 0.0
    evidence = found.evidence
    assert evidence.labels == "one"
    assert evidence.log == pytest.approx(whole - base.sum(), abs=4 * evidence.error + 1e-3)


def test_bic_counts_parameters_and_customers() -> None:
    """Two segments: a share, two rates, two rows of three states; 40 customers."""
    panel = panel_of(np.random.default_rng(3), np.array([1.0, 9.0]), 40, 5, leave=0.1)
    fit = fitted(panel, 2)
    found = candidate_of(fit, customers_of(panel, fit.layout), 1)
    expected = -2.0 * fit.modes.best.log_likelihood + (1 + 2 + 2 * 2) * np.log(40.0)
    assert found.bic == pytest.approx(expected, rel=1e-12)
    assert found.icl is None


# --- two segments, by simulation from the prior


def test_the_evidence_of_two_segments_is_the_mean_likelihood_under_the_prior() -> None:
    """Every labelling is in that mean: with the wrong multiple of K! it would be off by 0.69."""
    panel = panel_of(np.random.default_rng(5), np.array([1.0, 8.0]), 8, 4)
    fit = fitted(panel, 2)
    a, b = prior_of_rate(fit)
    y = np.zeros((8, 4))
    y[panel.customer.repeat(np.diff(panel.start)), panel.period] = fit.panel.table.columns["orders"]
    rng, n = np.random.default_rng(1), 300_000
    share = rng.beta(2.0, 2.0, n)
    stay = rng.beta(STRENGTH * STAY, STRENGTH * (1.0 - STAY), (2, n))
    rate = rng.gamma(a, 1.0 / b, (2, n))
    total = np.zeros(n)
    for own in y:
        alpha = np.stack([share, 1.0 - share])
        for t, count in enumerate(own):
            if t:
                alpha = np.stack([
                    alpha[0] * stay[0] + alpha[1] * (1.0 - stay[1]),
                    alpha[1] * stay[1] + alpha[0] * (1.0 - stay[0]),
                ])  # fmt: skip
            alpha = alpha * np.exp(count * np.log(rate) - rate - gammaln(count + 1.0))
        total += np.log(alpha.sum(axis=0))
    expected = float(logsumexp(total) - np.log(n))
    weights = np.exp(total - total.max())
    error = float(weights.std() / weights.mean() / np.sqrt(n))
    found = evidence_of(fit)
    assert found.labels == "separated"
    assert error < 0.1
    assert abs(found.log - expected) < 4.0 * np.hypot(error, found.error)


def test_evidence_that_is_not_known_is_not_said() -> None:
    fit = small_fit()
    assert fit.method == "laplace"
    known = evidence_of(fit)
    inside = float(fit.draws.sample_stats["log_evidence"][0, 0])
    assert known.log == pytest.approx(inside + np.log(6.0))
    order = fit.aligned.order.copy()
    order[0, : order.shape[1] // 8] = order[0, 0][::-1]
    switched = evidence_of(replace(fit, aligned=replace(fit.aligned, order=order)))
    assert not switched.usable
    assert switched.stray == pytest.approx(1 / 32, abs=0.005)
    meaningful = evidence_of(replace(fit, mixture=replace(fit.model, symmetric=False)))
    assert (meaningful.log, meaningful.labels) == (inside, "meaningful")
    sampled = evidence_of(replace(fit, draws=replace(fit.draws, sample_stats={})))
    assert np.isnan(sampled.log)
    assert not sampled.usable


# --- the choice


@cache
def clear_choice() -> Choice:
    """Return the choice for three segments that are far apart."""
    rng, values = np.random.default_rng(9), np.array([0.0, 6.0, -6.0])
    panel = panel_of(rng, np.array([1.0, 6.0, 18.0]), 90, 6, leave=0.05, values=values)
    return choose_markov(
        panel, range(1, 5), method="laplace", n_starts=4, seed=1, cores=1
    )  # fmt: skip


def test_the_right_number_of_clear_segments_is_recommended() -> None:
    found = clear_choice()
    assert found.recommended == 3
    assert found.panel
    assert found.occupied is None
    table = found.table.set_index("n_segments")
    assert not {"icl", "p_occupied"} & set(table)
    assert table["bic"].idxmin() == 3
    assert table["log_evidence"].idxmax() == 3
    assert table["p_k"].sum() == pytest.approx(1.0)
    assert table["elpd_loo"].loc[3] > table["elpd_loo"].loc[2] > table["elpd_loo"].loc[1]
    assert table["gate_status"].loc[[1, 2, 3]].eq("good").all()
    assert table["entropy_r2"].loc[3] > 0.9
    assert dict(found.reasons)["choose.agree_panel"] == {"loo": 3.0, "bic": 3.0, "evidence": 3.0}


def test_flows_are_of_customers_in_periods() -> None:
    found = clear_choice()
    rows = float(found.candidates[0].fit.statistics.count.sum())
    assert [flow.shape for flow in found.flows[:2]] == [(1, 2), (2, 3)]
    assert all(flow.sum() == pytest.approx(rows) for flow in found.flows)
    assert found.shifts[0] == pytest.approx(1.0)
    assert found.shifts[1] > 0.2


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recommendation_is_said_in_sentences(language: str) -> None:
    text = clear_choice().text(language)
    assert "3" in text[0]
    assert all(sentence.endswith(".") and "{" not in sentence for sentence in text)


def test_a_number_that_the_gate_refuses_is_not_recommended() -> None:
    """Tables forgive draws that mix a little slowly; a panel is fitted as long as it takes."""
    one = clear_choice().candidates[2]
    slow = Diagnosis("gibbs", (Check("rhat", True, False, 1.03, 1.01, "", {}),))
    parts = {name: getattr(one, name) for name in vars(one)} | {
        "fit": replace(one.fit, diagnosis=slow)
    }
    assert Candidate(**parts).usable
    assert not PanelCandidate(**parts).usable
    assert one.usable


def test_silent_churn_is_not_judged_and_says_who_is_there() -> None:
    panel = small_panel("silent")
    fit = fitted(panel, 2, n_draws=300)
    found = candidate_of(fit, customers_of(panel, fit.layout), 1)
    assert found.fit_status == "unjudged"
    rows = float(fit.statistics.count.sum())
    assert 0.5 * rows < found.count.sum() < rows
    np.testing.assert_allclose(found.top.max(), 1)


def test_numbers_with_too_few_rows_are_left_out_and_said() -> None:
    panel = panel_of(np.random.default_rng(5), np.array([1.0, 8.0]), 10, 3)
    options = {"method": "laplace", "n_starts": 3, "seed": 1, "cores": 1, "n_draws": 50}
    found = choose_markov(panel, (1, 2, 4, 5), **options)
    assert [c.n_segments for c in found.candidates] == [1, 2]
    assert dict(found.reasons)["choose.few_rows"] == {"k4": 4.0, "k5": 5.0}
    with pytest.raises(DataError, match="Take fewer segments"):
        choose_markov(panel, (4, 5), **options)
    assert choose_markov(panel, (4,), allow_few_rows=True, **options).table["n_segments"][0] == 4


def test_what_is_refused() -> None:
    panel = small_panel()
    with pytest.raises(UsageError, match="Give at least one number of segments"):
        choose_markov(panel, (), seed=1)
    with pytest.raises(UsageError, match="Choose a method"):
        choose_markov(panel, (1,), seed=1, method="guess")  # pyright: ignore[reportArgumentType]
    table = replace(panel.table, schema=panel.schema.model_copy(update={"migration": None}))
    with pytest.raises(SchemaError, match="migration"):
        choose_markov(replace(panel, table=table), (1,), seed=1)
