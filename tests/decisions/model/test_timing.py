"""Ramps, fading and discounting by hand."""

import numpy as np
import pytest

from roi_builders import assumptions
from softseg.decisions.inputs.schema import Profile
from softseg.decisions.model.timing import (
    discount_factors,
    effect_weights,
    one_off_weights,
    running_weights,
)

FILE = assumptions({}, horizon=5, ramp=[0.0, 0.5, 1.0])


def test_an_effect_without_a_ramp_takes_that_of_the_file() -> None:
    assert effect_weights(Profile(), FILE).tolist() == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert effect_weights(Profile(ramp=(1.0,)), FILE).tolist() == [1.0] * 5


def test_start_and_last_year() -> None:
    profile = Profile(start=2, ramp=(0.25, 1.0), last=4)
    assert effect_weights(profile, FILE).tolist() == [0.0, 0.25, 1.0, 1.0, 0.0]
    assert effect_weights(profile, FILE, timed=False).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_an_effect_halves_after_its_half_life() -> None:
    profile = Profile(ramp=(0.5, 1.0), half_life=2.0)
    expected = [0.5, 1.0, 0.5**0.5, 0.5, 0.5**1.5]
    np.testing.assert_allclose(effect_weights(profile, FILE), expected)


def test_a_delay_moves_the_ramp_also_by_parts_of_a_year() -> None:
    delay = np.array([0.0, 1.0, 0.5, 2.25])
    weights = effect_weights(Profile(ramp=(0.4, 1.0)), FILE, delay=delay)
    assert weights.shape == (5, 4)
    assert weights[:, 0].tolist() == [0.4, 1.0, 1.0, 1.0, 1.0]
    assert weights[:, 1].tolist() == [0.0, 0.4, 1.0, 1.0, 1.0]
    np.testing.assert_allclose(weights[:3, 2], [0.2, 0.7, 1.0])
    np.testing.assert_allclose(weights[:, 3], [0.0, 0.0, 0.3, 0.85, 1.0])


def test_costs_are_paid_when_they_are_due() -> None:
    assert running_weights(Profile(), 3).tolist() == [1.0, 1.0, 1.0]
    assert running_weights(Profile(start=2, last=2), 3).tolist() == [0.0, 1.0, 0.0]
    assert running_weights(Profile(ramp=(0.5, 1.0)), 3).tolist() == [0.5, 1.0, 1.0]
    assert one_off_weights(Profile(start=2), 3).tolist() == [0.0, 1.0, 0.0]
    assert one_off_weights(Profile(ramp=(0.6, 0.4)), 3).tolist() == [0.6, 0.4, 0.0]
    assert one_off_weights(Profile(start=3, ramp=(0.6, 0.4)), 3).tolist() == [0.0, 0.0, 0.6]


@pytest.mark.parametrize(
    ("convention", "first"), [("year_end", 1.1**-1), ("mid_year", 1.1**-0.5), ("year_start", 1.0)]
)
def test_discounting_names_its_convention(convention, first: float) -> None:
    factors = discount_factors(0.1, 3, convention)
    np.testing.assert_allclose(factors, first * 1.1 ** -np.arange(3.0))
    by_draw = discount_factors(np.array([0.1, 0.0]), 3, convention)
    np.testing.assert_allclose(by_draw[:, 0], factors)
    assert by_draw[:, 1].tolist() == [1.0, 1.0, 1.0]
