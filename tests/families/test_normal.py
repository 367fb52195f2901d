import numpy as np
import pytest

from families.cases import frozen, sums_of
from softseg.families import family
from softseg.families.base import Coding, Observed
from softseg.families.normal import centre_and_scale


def test_centre_is_as_fine_as_the_scale():
    """Six digits of the mean would put the prior of 1e9 ± 1 hundreds of sd beside the data."""
    values = 1_234_567_890.0 + np.array([-1.0, 0.0, 1.0])
    centre, scale = centre_and_scale(values)
    assert abs(centre - 1_234_567_890.0) < 1e-4
    assert scale == pytest.approx(np.sqrt(2.0 / 3.0), rel=1e-5)


@pytest.mark.parametrize("values", [[], [np.nan], [7.0], [0.1] * 10, [1e-200, 2e-200]])
def test_no_spread_reads_as_one(values):
    assert centre_and_scale(np.array(values))[1] == 1.0


@pytest.mark.parametrize("name", ["gaussian", "lognormal", "asinh_normal"])
def test_small_spread_far_from_zero_loses_no_digits(name, rng):
    member = family(name)
    noise = rng.standard_normal(400)
    noise = (noise - noise.mean()) / noise.std()
    values = 1e9 + (1.0 if name == "gaussian" else 1e3) * noise
    observed = frozen(member, Observed(values))
    sums = sums_of(member.encode(observed), np.ones((400, 1)))
    spread = {p.name: np.array([1.0]) for p in member.parameters}
    found = member.maximise(sums, spread, None, observed.coding)
    location, scale = (found[p.name][0] for p in member.parameters)
    relative = 1e3 / 1e9
    exact = {
        "gaussian": (1e9, 1.0),
        "lognormal": (np.log(1e9), relative),
        "asinh_normal": (
            np.arcsinh(1e9 / observed.coding.width),
            1e3 / np.hypot(1e9, observed.coding.width),
        ),
    }[name]
    assert abs(location - exact[0]) < 1e-3 * exact[1]
    assert scale == pytest.approx(exact[1], rel=1e-3)
    prior = member.default_priors(observed)
    first = prior[member.parameters[0].name]
    assert abs(first.parameters["mu"] - exact[0]) < 0.01 * first.parameters["sigma"]


def test_likelihood_without_prior_has_a_floor_for_the_scale():
    member = family("gaussian")
    observed = frozen(member, Observed(np.array([0.0, 10.0, 20.0])))
    weights = np.array([[1.0], [0.0], [0.0]])
    start = {"mean": np.array([1.0]), "sd": np.array([1.0])}
    sums = sums_of(member.encode(observed), weights)
    found = member.maximise(sums, start, None, observed.coding)
    assert found["mean"][0] == pytest.approx(0.0, abs=1e-9)
    assert found["sd"][0] == pytest.approx(1e-3 * observed.coding.scale, rel=1e-6)


def test_asinh_width_is_the_typical_size():
    member = family("asinh_normal")
    coding = member.coding(Observed(np.array([0.0, 0.0, -2.0, 5.0, 100.0, np.nan])))
    assert coding.width == 5.0
    assert member.coding(Observed(np.zeros(3))) == Coding(centre=0.0, scale=1.0, width=1.0)


def test_extreme_parameters_keep_the_profile_finite():
    """Draws of an empty segment may be absurd; the report must still add them up."""
    absurd = {
        "lognormal": {"log_mean": [800.0], "log_sd": [1e3]},
        "asinh_normal": {"location": [900.0], "spread": [1e3]},
    }
    for name, parameters in absurd.items():
        parameters = {key: np.array(value) for key, value in parameters.items()}
        lines = family(name).profile(parameters, Coding(width=100.0))
        assert all(np.isfinite(line.values).all() for line in lines)
