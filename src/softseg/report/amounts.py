"""Numbers as the report prints them: digits that the interval supports, one form per language."""

import math
from collections.abc import Sequence

import numpy as np

from softseg.report.facts import Array, Band, Line
from softseg.wording import LANGUAGES, money, number

NOTHING = "–"
MAX_DECIMALS = 4
DECIMAL_MARK: dict[str, str] = dict(zip(LANGUAGES, (".", ","), strict=True))
GROUP_MARK: dict[str, str] = dict(zip(LANGUAGES, (",", "."), strict=True))


def decimals_for(band: Band) -> int:
    """Return the decimals that the interval supports; negative ones round before the point.

    The interval's width keeps two digits if its first one is 1 or 2, else one digit: the last
    printed digit is then never finer than a thirtieth of what is uncertain.
    """
    width = float(band.upper - band.lower)
    if not math.isfinite(width) or width <= 0:
        return 2
    power = math.floor(math.log10(width))
    digits = 2 if width / 10.0**power < 3 else 1
    return min(max(digits - 1 - power, -12), MAX_DECIMALS)


def fixed(x: float, decimals: int, language: str) -> str:
    """Return a number with that many decimals; negative ones round before the point."""
    if not math.isfinite(x):
        return NOTHING if math.isnan(x) else ("∞" if x > 0 else "−∞")
    rounded = round(float(x), decimals)
    text = f"{abs(rounded):,.{max(decimals, 0)}f}"
    text = "".join({",": GROUP_MARK[language], ".": DECIMAL_MARK[language]}.get(c, c) for c in text)
    return f"−{text}" if rounded < 0 else text


def interval(lower: float, upper: float, decimals: int, language: str) -> str:
    """Return an interval, with dots where a minus sign would blur a dash."""
    if math.isnan(lower) and math.isnan(upper):
        return NOTHING
    low, high = fixed(lower, decimals, language), fixed(upper, decimals, language)
    joint = " … " if "−" in low + high else "–"
    return f"{low}{joint}{high}"


def scaled(line: Line) -> Line:
    """Return a line with shares in per cent, so that one rule prints all lines."""
    if not line.is_share:
        return line
    values = Band(*(100.0 * x for x in (line.values.mean, line.values.lower, line.values.upper)))
    return Line(**{**vars(line), "values": values, "base": 100.0 * line.base, "unit": "%"})


def cell(band: Band, language: str) -> tuple[str, str]:
    """Return one mean and its interval with the digits that this interval supports."""
    decimals = decimals_for(band)
    mean = fixed(float(band.mean), decimals, language)
    return mean, interval(float(band.lower), float(band.upper), decimals, language)


def beside(x: float, band: Band, language: str) -> str:
    """Return a number to be read beside a cell: as fine as that one, two digits at least."""
    if not math.isfinite(x) or x == 0:
        return fixed(x, 0, language)
    decimals = max(decimals_for(band), 1 - math.floor(math.log10(abs(x))))
    return fixed(x, min(decimals, MAX_DECIMALS), language)


def plain_number(x: float, language: str, digits: int = 3) -> str:
    """Return a number with three significant digits."""
    if not math.isfinite(x) or x == 0:
        return fixed(x, 0, language)
    return fixed(x, min(digits - 1 - math.floor(math.log10(abs(x))), 6), language)


def amount(x: float, currency: str, language: str) -> str:
    """Return an amount of money with a true minus sign; `currency` may be empty."""
    return money(float(x), currency or None, language).replace("-", "−")


def with_unit(text: str, unit: str, language: str) -> str:
    """Return a number with its unit, kept on one line; English sets no space before %."""
    if unit == "%" and language != "de":
        return f"{text}%"
    return f"{text}\N{NO-BREAK SPACE}{unit}" if unit else text


def percent(share: float, decimals: int, language: str) -> str:
    """Return a share in per cent; German sets a space before the sign."""
    return with_unit(fixed(100.0 * share, decimals, language), "%", language)


def share_interval(band: Band, language: str) -> tuple[str, str]:
    """Return a share in per cent and, as a text of its own, its interval."""
    decimals = int(float(band.upper - band.lower) < 0.02)
    low = fixed(100.0 * float(band.lower), decimals, language)
    joint = " … " if band.lower < 0 or band.upper < 0 else "–"
    inside = low + joint + percent(float(band.upper), decimals, language)
    return percent(float(band.mean), decimals, language), inside


def customers(x: float, language: str) -> str:
    """Return a number of customers, in whole customers."""
    return NOTHING if not math.isfinite(x) else number(round(float(x)), language)


def listing(items: Sequence[str], conjunction: str) -> str:
    """Return items as a list in words: a, b and c."""
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def finite_range(*arrays: Array) -> tuple[float, float]:
    """Return the least and the greatest finite number of some arrays, (0, 1) if there is none."""
    together = np.concatenate([np.ravel(a) for a in arrays])
    together = together[np.isfinite(together)]
    return (float(together.min()), float(together.max())) if together.size else (0.0, 1.0)
