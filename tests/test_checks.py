"""Argument checks pass what fits and name what does not."""

import numpy as np
import pytest

from softseg.checks import one_of, positive, probability, whole_number
from softseg.errors import UsageError


def test_what_fits_is_returned() -> None:
    assert whole_number(np.int64(4), "n_segments", 1, 20) == 4
    assert positive(2, "hours") == 2.0
    assert probability(0, "level") == 0.0
    assert one_of("nuts", "method", ("nuts", "gibbs")) == "nuts"


@pytest.mark.parametrize("value", [0, 2.5, True, "3", None, 21])
def test_whole_number_refuses(value: object) -> None:
    with pytest.raises(UsageError, match="Give n_segments as a whole number from 1 to 20, got"):
        whole_number(value, "n_segments", 1, 20)


def test_whole_number_without_upper_bound() -> None:
    with pytest.raises(UsageError, match="of at least 1, got 0"):
        whole_number(0, "n_draws", 1)


@pytest.mark.parametrize("value", [0, -1.0, np.inf, np.nan, "1", True])
def test_positive_refuses(value: object) -> None:
    with pytest.raises(UsageError, match="Give hours as a finite number above 0"):
        positive(value, "hours")


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, None])
def test_probability_refuses(value: object) -> None:
    with pytest.raises(UsageError, match="Give level as a number from 0 to 1"):
        probability(value, "level")


def test_one_of_refuses() -> None:
    with pytest.raises(UsageError, match="Choose method out of \\['nuts', 'gibbs'\\], got 'vi'"):
        one_of("vi", "method", ("nuts", "gibbs"))
