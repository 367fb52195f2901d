"""Inputs as people say them become distributions, or a sentence that says what is wrong."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from softseg.decisions.inputs.faults import Fault
from softseg.decisions.inputs.ranges import (
    Marginal,
    family_of,
    marginal,
    range_fault,
    realised_tails,
)
from softseg.decisions.inputs.schema import Input
from softseg.errors import SchemaError
from softseg.wording import LANGUAGES


def entry(role: str = "one_off_cost", unit: str = "kEUR", **numbers: Any) -> Input:
    return Input.model_validate({"role": role, "unit": unit, **numbers})


FAMILIES: dict[str, dict[str, Any]] = {
    "normal": dict(low=-10, high=40, family="normal"),
    "lognormal": dict(low=10, high=40, family="lognormal"),
    "gamma": dict(low=10, high=40, family="gamma"),
    "beta": dict(low=10, high=40, unit="%", family="beta"),
    "uniform": dict(low=10, high=40, family="uniform"),
    "triangular": dict(low=10, likely=15, high=40, family="triangular"),
    "pert": dict(low=10, likely=15, high=40, family="pert"),
    "samples": dict(samples=(3, 1, 2, 5, 8)),
}


def test_numbers_come_in_base_units():
    found = marginal(entry(unit="kEUR", low=50, high=150))
    assert found.family == "lognormal"
    assert found.quantile([0.05, 0.95]) == pytest.approx([50e3, 150e3], rel=1e-12)
    assert found.parameters["mu"] == pytest.approx(11.3691, abs=6e-5)
    share = marginal(entry("saving", "%", base=("revenue",), low=5, high=15))
    assert share.quantile([0.05, 0.95]) == pytest.approx([0.05, 0.15], rel=1e-10)
    points = marginal(entry("revenue_effect", "pp", effect="margin", low=0.8, high=2.5, sure=0.8))
    assert points.quantile([0.1, 0.9]) == pytest.approx([0.008, 0.025], rel=1e-10)


@pytest.mark.parametrize(
    ("numbers", "family"),
    [
        (dict(value=3), "point"),
        (dict(samples=(1, 2, 3)), "samples"),
        (dict(low=1, likely=2, high=4), "pert"),
        (dict(low=1, likely=2, high=4, family="lognormal"), "lognormal"),
        (dict(low=1, likely=2, high=4, family="maxent"), "lognormal"),
        (dict(low=1, high=4), "lognormal"),
        (dict(low=0, high=4), "normal"),
        (dict(low=-2, high=4), "normal"),
        (dict(role="delay", unit="years", low=0.5, high=2), "gamma"),
        (dict(role="saving", unit="%", low=5, high=15), "beta"),
        (dict(role="saving", unit="EUR/year", low=5, high=15), "lognormal"),
        (dict(role="realisation", unit="share", low=0.2, high=0.8), "beta"),
        (dict(role="no_effect", unit="%", low=10, high=40), "beta"),
        (dict(role="no_effect", unit="%", low=10, high=40, family="normal"), "normal"),
        (dict(role="contribution_margin", unit="%", low=25, high=45), "beta"),
        (dict(role="tax_rate", unit="%", low=25, high=33), "beta"),
        (dict(role="revenue_effect", effect="churn", unit="%", low=30, high=50), "beta"),
        (dict(role="revenue_effect", effect="volume", unit="%", low=1, high=4), "lognormal"),
    ],
)
def test_the_family_follows_from_what_the_input_is(numbers: dict[str, Any], family: str):
    assert family_of(entry(**numbers)) == family
    if numbers.get("family") != "maxent":
        assert marginal(entry(**numbers)).family == family


@pytest.mark.parametrize("sure", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "samples"])
def test_tails_are_what_was_said(family: str, sure: float):
    given = entry(**FAMILIES[family], sure=sure)
    assert realised_tails(given) == pytest.approx((0.5 - sure / 2,) * 2, abs=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_quantiles_probabilities_and_moments_agree(family: str):
    found = marginal(entry(**FAMILIES[family]))
    p = (np.arange(200_000) + 0.5) / 200_000
    x = found.quantile(p)
    assert found.mean() == pytest.approx(x.mean(), rel=1e-4)
    assert found.sd() == pytest.approx(x.std(), rel=1e-3)
    if family == "samples":
        assert found.cdf([0.0, 1e3, 4.9e3, 8e3]) == pytest.approx([0.0, 0.2, 0.6, 1.0])
    else:
        np.testing.assert_allclose(found.cdf(x), p, rtol=1e-9)
    assert found.quantile(0.3).shape == found.cdf(0.3).shape == found.from_score(0.3).shape == ()


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_give_the_quantiles(family: str):
    found = marginal(entry(**FAMILIES[family]))
    z = np.linspace(-8.0, 3.0, 5_001).reshape(3, 1667)
    np.testing.assert_allclose(found.from_score(z), found.quantile(ndtr(z)), rtol=1e-8)


@pytest.mark.parametrize(
    ("family", "oracle"),
    [
        ("normal", lambda p: stats.norm(p["mu"], p["sigma"])),
        ("lognormal", lambda p: stats.lognorm(p["sigma"], scale=np.exp(p["mu"]))),
        ("gamma", lambda p: stats.gamma(p["shape"], scale=p["scale"])),
        ("beta", lambda p: stats.beta(p["alpha"], p["beta"])),
        ("uniform", lambda p: stats.uniform(p["low"], p["high"] - p["low"])),
        (
            "triangular",
            lambda p: stats.triang(
                (p["likely"] - p["low"]) / (p["high"] - p["low"]), p["low"], p["high"] - p["low"]
            ),
        ),
    ],
)
def test_the_far_upper_tail_is_kept(family: str, oracle: Any):
    found = marginal(entry(**FAMILIES[family]))
    z = np.linspace(3.0, 8.0, 501)
    exact = oracle(found.parameters).isf(ndtr(-z))
    np.testing.assert_allclose(found.from_score(z), exact, rtol=1e-8)


def test_outside_the_support_nothing_is_probable():
    for family in ("lognormal", "gamma"):
        assert marginal(entry(**FAMILIES[family])).cdf([-5.0, 0.0]) == pytest.approx([0.0, 0.0])
    for family in ("beta", "uniform", "triangular", "pert"):
        found = marginal(entry(**FAMILIES[family]))
        np.testing.assert_array_equal(found.cdf([-1e9, 1e9]), [0.0, 1.0])


def test_pert_has_its_weighted_mean():
    found = marginal(entry(unit="EUR", low=10, likely=15, high=40, sure=1.0))
    assert found.parameters == {"low": 10.0, "likely": 15.0, "high": 40.0}
    assert found.mean() == pytest.approx((10 + 4 * 15 + 40) / 6)


@pytest.mark.parametrize("family", ["triangular", "pert", "uniform"])
@pytest.mark.parametrize("likely", [0.0, 25.0, 100.0])
def test_certain_ends_are_never_left(family: str, likely: float):
    found = marginal(
        entry("no_effect", "%", low=0, likely=likely, high=100, sure=1.0, family=family)
    )
    x = found.from_score(np.linspace(-8.0, 8.0, 1001))
    assert (x >= 0.0).all()
    assert (x <= 1.0).all()
    assert (np.diff(x) >= 0.0).all()


def test_what_is_central():
    assert marginal(entry(unit="EUR", value=7)).central == 7.0
    assert marginal(entry(unit="%", low=1, high=4)).central == pytest.approx(0.02, rel=1e-12)
    assert marginal(entry(low=10, likely=15, high=40)).central == 15e3
    kept = marginal(entry(low=10, likely=15, high=40, family="lognormal"))
    assert kept.central == 15e3
    assert kept.quantile(0.5) == pytest.approx(20e3)
    assert marginal(entry(unit="EUR", samples=(3, 1, 2))).central == 2.0


def test_a_point_has_no_spread():
    found = marginal(entry(unit="MEUR", value=50))
    assert found.is_point
    assert not marginal(entry(low=1, high=2)).is_point
    assert (found.mean(), found.sd()) == (50e6, 0.0)
    np.testing.assert_array_equal(found.from_score(np.zeros((2, 3))), np.full((2, 3), 50e6))
    np.testing.assert_array_equal(found.cdf([49e6, 50e6]), [0.0, 1.0])


def test_samples_are_kept_in_order_and_ranked():
    found = marginal(entry(unit="%", samples=(3, 1, 2, 5)))
    np.testing.assert_allclose(found.samples, [0.03, 0.01, 0.02, 0.05])
    np.testing.assert_allclose(
        found.quantile([0.0, 0.2499, 0.25, 0.74, 0.75, 1.0]),
        [0.01, 0.01, 0.02, 0.03, 0.05, 0.05],
    )
    posterior = Marginal("samples", {}, np.array([2.0, 1.0]))
    assert posterior.mean() == 1.5


SHARE = {"role": "realisation", "unit": "%"}
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    (dict(unit="furlongs", value=1), "range.unit", r"Choose a unit .* got furlongs"),
    (dict(), "range.missing", "Give a number: value, or low and high, or samples"),
    (dict(low=3), "range.incomplete", "Give both low and high .* only low = 3 kEUR"),
    (dict(high=3), "range.incomplete", "only high = 3 kEUR"),
    (dict(likely=3), "range.incomplete", "only likely = 3 kEUR"),
    (dict(likely=3, high=4), "range.incomplete", "only likely = 3 kEUR, high = 4 kEUR"),
    (dict(value=2, low=1, high=3), "range.two_ways", "got value = 2 kEUR, low = 1 kEUR, high"),
    (dict(value=2, likely=3), "range.two_ways", "got value = 2 kEUR, likely = 3 kEUR"),
    (dict(value=2, samples=(1, 2)), "range.two_ways", "got value = 2 kEUR, samples"),
    (dict(samples=(1, 2), low=1, high=2), "range.two_ways", "got samples, low = 1 kEUR"),
    (
        dict(value=2, family="beta"),
        "range.family_unused",
        "Remove family, or give a range with low and high: beta has no meaning beside value",
    ),
    (dict(samples=(1, 2), family="normal"), "range.family_unused", "normal .* beside samples"),
    (dict(value=2, sure=0.8), "range.sure_unused", "Remove sure, .* no meaning beside value"),
    (dict(samples=(1,)), "range.samples_few", "at least 2 values in samples: got 1"),
    (dict(samples=()), "range.samples_few", "at least 2 values in samples: got 0"),
    (dict(low=15, high=8, unit="%"), "range.order", "low = 15 % is above high = 8 %"),
    (dict(low=8, high=8), "range.equal", "Write value = 8 instead of the range"),
    (dict(low=8, likely=8, high=8), "range.equal", "Write value = 8"),
    (dict(low=8, likely=7, high=9), "range.likely", "likely = 7 kEUR lies outside 8 kEUR to 9"),
    (dict(low=8, likely=10, high=9), "range.likely", "likely = 10 kEUR lies outside"),
    (dict(low=8, high=9, family="pert"), "range.no_likely", "pert needs three points"),
    (dict(low=8, high=9, family="triangular"), "range.no_likely", "Give likely"),
    (dict(**SHARE, value=120), "range.share", "between 0 and 100 %.*120 % lies outside"),
    (dict(**SHARE, low=20, high=120), "range.share", "120 % lies outside"),
    (dict(**SHARE, low=-5, high=20), "range.share", "-5 % lies outside"),
    (dict(**SHARE, samples=(20, 130)), "range.share", "130 % lies outside"),
    (dict(role="no_effect", unit="share", value=25), "range.share", "0 and 1,.* 25 lies outside"),
    (dict(role="contribution_margin", unit="%", value=101), "range.share", "101 %"),
    (dict(role="tax_rate", unit="%", low=20, high=101), "range.share", "101 %"),
    (dict(role="saving", unit="%", low=20, high=101), "range.share", "101 %"),
    (dict(role="cash_release", unit="%", value=101), "range.share", "101 %"),
    (dict(role="revenue_effect", effect="churn", unit="%", value=101), "range.share", "101 %"),
    (dict(low=-1, high=2, family="lognormal"), "range.positive", "low above 0.*-1 kEUR to 2 kEUR"),
    (dict(low=0, high=2, family="gamma"), "range.positive", "gamma has positive values only"),
    (dict(role="delay", unit="years", low=0, high=2), "range.positive", "0 years to 2 years"),
    (dict(**SHARE, low=0, high=20), "range.beta", "strictly between 0 and 100 %.* 0 % to 20 %"),
    (dict(**SHARE, low=90, high=100), "range.beta", "high below 100 %"),
    (dict(low=1, high=2, family="beta"), "range.beta", "0 and 0.001 kEUR"),
    (dict(low=1, high=2, sure=1), "range.certain", "Write sure below 1.* 1 kEUR to 2 kEUR"),
    (dict(low=-1, high=2, sure=1), "range.certain", "values of normal beyond"),
    (dict(low=1, high=2, sure=1, family="gamma"), "range.certain", "values of gamma"),
    (dict(**SHARE, low=10, high=20, sure=1), "range.certain", "values of beta"),
    (
        dict(**SHARE, low=2, likely=10, high=50),
        "range.limits",
        "Write sure = 1.* with 90 % between 2 % and 50 %, pert reaches from -.* % to .* %",
    ),
    (dict(**SHARE, low=50, high=99, family="uniform"), "range.limits", "to 102 %"),
    (dict(low=1, high=100, sure=0.001), "range.impossible", "no lognormal .* has 0.1 % between"),
    (dict(low=1, high=1 + 1e-12), "range.impossible", "too wide or too narrow"),
    (dict(low=1, high=1 + 1e-9, family="gamma"), "range.impossible", "no gamma"),
    (dict(low=1, high=1e306, unit="kEUR"), "range.impossible", "no lognormal"),
]


@pytest.mark.parametrize(("numbers", "key", "sentence"), FAULTS)
def test_faults_are_said_in_words(numbers: dict[str, Any], key: str, sentence: str):
    given = entry(**numbers)
    fault = range_fault(given)
    assert fault is not None
    assert fault[0] == key
    with pytest.raises(SchemaError, match=sentence):
        marginal(given)
    for language in LANGUAGES:
        assert "nan" not in Fault(*fault).text(language)
        assert "nan" not in Fault(*fault).text(language, workbook=True)


def test_numbers_are_those_of_the_language_and_words_those_of_the_file():
    def said(language: str, workbook: bool, **numbers: Any) -> str:
        fault = range_fault(entry(**numbers))
        assert fault is not None
        return Fault(*fault).text(language, workbook=workbook)

    order = dict(low=1.5, high=0.25)
    assert "low = 1.5 kEUR is above high = 0.25 kEUR" in said("en", False, **order)
    assert "low = 1,5 kEUR liegt über high = 0,25 kEUR" in said("de", False, **order)
    assert "Low = 1.5 kEUR is above High = 0.25 kEUR" in said("en", True, **order)
    assert "Niedrig = 1,5 TEUR liegt über Hoch = 0,25 TEUR" in said("de", True, **order)
    # what is to be typed into TOML has a point in any language
    equal = dict(low=1.5, high=1.5)
    assert said("de", False, **equal).startswith("value = 1.5 statt der Spanne")
    assert said("de", True, **equal).startswith("Wert = 1,5 statt der Spanne")
    sure = dict(low=1, high=2, sure=1)
    assert 'etwa 0.9, oder eine Verteilung mit Grenzen wählen ("uniform"' in said(
        "de", False, **sure
    )
    assert "etwa 90 %, oder eine Verteilung mit Grenzen wählen (Gleich" in said("de", True, **sure)


def test_samples_that_are_no_numbers():
    given = entry(samples=(1, 2)).model_copy(update={"samples": (1.0, float("nan"))})
    assert range_fault(given) == ("range.samples_finite", {"count": 1})


def test_no_fault_is_said_without_one():
    for numbers in FAMILIES.values():
        assert range_fault(entry(**numbers)) is None
    assert range_fault(entry(**SHARE, value=100)) is None
    assert range_fault(entry(**SHARE, low=0, likely=20, high=50, sure=1)) is None
    assert range_fault(entry(**SHARE, low=5, high=95, family="normal")) is None
