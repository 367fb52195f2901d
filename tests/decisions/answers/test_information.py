import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import qmc

from softseg.decisions.answers.information import evpi, evppi, information
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel


def normal(n_columns: int, n: int = 4096, n_replicates: int = 16, seed: int = 0) -> np.ndarray:
    """Return normal scores, (column, replicate, draw)."""
    engines = [
        qmc.Sobol(n_columns, rng=np.random.default_rng([seed, r])) for r in range(n_replicates)
    ]
    return np.moveaxis(ndtri(np.stack([engine.random(n) for engine in engines])), 2, 0)


def test_normal_closed_form():
    z = normal(3)
    net = np.stack([np.zeros(z.shape[1:]), 100.0 + 240.0 * z[0] + 180.0 * z[1]])
    rng = np.random.default_rng(1)
    for found, expected in (
        (evpi(net), 76.2708),
        (evppi(net, z[0], rng), 53.9393),
        (evppi(net, z[1], rng), 32.6149),
        (evppi(net, {"both": z[0], "of them": z[1]}, rng), 76.2708),
        (evppi(net, {"first": z[0], "noise": z[2]}, rng), 53.9393),
    ):
        assert found.estimate == pytest.approx(expected, rel=0.01)
        assert abs(found.estimate - expected) < 3.0 * found.error
    assert evppi(net, z[2], rng).estimate < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_worth_nothing_within_its_error(seed: int):
    rng = np.random.default_rng(seed)
    # Both decisions are equally good, which is where the largest of noisy fits is most biased.
    z = rng.standard_normal((2, 20_000))
    found = evppi(np.stack([np.zeros(20_000), 300.0 * z[0]]), z[1], rng)
    assert 0.0 <= found.estimate < 2.0 * found.error
    assert found.bias < found.error < 0.02 * evpi(np.stack([0.0 * z[0], 300.0 * z[0]])).estimate * 2


def test_errors_are_right_for_independent_draws():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        z = rng.standard_normal((2, 4000))
        net = np.stack([np.zeros(4000), 100.0 + 240.0 * z[0] + 180.0 * z[1]])
        found.append((*evppi(net, z[0], rng)[:2], *evpi(net)[:2]))
    evppi_found, evppi_error, evpi_found, evpi_error = np.array(found).T
    assert 0.8 < evppi_error.mean() / evppi_found.std() < 1.6
    assert evpi_error.mean() == pytest.approx(evpi_found.std(), rel=0.3)


def test_three_decisions_and_more_inputs_are_worth_more():
    z = normal(4, 1024)
    net = np.stack(
        [0.0 * z[0], 50.0 + 100.0 * z[0] + 60.0 * z[2], 40.0 + 100.0 * z[1] * (1 + z[3])]
    )
    rng = np.random.default_rng(1)
    sets = ([0], [0, 1], [0, 1, 2], [0, 1, 2, 3])
    worth = [evppi(net, {str(i): z[i] for i in members}, rng) for members in sets]
    whole = evpi(net)
    for less, more in zip(worth, [*worth[1:], whole], strict=True):
        assert less.estimate < more.estimate + 2.0 * (less.error + more.error)
    assert worth[0].estimate > 0.0


def test_a_misfit_above_the_whole_is_part_of_the_error():
    z = normal(4, 256)
    # Products of four are not among the columns; this one never changes the decision.
    net = np.stack([0.0 * z[0], 0.001 + np.exp(z).prod(axis=0)])
    found = evppi(net, {str(i): z[i] for i in range(4)}, np.random.default_rng(1))
    assert evpi(net).estimate == 0.0
    assert 0.0 < found.estimate <= found.bias < found.error


def test_nothing_uncertain_is_worth_exactly_nothing():
    net = np.stack([np.zeros((4, 64)), np.full((4, 64), 0.1)])
    assert evpi(net) == (0.0, 0.0, 0.0)
    assert evppi(net, np.arange(256.0).reshape(4, 64), np.random.default_rng(1)).estimate == 0.0


def model(**changed: object) -> RoiModel:
    """Return one saving, one cost, one year: NPV = works × share × saving − cost."""
    inputs = {
        "no_effect": {"role": "no_effect", "unit": "share", "value": 0.3, "evidence": "expert"},
        "share": {"role": "realisation", "unit": "share", "low": 0.2, "high": 0.8, "sure": 1.0,
                  "family": "uniform", "evidence": "expert"},
        "saving": {"role": "saving", "unit": "kEUR/year", "low": 50.0, "high": 150.0, "sure": 1.0,
                   "family": "uniform", "evidence": "own_pilot"},
        "cost": {"role": "one_off_cost", "unit": "kEUR", "low": 5.0, "high": 9.0, "sure": 1.0,
                 "family": "uniform", "evidence": "published"},
    }  # fmt: skip
    return RoiModel(Assumptions.model_validate({"horizon": 1, "inputs": inputs} | changed))


def test_the_model_against_the_closed_form():
    found = information(model().simulate(16, 1024))
    assert list(found.input.values) == ["share", "saving", "cost", "works"]
    assert list(found.decision.values) == ["nothing", "segmented"]
    # A programme that works always pays here, so that all that matters is whether it works.
    expected = 0.3 * 7000.0
    for value, error in (
        (found.evpi, found.evpi_error),
        (found.evppi.sel(input="works"), found.evppi_error.sel(input="works")),
    ):
        assert abs(float(value) - expected) < 4.0 * float(error)
        assert float(error) < 0.03 * expected
    others = found.sel(input=["share", "saving", "cost"])
    np.testing.assert_allclose(others.evppi, 0.0, atol=1e-9)
    groups = dict(zip(found.group.values, found.group_evppi.values, strict=True))
    assert groups["expert"] == pytest.approx(expected, rel=0.05)
    assert groups["own_pilot"] == groups["published"] == 0.0
    assert str(found.group_members.sel(group="expert").values) == "share works"
    np.testing.assert_allclose(found.mean_net, [0.0, 0.7 * 50_000.0 - 7000.0], rtol=0.01)


def test_without_adjustment_whether_it_works_is_no_question():
    found = information(model().simulate(4, 256), adjusted=False)
    assert list(found.input.values) == ["share", "saving", "cost"]
    assert float(found.evpi) == 0.0
    assert found.share.isnull().all()


def test_latent_factors_are_groups():
    factor = {"label": "size", "loads": {"saving": 0.6, "cost": 0.6}}
    found = information(model(dependence={"factors": {"size": factor}}).simulate(4, 256))
    assert str(found.group_kind.sel(group="size").values) == "factor"
    assert str(found.group_members.sel(group="size").values) == "saving cost"


def test_a_uniform_programme_is_a_third_decision():
    given = model().assumptions
    inputs = given.inputs | {
        "plain_saving": given.inputs["saving"].model_copy(update={"programme": "uniform"}),
        "plain_cost": given.inputs["cost"].model_copy(update={"programme": "uniform"}),
    }
    both = RoiModel(given.model_copy(update={"inputs": inputs}))
    found = information(both.simulate(16, 256))
    assert list(found.decision.values) == ["nothing", "segmented", "uniform"]
    # Which of the two is better is now worth knowing.
    for name in ("saving", "plain_saving"):
        assert float(found.evppi.sel(input=name)) > 1000.0
    assert (found.evppi <= found.evpi + 2.0 * found.evppi_error).all()


def test_an_uncertain_probability_of_no_effect_is_worth_knowing():
    given = model().assumptions
    unsure = {"value": None, "low": 0.01, "high": 0.99, "sure": 1.0, "family": "uniform"}
    inputs = given.inputs | {
        "no_effect": given.inputs["no_effect"].model_copy(update=unsure),
        "cost": given.inputs["cost"].model_copy(update={"low": 20.0, "high": 28.0}),
    }
    found = information(RoiModel(given.model_copy(update={"inputs": inputs})).simulate(16, 1024))
    # N given the probability p is 50 (1 − p) − 24 in thousands, p uniform on 0.01 to 0.99.
    p = np.linspace(0.01, 0.99, 100_001)
    net = 50_000.0 * (1.0 - p) - 24_000.0
    expected = np.maximum(net, 0.0).mean() - max(net.mean(), 0.0)
    worth = found.sel(input="no_effect")
    assert float(worth.evppi) == pytest.approx(expected, rel=0.02)
    assert float(worth.evppi) < float(found.evppi.sel(input="works"))


def test_a_programme_set_to_work_leaves_nothing_to_find_out():
    found = information(model().simulate(4, 256).pinned({"works": 1.0}))
    assert float(found.evpi) == 0.0
    assert float(found.mean_net.sel(decision="segmented")) == pytest.approx(43_000.0, rel=0.01)
    assert (found.evppi == 0.0).all()


def test_nothing_done_is_exactly_nothing():
    given = model().assumptions
    nothing = {"value": 0.0, "low": None, "high": None, "family": None, "sure": 0.9}
    inputs = given.inputs | {
        name: given.inputs[name].model_copy(update=nothing) for name in ("saving", "cost")
    }
    found = information(RoiModel(given.model_copy(update={"inputs": inputs})).simulate(4, 256))
    assert float(found.evpi) == 0.0
    assert (found.evppi == 0.0).all()


def test_same_seed_same_numbers_and_fewer_draws():
    simulation = model().simulate(4, 256)
    first, second = information(simulation, n_draws=64), information(simulation, n_draws=64)
    assert first.identical(second)
    assert first.attrs["n_draws"] == 256
