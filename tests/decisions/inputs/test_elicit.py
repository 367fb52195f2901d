"""Maximum entropy: what PreliZ gives, and what is said where it is missing."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from softseg.decisions.inputs import elicit, ranges
from softseg.decisions.inputs.elicit import maximum_entropy
from softseg.decisions.inputs.ranges import family_of, marginal, range_fault, realised_tails
from softseg.decisions.inputs.schema import Input
from softseg.errors import SchemaError

COST = Input(
    role="one_off_cost", unit="kEUR", low=50, likely=80, high=150, sure=0.9, family="maxent"
)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "preliz", None)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """PreliZ as it answered for these ranges in version 0.28."""
    calls: list[tuple[Any, ...]] = []

    def family(name: str, **parameters: float) -> Any:
        return lambda: SimpleNamespace(name=name, **parameters)

    def maxent(distribution: Any, *range_: float, plot: bool) -> Any:
        calls.append((distribution.name, *range_, plot))
        return distribution

    module = SimpleNamespace(
        maxent=maxent,
        LogNormal=family("LogNormal", mu=11.470109013310426, sigma=0.3182677198817851),
        Gamma=family("Gamma", alpha=6.93636861797486, beta=10.977386175096733),
        Beta=family("Beta", alpha=33.94033977958921, beta=70.38140026665039),
        Normal=family("Normal", mu=0.5, sigma=2.0),
    )
    monkeypatch.setattr(elicit, "import_module", lambda _: module)
    monkeypatch.setattr(elicit, "installed", lambda: True)
    ranges._solved.cache_clear()
    return calls


@pytest.mark.usefixtures("missing")
def test_missing_preliz_is_said_with_the_command():
    assert not elicit.installed()
    assert range_fault(COST) == ("range.preliz", {})
    with pytest.raises(SchemaError, match=r'pip install "softseg\[elicit\]"'):
        marginal(COST)
    with pytest.raises(SchemaError, match=r'pip install "softseg\[elicit\]"'):
        maximum_entropy("normal", 0.0, 1.0, 0.9)


def test_a_wrong_range_is_said_before_that():
    fault = range_fault(COST.model_copy(update={"low": -1.0, "sure": 1.0}))
    assert fault is not None
    assert fault[0] == "range.certain"


def test_realised_tails_are_not_equal(pretended: list[tuple[Any, ...]]):
    lower, upper = realised_tails(COST)
    assert pretended == [("LogNormal", 50e3, 150e3, 0.9, False)]
    assert lower == pytest.approx(0.0205, abs=1e-4)
    assert upper == pytest.approx(0.0795, abs=1e-4)
    found = marginal(COST)
    assert found.family == family_of(COST) == "lognormal"
    assert found.quantile(0.95) == pytest.approx(161_719, abs=10)
    assert found.central == 80e3


def test_gamma_and_beta_in_our_names(pretended: list[tuple[Any, ...]]):
    gamma = maximum_entropy("gamma", 0.25, 1.0, 0.9)
    assert gamma["shape"] * gamma["scale"] == pytest.approx(0.6319, abs=1e-4)
    assert maximum_entropy("beta", 0.25, 0.4, 0.9)["alpha"] == pytest.approx(33.94, abs=1e-2)
    assert [call[0] for call in pretended] == ["Gamma", "Beta"]


def test_what_misses_the_probability_is_refused(pretended: list[tuple[Any, ...]]):
    fault = range_fault(COST.model_copy(update={"low": -1.0}))
    assert fault is not None
    assert fault[0] == "range.impossible"
    assert pretended[0][0] == "Normal"


def test_preliz_itself():
    pytest.importorskip("preliz")
    ranges._solved.cache_clear()
    lower, upper = realised_tails(COST)
    assert lower + upper == pytest.approx(0.1, abs=1e-3)
    assert lower == pytest.approx(0.02, abs=2e-3)
