"""The catalogue is complete in both languages, and numbers read as people write them."""

import string

import pytest

from softseg.errors import UsageError
from softseg.wording import LANGUAGES, add_entries, catalogue, has, money, number, percent, say


def placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


@pytest.mark.parametrize("key", sorted(catalogue()))
def test_every_entry_has_both_languages_with_the_same_placeholders(key: str) -> None:
    entry = catalogue()[key]
    assert set(entry) == set(LANGUAGES)
    assert all(text.strip() for text in entry.values())
    assert placeholders(entry["en"]) == placeholders(entry["de"])
    assert all(name.isidentifier() for name in placeholders(entry["en"]))
    assert "." in key


def test_say_fills_the_placeholders_in() -> None:
    assert say("domain.count") == "whole numbers from 0"
    assert say("domain.count", "de") == "ganze Zahlen ab 0"
    assert has("domain.count")
    assert not has("domain.nothing")


def test_braces_in_a_value_stay_as_they_are() -> None:
    text = say("fault.missing_column", column="{count}")
    assert "{count}" in text


def test_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError, match="Choose a language out of"):
        say("domain.count", "fr")


def test_two_files_cannot_share_a_key() -> None:
    with pytest.raises(KeyError, match=r"Rename the entry 'a\.b' of second\.toml"):
        add_entries({"a.b": {"en": "x"}}, {"a.b": {"en": "y"}}, "second.toml")


@pytest.mark.parametrize(
    ("x", "en", "de"),
    [
        (1234, "1,234", "1.234"),
        (1234.56, "1,235", "1.235"),
        (0.012345, "0.0123", "0,0123"),
        (-3.14159, "-3.14", "-3,14"),
        (12.3, "12.3", "12,3"),
        (0.0, "0", "0"),
        (2e-6, "2.00E-6", "2,00E-6"),
        (999.96, "1,000", "1.000"),
        (float("nan"), "–", "–"),
        (float("inf"), "∞", "∞"),
        (float("-inf"), "−∞", "−∞"),
    ],
)
def test_number(x: float, en: str, de: str) -> None:
    assert (number(x), number(x, "de")) == (en, de)


@pytest.mark.parametrize(
    ("x", "en", "de"),
    [
        (0.7234, "72.3%", "72,3\u00a0%"),
        (0.0, "0.0%", "0,0\u00a0%"),
        (1e-5, "<0.1%", "<\u00a00,1\u00a0%"),
        (float("nan"), "–", "–"),
    ],
)
def test_percent(x: float, en: str, de: str) -> None:
    assert (percent(x), percent(x, "de")) == (en, de)


@pytest.mark.parametrize(
    ("x", "currency", "en", "de"),
    [
        (12_345_678, "EUR", "€12.3M", "12,3\u00a0Mio.\u00a0€"),
        (1234.5, "EUR", "€1,230", "1.230\u00a0€"),
        (-950, "EUR", "-€950", "-950\u00a0€"),
        (12.3, "USD", "$12.3", "12,3\u00a0$"),
        (1234.5, None, "1,230", "1.230"),
        (float("nan"), "EUR", "–", "–"),
    ],
)
def test_money(x: float, currency: str | None, en: str, de: str) -> None:
    assert (money(x, currency), money(x, currency, "de")) == (en, de)
