import math

import numpy as np
import pytest

from softseg.report import amounts
from softseg.report.facts import Band


def band(mean: float, lower: float, upper: float) -> Band:
    return Band(np.float64(mean), np.float64(lower), np.float64(upper))


@pytest.mark.parametrize(
    ("x", "decimals", "english", "german"),
    [
        (1234.5678, 2, "1,234.57", "1.234,57"),
        (1234.5678, -2, "1,200", "1.200"),
        (-0.5, 1, "−0.5", "−0,5"),
        (-0.001, 1, "0.0", "0,0"),
        (math.nan, 1, "–", "–"),
        (math.inf, 1, "∞", "∞"),
        (-math.inf, 1, "−∞", "−∞"),
    ],
)
def test_numbers_follow_the_language(x: float, decimals: int, english: str, german: str) -> None:
    assert amounts.fixed(x, decimals, "en") == english
    assert amounts.fixed(x, decimals, "de") == german


@pytest.mark.parametrize(
    ("mean", "lower", "upper", "expected"),
    [
        (8213.4, 7950.0, 8480.0, ("8,200", "8,000–8,500")),  # width 530: hundreds
        (3.0123, 2.67, 3.33, ("3.0", "2.7–3.3")),
        (41.02, 40.51, 41.57, ("41.0", "40.5–41.6")),  # width 1.04: two digits
        (-0.03, -0.05, 0.01, ("−0.03", "−0.05 … 0.01")),
        (2.0, 2.0, 2.0, ("2.00", "2.00–2.00")),
        (math.nan, math.nan, math.nan, ("–", "–")),
    ],
)
def test_a_cell_prints_the_digits_its_interval_supports(
    mean: float, lower: float, upper: float, expected: tuple[str, str]
) -> None:
    assert amounts.cell(band(mean, lower, upper), "en") == expected


def test_a_share_is_printed_with_its_interval() -> None:
    assert amounts.share_interval(band(0.15, 0.132, 0.171), "en") == ("15%", "13–17%")
    nbsp = "\N{NO-BREAK SPACE}"
    german = amounts.share_interval(band(0.151, 0.147, 0.155), "de")
    assert german == (f"15,1{nbsp}%", f"14,7–15,5{nbsp}%")
    assert amounts.share_interval(band(-0.03, -0.05, -0.01), "en") == ("−3%", "−5 … −1%")


def test_three_digits_are_kept_left_and_right_of_the_point() -> None:
    assert amounts.plain_number(3514.6, "en") == "3,510"
    assert amounts.plain_number(0.0012345, "de") == "0,00123"
    assert amounts.plain_number(0.0, "en") == "0"


def test_amounts_have_a_true_minus_sign_and_may_lack_a_currency() -> None:
    assert amounts.amount(-1_240_000, "EUR", "en").startswith("−")
    assert amounts.amount(1210.0, "", "de") == "1.210"


def test_a_number_beside_a_cell_is_as_fine_and_keeps_two_digits() -> None:
    assert amounts.beside(26.71, band(82.0, 76.0, 87.0), "en") == "27"
    assert amounts.beside(5.912, band(4.3, 4.0, 4.5), "de") == "5,9"
    assert amounts.beside(1331.0, band(3900.0, 3500.0, 4200.0), "en") == "1,300"
    assert amounts.beside(0.0, band(1.0, 0.9, 1.1), "en") == "0"


def test_a_unit_stays_with_its_number() -> None:
    assert amounts.with_unit("5", "h", "en") == "5\N{NO-BREAK SPACE}h"
    assert amounts.with_unit("5", "%", "en") == "5%"
    assert amounts.with_unit("5", "%", "de") == "5\N{NO-BREAK SPACE}%"
    assert amounts.with_unit("5", "", "de") == "5"


def test_lists_are_joined_in_words() -> None:
    assert amounts.listing(["a"], "and") == "a"
    assert amounts.listing(["a", "b", "c"], "und") == "a, b und c"
    assert amounts.listing([], "and") == ""


def test_a_range_skips_what_is_not_finite() -> None:
    assert amounts.finite_range(np.array([np.nan, 2.0]), np.array([-1.0, np.inf])) == (-1.0, 2.0)
    assert amounts.finite_range(np.array([np.nan])) == (0.0, 1.0)
