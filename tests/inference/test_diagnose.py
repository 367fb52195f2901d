"""The gate: each check passes what is good, fails what is not, and says so in words."""

from dataclasses import replace

import numpy as np
import pytest

from softseg.errors import UsageError
from softseg.inference.diagnose import (
    BOUNDS,
    Diagnosis,
    ModeSummary,
    diagnose,
    mixing,
    quantities,
)
from softseg.inference.verdicts import Check, join, quantity
from softseg.models.mixture import Values
from softseg.wording import has, say

N_CHAINS, N_DRAWS, K = 4, 250, 3
NAMES = [name for name in BOUNDS if name != "renewed"]  # which is that of paired draws
WEIGHTED = ["pareto_k", "importance_ess", "explored"]
"""Checks of importance draws, which apply to no other method."""


def good(**changes):
    """Return the arguments of a fit that passes, some of them replaced."""
    rng = np.random.default_rng(3)
    size = (N_CHAINS, N_DRAWS)
    values = Values(
        rng.dirichlet([50, 30, 20], size=size),
        {
            "orders": {"rate": rng.gamma(50.0, 0.1, size=(*size, K))},
            "industry": {"probability": rng.dirichlet([5.0, 2.0, 0.01], size=(*size, K))},
        },
    )
    memberships = np.broadcast_to(rng.dirichlet([0.1] * K, size=40), (N_CHAINS, 40, K))
    arguments = {
        "values": values,
        "log_likelihood": rng.normal(size=size),
        "sample_stats": {"diverging": np.zeros(size), "energy": rng.normal(size=size)},
        "method": "nuts",
        "chain_memberships": memberships,
        "count": np.ones(40),
        "non_permutation_share": 0.0,
        "modes": ModeSummary(best_hits=4, n_starts=10),
        "mean_sizes": np.array([50.0, 30.0, 20.0]),
    }
    return arguments | changes


def run(**changes) -> Diagnosis:
    arguments = good(**changes)
    values, log_likelihood = arguments.pop("values"), arguments.pop("log_likelihood")
    return diagnose(values, log_likelihood, arguments.pop("sample_stats"), **arguments)


def moved(change):
    """Return the good values with a change of the rates, a copy."""
    values = good()["values"]
    rate = values.indicators["orders"]["rate"].copy()
    change(rate)
    return Values(values.share, {**values.indicators, "orders": {"rate": rate}})


def failed(diagnosis: Diagnosis) -> list[str]:
    return [check.name for check in diagnosis.failed]


def test_a_good_fit_passes_every_check():
    diagnosis = run()
    assert diagnosis.status == "good"
    assert [check.name for check in diagnosis.checks] == NAMES
    assert [check.name for check in diagnosis.checks if not check.passed] == WEIGHTED
    assert diagnosis.text() == say("gate.good")
    assert diagnosis.text("de") == say("gate.good", "de")


def test_figures_are_those_of_arviz():
    import arviz_stats
    import xarray as xr

    rng = np.random.default_rng(0)
    draws = rng.standard_normal((3, 300, 4)).cumsum(axis=1) * [0.1, 0.0, 1.0, 0.0]
    draws[..., [1, 3]] = rng.standard_t(2, size=(3, 300, 2))
    ours = mixing(draws)
    data = xr.Dataset({"x": (("chain", "draw", "q"), draws)})
    bulk, tail = arviz_stats.ess(data)["x"], arviz_stats.ess(data, method="tail", prob=(0.05, 0.95))
    np.testing.assert_allclose(ours["rhat"], arviz_stats.rhat(data)["x"])
    np.testing.assert_allclose(ours["ess_bulk"], bulk)
    np.testing.assert_allclose(ours["ess_tail"], tail["x"])


def test_energy_fraction_is_that_of_arviz():
    import arviz_stats.base

    energy = np.random.default_rng(1).standard_normal((4, 200)).cumsum(axis=1)
    stats = {"diverging": np.zeros((4, 200)), "energy": energy}
    check = run(sample_stats=stats).check("bfmi")
    assert check.value == pytest.approx(arviz_stats.base.array_stats.bfmi(energy).min())
    assert check.passed is False


def test_every_scalar_is_looked_at_once():
    arguments = good()
    names, draws = quantities(arguments["values"], arguments["log_likelihood"])
    assert len(set(names)) == len(names) == 1 + 2 * K + K + 3 * K == draws.shape[2]
    column = names.index("industry__probability[2,3]")
    expected = arguments["values"].indicators["industry"]["probability"][:, :, 1, 2]
    np.testing.assert_array_equal(draws[..., column], expected)
    ranked = draws[..., names.index("sorted_share[1]")]
    np.testing.assert_array_equal(ranked, arguments["values"].share.max(axis=-1))


def shift_one_chain(rate):
    rate[0, :, 1] += 1.0


def stick(rate):
    rate[..., 2] = np.repeat(rate[:, ::50, 2], 50, axis=1)


def break_one(rate):
    rate[2, 17, 0] = np.nan


def stand_still_apart(rate):
    rate[..., 0] = np.arange(N_CHAINS)[:, None]


def fix(rate):
    rate[..., 0] = 7.0


def test_a_chain_elsewhere_fails_r_hat_and_is_named():
    check = run(values=moved(shift_one_chain)).check("rhat")
    assert check.passed is False
    assert check.worst == "orders__rate[2]"
    assert check.value > 1.05


def test_a_label_free_quantity_is_looked_at_too():
    log_likelihood = good()["log_likelihood"].copy()
    log_likelihood[1] -= 5.0
    check = run(log_likelihood=log_likelihood).check("rhat")
    assert (check.passed, check.worst) == (False, "log_likelihood")


def test_slow_draws_fail_both_sample_sizes():
    diagnosis = run(values=moved(stick))
    assert {"ess_bulk", "ess_tail"} <= set(failed(diagnosis))
    assert diagnosis.check("ess_bulk").worst == "orders__rate[3]"


def test_a_missing_number_fails_with_a_plain_word():
    diagnosis = run(values=moved(break_one))
    assert failed(diagnosis)[:3] == ["rhat", "ess_bulk", "ess_tail"]
    assert np.isnan(diagnosis.check("rhat").value)
    assert "could not be computed" in diagnosis.text()
    assert "ließ sich nicht berechnen" in diagnosis.text("de")
    assert "unknown" in repr(diagnosis)


def test_chains_that_stand_still_apart_fail():
    check = run(values=moved(stand_still_apart)).check("rhat")
    assert (check.passed, check.value, check.worst) == (False, np.inf, "orders__rate[1]")


def test_a_fixed_parameter_is_exempt():
    diagnosis = run(values=moved(fix))
    assert diagnosis.status == "good"
    assert diagnosis.check("rhat").details["quantities"] == 1 + 2 * K + K - 1 + 3 * K


def test_one_chain_cannot_be_judged():
    values = good()["values"].at(slice(0, 1))
    arguments = good()
    diagnosis = run(
        values=values,
        log_likelihood=arguments["log_likelihood"][:1],
        chain_memberships=arguments["chain_memberships"][:1],
        method="gibbs",
    )
    assert "rhat" in failed(diagnosis)
    assert not diagnosis.check("labels").applies


def test_divergences_and_energy_are_for_nuts_only():
    stats = good()["sample_stats"]
    diverging = np.zeros((N_CHAINS, N_DRAWS))
    diverging[1, 3] = 1
    assert failed(run(sample_stats=stats | {"diverging": diverging})) == ["divergences"]
    assert failed(run(sample_stats={})) == ["divergences", "bfmi"]
    gibbs = run(sample_stats={}, method="gibbs")
    assert gibbs.status == "good"
    for name in ("divergences", "bfmi"):
        check = gibbs.check(name)
        assert (check.applies, check.passed, check.value) == (False, None, None)
    assert repr(gibbs).count("does not apply") == 2 + len(WEIGHTED)


def test_labels_are_compared_between_the_worst_chains():
    memberships = np.zeros((3, 100, 2))
    memberships[..., 0] = 0.9
    memberships[..., 1] = 0.1
    memberships[2, :6] = [0.2, 0.8]
    count = np.ones(100)
    check = run(chain_memberships=memberships, count=count).check("labels")
    assert (check.value, check.passed, check.worst) == (pytest.approx(0.94), False, "chain[1,3]")
    count[:6] = 0.5
    assert run(chain_memberships=memberships, count=count).check("labels").passed
    memberships[0, 0, 0] = np.nan
    assert run(chain_memberships=memberships, count=count).check("labels").passed is False


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"non_permutation_share": 0.01}, "permutations"),
        ({"non_permutation_share": float("nan")}, "permutations"),
        ({"modes": ModeSummary(1, 10)}, "modes"),
        ({"mean_sizes": np.array([90.0, 6.0, 4.9])}, "sizes"),
        ({"mean_sizes": np.array([90.0, np.nan, 6.0])}, "sizes"),
    ],
)
def test_one_failing_check_is_enough(changes, name):
    diagnosis = run(**changes)
    assert diagnosis.status == "failed"
    assert failed(diagnosis) == [name]


@pytest.mark.parametrize(
    "changes",
    [
        {"non_permutation_share": 0.009},
        {"modes": ModeSummary(2, 10)},
        {"mean_sizes": np.array([90.0, 6.0, 5.0])},
    ],
)
def test_bounds_are_met_exactly(changes):
    assert run(**changes).status == "good"


def test_near_rivals_are_named_and_do_not_fail():
    diagnosis = run(modes=ModeSummary(3, 10, (25.0, 9.0, 1.5)))
    assert diagnosis.status == "good"
    (warning,) = diagnosis.warnings()
    assert "1.5; 9.0" in warning
    assert "1,5; 9,0" in diagnosis.warnings("de")[0]
    assert warning in diagnosis.text()
    assert run(modes=ModeSummary(3, 10, (25.0,))).warnings() == []


def test_one_segment_has_no_labels_and_no_modes():
    rng = np.random.default_rng(0)
    size = (N_CHAINS, N_DRAWS)
    values = Values(np.ones((*size, 1)), {"orders": {"rate": rng.gamma(9.0, size=(*size, 1))}})
    diagnosis = run(
        values=values,
        chain_memberships=np.ones((N_CHAINS, 40, 1)),
        mean_sizes=np.array([40.0]),
        modes=ModeSummary(1, 1),
        non_permutation_share=0.0,
    )
    assert diagnosis.status == "good"
    exempt = [check.name for check in diagnosis.checks if not check.applies]
    assert exempt == [*WEIGHTED, "labels", "permutations", "modes"]


def test_nothing_that_moves_leaves_nothing_to_mix():
    size = (N_CHAINS, N_DRAWS)
    values = Values(np.ones((*size, 1)), {"orders": {"rate": np.ones((*size, 1))}})
    diagnosis = run(
        values=values,
        log_likelihood=np.zeros(size),
        chain_memberships=np.ones((4, 40, 1)),
        mean_sizes=np.array([40.0]),
    )
    assert not any(diagnosis.check(name).applies for name in ("rhat", "ess_bulk", "ess_tail"))
    assert diagnosis.status == "good"


def test_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match="Choose a method"):
        run(method="guess")


def everything_wrong() -> Diagnosis:
    return run(
        values=moved(stand_still_apart),
        sample_stats={
            "diverging": np.ones((N_CHAINS, N_DRAWS)),
            "energy": np.tile(np.arange(50.0), (N_CHAINS, 1)),
        },
        chain_memberships=np.random.default_rng(0).dirichlet([1] * K, size=(N_CHAINS, 40)),
        non_permutation_share=0.3,
        modes=ModeSummary(1, 10, (0.4,)),
        mean_sizes=np.array([90.0, 2.0, 8.0]),
    )


@pytest.mark.parametrize("diagnosis", [run(), run(values=moved(break_one)), everything_wrong()])
def test_json_round_trip(diagnosis):
    again = Diagnosis.from_json(diagnosis.to_json())
    assert again.to_json() == diagnosis.to_json()
    assert repr(again) == repr(diagnosis)
    assert again.text("de") == diagnosis.text("de")
    assert again.status == diagnosis.status


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_failed_check_says_what_why_and_what_to_do(language):
    diagnosis = everything_wrong()
    text = diagnosis.text(language, labels={"orders": "Bestellungen"})
    for check in diagnosis.failed:
        for part in ("why", "remedy"):
            assert say(f"gate.{check.name}.{part}", language) in text
    assert "Bestellungen" in text
    assert "{" not in text
    assert set(failed(diagnosis)) == set(NAMES) - set(WEIGHTED)


@pytest.mark.parametrize("name", NAMES)
def test_every_check_has_its_words(name):
    assert all(has(f"gate.{name}.{part}") for part in ("title", "what", "why", "remedy"))


def test_quantities_in_words():
    assert quantity("orders__rate[2]") == "orders (rate), segment 2"
    level = quantity("industry__probability[2,3]", "de")
    assert level == "industry (probability, Stufe 3), Segment 2"
    assert quantity("sorted_share[1]") == "share of the segment on rank 1 by size"
    assert quantity("chain[1,3]", "de") == "Läufe 1 und 3"
    assert quantity("chain[4]") == "run 4"
    assert quantity("") == "all quantities"
    assert quantity("something") == "something"
    assert join(["a"]) == "a"
    assert join(["a", "b", "c"], "de") == "a, b und c"


def test_importance_draws_are_judged_by_their_weights():
    figures = {"pareto_k": 0.4, "importance_ess": 900.0, "explored": 0.5}
    diagnosis = run(method="laplace", importance=figures)
    assert diagnosis.status == "good"
    applied = [check.name for check in diagnosis.checks if check.applies]
    assert applied == [*WEIGHTED, "permutations", "modes", "sizes"]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("pareto_k", 0.71, "outweighs"),
        ("importance_ess", 399.0, "by weight"),
        ("explored", 5.1, "sight"),
    ],
)
def test_importance_draws_fail_by_name(name, value, word):
    figures = {"pareto_k": 0.4, "importance_ess": 900.0, "explored": 0.5} | {name: value}
    diagnosis = run(method="laplace", importance=figures)
    assert failed(diagnosis) == [name]
    assert word in diagnosis.text()


@pytest.mark.parametrize(
    ("name", "value", "excess"),
    [
        ("rhat", 1.02, 1.0),
        ("ess_bulk", 200.0, 1.0),
        ("importance_ess", 0.0, np.inf),
        ("pareto_k", 1.05, 0.5),
        ("divergences", 3.0, 3.0),
        ("labels", np.nan, np.inf),
    ],
)
def test_excess_is_a_share_of_the_bound(name, value, excess):
    check = Check(name, True, False, value, BOUNDS[name])
    assert check.excess == pytest.approx(excess)
    assert replace(check, passed=True).excess == 0.0


def test_importance_draws_without_figures_have_not_passed():
    assert failed(run(method="laplace")) == ["pareto_k", "importance_ess"]
