import numpy as np
import pytest

from moving_builders import MONTH, STAY, with_panel
from segment_builders import VOLUME, programme, simulation
from softseg.decisions.answers.drivers import MOVES, evidence_share, tornado, what_drives
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel
from softseg.decisions.segments.split import split


def model(rank: float | None = None, *, uncertain: bool = True) -> RoiModel:
    """Return NPV = works × share × saving − cost, in thousands; normal where `rank` is given."""
    bounds = {"sure": 1.0, "family": "uniform"} if rank is None else {"family": "normal"}
    inputs = {
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.3, "evidence": "expert"},
        "share": {"role": "realisation", "unit": "share", "low": 0.2, "high": 0.8, "sure": 1.0,
                  "family": "uniform", "evidence": "expert"},
        "saving": {"role": "saving", "unit": "EUR/year", "low": 50.0, "high": 150.0, **bounds,
                   "evidence": "own_pilot"},
        "cost": {"role": "one_off_cost", "unit": "EUR", "low": 10.0, "high": 30.0, **bounds,
                 "evidence": "published"},
    }  # fmt: skip
    if not uncertain:
        for name, value in {"no_effect": 0.0, "share": 0.5, "saving": 100.0, "cost": 20.0}.items():
            kept = {key: inputs[name][key] for key in ("role", "unit")}
            inputs[name] = kept | {"value": value}
    pairs = [{"between": ("saving", "cost"), "rank": rank}] if rank else []
    data = {"horizon": 1, "inputs": inputs, "dependence": {"correlations": pairs}}
    return RoiModel(Assumptions.model_validate(data))


LOW, HIGH = 55.0, 145.0
"""5 % and 95 % quantiles of a saving that is uniform on 50 to 150."""


def test_tornado_of_independent_inputs():
    found = tornado(model().simulate(16, 1024))
    assert list(found.input.values) == ["share", "saving", "cost", "works"]
    saving = found.sel(input="saving")
    np.testing.assert_allclose(saving.value, [LOW, HIGH], rtol=1e-3)
    expected = {
        "ceteris_paribus": [0.5 * LOW - 20.0, 0.5 * HIGH - 20.0],
        "set": [0.35 * LOW - 20.0, 0.35 * HIGH - 20.0],
        "conditional": [0.35 * LOW - 20.0, 0.35 * HIGH - 20.0],
    }
    for kind, value in expected.items():
        one = saving.sel(kind=kind)
        np.testing.assert_allclose(one.npv, value, atol=0.5)
        assert (np.abs(one.npv - value) < 4.0 * one.npv_error + 0.05).all()
        np.testing.assert_allclose(one.roi, np.array(value) / 20.0, atol=0.05)
        assert float(one.width) == pytest.approx(value[1] - value[0], abs=0.8)
    np.testing.assert_allclose(found.centre, [30.0, 15.0, 15.0], atol=0.1)
    works = found.sel(input="works")
    np.testing.assert_allclose(works.npv.sel(kind="ceteris_paribus"), [-20.0, 30.0], atol=0.05)
    np.testing.assert_allclose(works.npv.sel(kind="set"), [-20.0, 30.0], atol=0.05)
    np.testing.assert_allclose(works.npv.sel(kind="conditional"), [-20.0, 30.0], atol=0.5)


def test_what_moves_along_shows_in_the_conditional_tornado_only():
    rank = 0.6
    found = tornado(model(rank).simulate(16, 1024)).sel(input="cost")
    r = 2.0 * np.sin(np.pi * rank / 6.0)
    low = 20.0 + np.array([-10.0, 10.0])
    saving = 100.0 + r * np.array([-50.0, 50.0])
    np.testing.assert_allclose(found.npv.sel(kind="ceteris_paribus"), 50.0 - low, atol=0.1)
    np.testing.assert_allclose(found.npv.sel(kind="set"), 35.0 - low, atol=0.1)
    np.testing.assert_allclose(found.npv.sel(kind="conditional"), 0.35 * saving - low, atol=0.7)


def test_tornado_without_adjustment_leaves_out_whether_it_works():
    found = tornado(model().simulate(4, 256), adjusted=False)
    assert list(found.input.values) == ["share", "saving", "cost"]
    np.testing.assert_allclose(found.width.sel(input="share"), 0.0, atol=4.0)
    assert float(found.width.sel(input="share", kind="set")) == pytest.approx(0.0, abs=1e-9)


def test_tornado_of_an_uncertain_probability_of_no_effect():
    given = model().assumptions
    unsure = {"value": None, "low": 0.2, "high": 0.4, "sure": 1.0, "family": "uniform"}
    inputs = given.inputs | {"no_effect": given.inputs["no_effect"].model_copy(update=unsure)}
    found = tornado(RoiModel(given.model_copy(update={"inputs": inputs})).simulate(16, 256))
    mean = 50.0 * (1.0 - np.array([0.21, 0.39])) - 20.0
    no_effect = found.sel(input="no_effect")
    np.testing.assert_allclose(no_effect.npv.sel(kind="set"), mean, atol=0.1)
    np.testing.assert_allclose(no_effect.npv.sel(kind="conditional"), mean, atol=1.0)
    assert float(no_effect.width.sel(kind="ceteris_paribus")) == 0.0


def test_what_the_caller_has_set_stays_set():
    simulation = model().simulate(4, 256).pinned({"works": 1.0, "saving": 120.0})
    found = tornado(simulation)
    assert list(found.input.values) == ["share", "cost"]
    np.testing.assert_allclose(found.centre, 0.5 * 120.0 - 20.0, atol=0.5)
    np.testing.assert_allclose(
        found.npv.sel(input="share", kind="set"), np.array([0.23, 0.77]) * 120.0 - 20.0, atol=0.5
    )


def test_the_centre_is_that_of_the_scenarios():
    given = model().assumptions
    likely = {"low": 40.0, "likely": 50.0, "high": 200.0, "family": "pert"}
    inputs = given.inputs | {"saving": given.inputs["saving"].model_copy(update=likely)}
    found = tornado(RoiModel(given.model_copy(update={"inputs": inputs})).simulate(4, 256))
    centre = float(found.centre.sel(kind="ceteris_paribus"))
    assert centre == pytest.approx(0.5 * 50.0 - 20.0)


def closed_index(known: set[str]) -> float:
    """Return Var E[NPV | known] of the independent model."""
    mean = {"works": 0.7, "share": 0.5, "saving": 100.0}
    square = {"works": 0.7, "share": 0.28, "saving": 1e4 + 1e4 / 12.0}
    product = np.prod([square[n] if n in known else mean[n] ** 2 for n in mean])
    return float(product - np.prod(list(mean.values())) ** 2 + (400.0 / 12.0) * ("cost" in known))


def shapley(groups: dict[str, set[str]]) -> dict[str, float]:
    from itertools import permutations

    effect = dict.fromkeys(groups, 0.0)
    for order in permutations(groups):
        known: set[str] = set()
        for player in order:
            before = closed_index(known)
            known = known | groups[player]
            effect[player] += closed_index(known) - before
    return {name: value / sum(effect.values()) for name, value in effect.items()}


def test_shares_of_the_inputs():
    found = what_drives(model().simulate(16, 1024))
    assert list(found.input.values) == ["share", "saving", "cost", "works"]
    expected = shapley({name: {name} for name in found.input.values})
    for name, value in expected.items():
        one = found.sel(input=name)
        assert float(one.share) == pytest.approx(value, abs=0.01)
        assert abs(float(one.share) - value) < 4.0 * float(one.share_error) + 1e-3
        first = closed_index({name}) / closed_index(set(expected))
        assert float(one.first_order) == pytest.approx(first, abs=0.02)
        rest = 1.0 - closed_index(set(expected) - {name}) / closed_index(set(expected))
        assert float(one.total) == pytest.approx(rest, abs=0.02)
    assert float(found.share.sum()) == pytest.approx(1.0)
    assert abs(found.attrs["unexplained"]) < 0.01
    assert found.attrs["other"] == ""


def test_variance_by_grade_of_evidence():
    found = evidence_share(model().simulate(16, 1024))
    groups = {"expert": {"share", "works"}, "own_pilot": {"saving"}, "published": {"cost"}}
    npv = found.sel(outcome="npv")
    for grade, value in shapley(groups).items():
        assert float(npv.share.sel(evidence=grade)) == pytest.approx(value, abs=0.01)
    assert float(npv.share.sel(evidence="own_posterior")) == 0.0
    np.testing.assert_allclose(found.share.sum("evidence"), 1.0)
    assert float(npv.judgement) == pytest.approx(float(npv.share.sel(evidence="expert")))
    assert float(npv.without_own_data) == pytest.approx(
        1.0 - float(npv.share.sel(evidence="own_pilot"))
    )
    assert float(npv.without_own_data_error) == pytest.approx(
        float(npv.share_error.sel(evidence="own_pilot"))
    )
    assert 0.0 < float(npv.judgement_error) < 0.02
    assert found.attrs["judgement"] == "expert"
    assert found.attrs["without_own_data"] == "expert published"
    # Whether it works decides most about losing money.
    assert float(found.judgement.sel(outcome="loss")) > 0.8


def test_with_nothing_uncertain_there_is_nothing_to_share():
    simulation = model(uncertain=False).simulate(4, 64)
    assert what_drives(simulation).sizes == {"input": 0}
    assert tornado(simulation).sizes["input"] == 0
    assert (evidence_share(simulation).share == 0.0).all()


def test_one_replicate_has_no_errors():
    simulation = model().simulate(1, 1024)
    assert what_drives(simulation).share_error.isnull().all()
    assert evidence_share(simulation).judgement_error.isnull().all()
    assert tornado(simulation).npv_error.sel(kind="set").isnull().all()


def test_with_a_panel_moves_are_among_what_drives():
    plan = programme({"A": {"more": VOLUME | {"low": 4.0, "high": 6.0}}})
    panel = with_panel(rows=MONTH, concentration=80.0)
    sim = simulation(panel, plan, {}, n_draws=1024)
    found = split(sim)
    blocks = ["migration", "chance"]
    moving = float(found["share"].sel(block=blocks).sum())
    error = float(np.hypot(*found["share_error"].sel(block=blocks)))
    drives = what_drives(sim.whole)
    assert moving > 4.0 * error
    assert float(drives["share"].sel(input=MOVES)) == pytest.approx(moving, abs=3.0 * error)
    assert drives.attrs["unexplained"] < 0.01
    evidence = evidence_share(sim.whole)["share"].sel(outcome="npv")
    fitted = 1.0 - float(found["share"].sel(block="judgement"))
    assert float(evidence.sel(evidence="own_posterior")) == pytest.approx(fitted, abs=0.03)
    still = what_drives(simulation(with_panel(rows=STAY), plan, {}).whole)
    assert MOVES not in still["input"].values
