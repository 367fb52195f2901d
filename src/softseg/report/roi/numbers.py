"""Numbers of the ROI report as text: no digit that the Monte Carlo error does not support."""

import math
from functools import cache
from typing import Final

from softseg.decisions.inputs.units import PREFIX, read_unit
from softseg.report.amounts import NOTHING, fixed, with_unit
from softseg.wording import say

MOST_DIGITS: Final = 3
"""Significant digits that are shown even where the error would support more."""
COMPACT_FROM: Final = 1e6
"""Amounts from here on are written in millions."""
FULL_FROM: Final = 1e15
"""Stated numbers from here on are written in powers of ten."""


def digits(x: float, error: float = math.nan, most: int = MOST_DIGITS) -> int:
    """Return how many significant digits an error supports.

    The last one is worth a third of the error or more, so that it is not noise.
    """
    if not (math.isfinite(x) and math.isfinite(error)) or error <= 0 or x == 0:
        return most
    first, last = math.floor(math.log10(abs(x))), math.ceil(math.log10(error / 3))
    return min(max(first - last + 1, 1), most)


def money(x: float, currency: str, language: str, error: float = math.nan) -> str:
    """Return an amount, in millions from one million on; 0 where it is lost in its error."""
    if not math.isfinite(x):
        return NOTHING
    if abs(x) < max(error / 2 if math.isfinite(error) else 0.0, 0.5):
        return _amount(0.0, 0, currency, language)
    known = digits(x, error)
    last = math.floor(math.log10(abs(x))) - known + 1
    rounded = round(x, -last)
    last = math.floor(math.log10(abs(rounded))) - known + 1 if rounded else last
    if abs(rounded) >= COMPACT_FROM:
        return _millions(rounded, last, currency, language)
    return _amount(rounded, min(-last, 0), currency, language)


def error_of_money(error: float, currency: str, language: str) -> str:
    """Return the error of an amount with one digit."""
    if not math.isfinite(error) or error < 0.5:
        return _amount(0.0, 0, currency, language) if math.isfinite(error) else NOTHING
    return money(float(f"{error:.1g}"), currency, language)


def _amount(x: float, decimals: int, currency: str, language: str) -> str:
    sign = "\N{MINUS SIGN}" if x < 0 else ""
    text, sign_of = fixed(abs(x), decimals, language), symbol(currency, language)
    if language == "de":
        return f"{sign}{text}\N{NO-BREAK SPACE}{sign_of}"
    return f"{sign}{sign_of}{text}"


def _millions(x: float, last: int, currency: str, language: str) -> str:
    sign = "\N{MINUS SIGN}" if x < 0 else ""
    billions = abs(x) >= 1e9
    power = 9 if billions else 6
    text = fixed(abs(x) / 10.0**power, max(power - last, 0), language)
    sign_of = symbol(currency, language)
    if language == "de":
        word = "Mrd." if billions else "Mio."
        return f"{sign}{text}\N{NO-BREAK SPACE}{word}\N{NO-BREAK SPACE}{sign_of}"
    return f"{sign}{sign_of}{text}{'B' if billions else 'M'}"


@cache
def symbol(currency: str, language: str) -> str:
    """Return the sign of a currency as people write it: € for EUR."""
    from babel.numbers import get_currency_symbol

    return get_currency_symbol(currency, locale=language)


def gain(x: float, currency: str, language: str, error: float = math.nan) -> str:
    """Return a change of money with its sign, a plus where it is one."""
    text = money(x, currency, language, error)
    return text if x <= 0 or text == _amount(0.0, 0, currency, language) else f"+{text}"


def ratio(x: float, language: str, error: float = math.nan) -> str:
    """Return a ratio such as an ROI in per cent."""
    x = 100.0 * float(x)
    if not math.isfinite(x):
        return NOTHING
    return with_unit(fixed(x, _decimals_of_percent(x, error), language), "%", language)


def as_shown(x: float, error: float = math.nan) -> float:
    """Return a finite ratio with the digits that `ratio` shows, so that words agree with it."""
    return round(100.0 * x, _decimals_of_percent(100.0 * x, error)) / 100.0


def _decimals_of_percent(x: float, error: float) -> int:
    known = digits(x, 100.0 * error)
    decimals = known - 1 - math.floor(math.log10(abs(x))) if x else 0
    return min(decimals, 1 if abs(x) < 9.95 else 0)


def multiple(x: float, language: str, error: float = math.nan) -> str:
    """Return a multiple such as a benefit–cost ratio, with at most two decimals."""
    if not math.isfinite(x):
        return NOTHING
    known = digits(x, error)
    decimals = known - 1 - math.floor(math.log10(abs(x))) if x else 0
    return fixed(x, max(min(decimals, 2), 0), language)


def share(p: float, language: str, error: float = math.nan) -> str:
    """Return a probability or a part of a whole in per cent; never 0 or 100 but where it is so."""
    if not math.isfinite(p):
        return NOTHING
    percent = 100.0 * float(p)
    sign = "\N{NO-BREAK SPACE}" if language == "de" else ""
    if 0 < percent < 0.1:
        return f"<{sign}{with_unit(fixed(0.1, 1, language), '%', language)}"
    if 99.9 < percent < 100:
        return f">{sign}{with_unit(fixed(99.9, 1, language), '%', language)}"
    coarse = math.isfinite(error) and error > 0.003
    near_an_end = min(percent, 100 - percent) < 9.95 and 0 < percent < 100
    decimals = 1 if near_an_end and not coarse else 0
    if decimals == 0 and 0 < percent < 0.5:
        return f"<{sign}{with_unit(fixed(1, 0, language), '%', language)}"
    if decimals == 0 and 99.5 < percent < 100:
        return f">{sign}{with_unit(fixed(99, 0, language), '%', language)}"
    return with_unit(fixed(percent, decimals, language), "%", language)


def cases(p: float, language: str) -> str:
    """Return a probability as cases out of 100, as people count."""
    if not math.isfinite(p):
        return NOTHING
    n = 100.0 * float(p)
    if n <= 0 or n >= 100:
        return say("roi_report.cases.none" if n <= 0 else "roi_report.cases.all", language)
    if n < 0.5:
        return say("roi_report.cases.fewer", language)
    if n > 99.5:
        return say("roi_report.cases.more", language)
    return say("roi_report.cases", language, count=round(n))


def years(x: float, language: str, error: float = math.nan) -> str:
    """Return a number of years."""
    if not math.isfinite(x):
        return say("roi_report.never", language) if x > 0 else NOTHING
    decimals = 0 if math.isfinite(error) and error > 0.5 else 1
    if 0 < x < 0.05:
        return f"<\N{NO-BREAK SPACE}{years(0.1, language)}"
    return say("roi_report.years", language, count=fixed(x, decimals, language))


def years_after(x: float, language: str, error: float = math.nan) -> str:
    """Return a finite number of years as it stands after a preposition."""
    decimals = 0 if math.isfinite(error) and error > 0.5 else 1
    x = x if x == 0 else max(x, 0.1)  # "within 0.1 years" is true of less
    return say("roi_report.within", language, count=fixed(x, decimals, language))


def cents(x: float, currency: str, language: str) -> str:
    """Return a small amount with its cents, a large one without."""
    if abs(x) >= 100:
        return money(x, currency, language)
    return _amount(round(x, 2), 2, currency, language)


def points(x: float, language: str) -> str:
    """Return a small difference of shares in points, with one digit."""
    count = _one_digit(100.0 * x, language)
    return say("roi_report.point" if count == "1" else "roi_report.points", language, count=count)


def short_years(x: float, language: str) -> str:
    """Return a short time in years, with one digit."""
    return say("roi_report.within", language, count=_one_digit(x, language))


def _one_digit(x: float, language: str) -> str:
    if not math.isfinite(x) or x == 0:
        return fixed(x, 0, language)
    x = float(f"{x:.1g}")
    return fixed(x, min(-math.floor(math.log10(abs(x))), 6), language)


def plus_minus(error_text: str) -> str:
    """Return a Monte Carlo error as it stands behind its number."""
    return f"±\N{NO-BREAK SPACE}{error_text}"


def unit_words(text: str, language: str) -> str:
    """Return what stands behind a number of a unit: ``%``, ``million EUR a year``."""
    unit = read_unit(text)
    if unit.currency is None:
        return say(f"roi_report.unit.{_key(text)}", language)
    prefix = next(p for p, scale in PREFIX.items() if scale == unit.scale)
    return say(
        f"roi_report.unit.{unit.kind}{prefix}",
        language,
        currency=currency_words(unit.currency, language),
    )


def currency_words(currency: str, language: str) -> str:
    """Return what stands for a currency behind a number: its sign in German, else its code."""
    return symbol(currency, language) if language == "de" else currency


def _key(text: str) -> str:
    return {"%": "percent", "count/year": "count_year"}.get(text, text)


def in_unit(x: float, text: str, language: str, error: float = math.nan) -> str:
    """Return a number in base units in the unit of its input, with its unit."""
    unit = read_unit(_read_as(text))
    if not math.isfinite(x):
        return NOTHING
    if unit.currency is not None:
        shown = money(x, unit.currency, language, error)
        return say("roi_report.a_year", language, amount=shown) if unit.kind == "rate" else shown
    x, error = x / unit.scale, error / unit.scale
    known = digits(x, error)
    decimals = known - 1 - math.floor(math.log10(abs(x))) if x else 0
    return with_words(fixed(x, min(decimals, 4), language), _read_as(text), language)


def _read_as(unit: str) -> str:
    """Return the unit in which people read what was typed: a share is a number of per cent."""
    return "%" if unit == "share" else unit


def in_points(x: float, language: str, error: float = math.nan) -> str:
    """Return a difference of shares in percentage points, for a column that names the unit."""
    return in_unit(x, "pp", language, error).split(" ")[0]


def with_words(number: str, unit: str, language: str) -> str:
    """Return a number with the words of its unit."""
    words = unit_words(unit, language)
    return with_unit(number, "%", language) if words == "%" else f"{number} {words}".strip()


def plain(x: float, language: str) -> str:
    """Return a number as it was stated: in full, amounts with cents only where there are some."""
    x = float(x)
    if not math.isfinite(x) or abs(x) >= FULL_FROM:
        return f"{x:g}"
    if x == round(x):
        return fixed(x, 0, language)
    if abs(x) >= 1000:
        return fixed(x, 2, language)
    decimals = min(max(5 - math.floor(math.log10(abs(x))), 0), 9)
    while decimals > 1 and round(x, decimals - 1) == round(x, decimals):
        decimals -= 1
    return fixed(x, decimals, language)


def stated(x: float, unit: str, language: str) -> str:
    """Return a number that is in the unit of its input, with that unit."""
    return stated_all("{x}", unit, language, x=x)


def stated_all(text: str, unit: str, language: str, **values: float) -> str:
    """Return a text with numbers that are in the unit of an input, and that unit behind it."""
    if _read_as(unit) != unit:
        values = {key: round(100.0 * x, 10) for key, x in values.items()}
    shown = {key: plain(x, language) for key, x in values.items()}
    return with_words(text.format(**shown), _read_as(unit), language)
