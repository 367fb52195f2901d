"""What still stands where a verdict failed."""

import pytest

from softseg.decisions.segments.fallback import fallback
from softseg.errors import UsageError


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    ("gate", "fit", "case"),
    [
        ("failed", "good", "gate_failed"),
        ("failed", "poor", "gate_failed"),
        ("good", "poor", "fit_poor"),
        ("good", "doubtful", "fit_doubtful"),
    ],
)
def test_every_case_says_what_stands_what_falls_and_who_must_act(
    gate: str, fit: str, case: str, language: str
):
    found = fallback(gate, fit, language)
    assert found is not None
    assert found.case == case
    assert len(found.stands) >= 2
    assert len(found.falls) == 3
    roles = {
        "en": ["Analyst", "Controller", "Management", "Sales"],
        "de": ["Analyse", "Controlling", "Geschäftsführung", "Vertrieb"],
    }
    assert [line.split(":")[0] for line in found.todo] == roles[language]
    for line in (found.title, *found.stands, *found.falls, *found.todo):
        assert line.endswith(".")


def test_nothing_is_said_where_all_is_good():
    assert fallback("good", "good") is None


@pytest.mark.parametrize(("gate", "fit"), [("bad", "good"), ("good", "bad")])
def test_an_unknown_status_is_refused(gate: str, fit: str):
    with pytest.raises(UsageError, match=r"Give the status of the .* got 'bad'"):
        fallback(gate, fit)
