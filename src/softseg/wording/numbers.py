"""Numbers, shares and amounts of money as text in the reader's language."""

import math
from functools import cache
from typing import Any

NOTHING = "–"
"""What is printed where there is no number."""

COMPACT_FROM = 1e6
"""Amounts from here on are written in millions."""


def number(x: float, language: str = "en", digits: int = 3) -> str:
    """Return a number as text: whole numbers in full, others with significant digits.

    The digits before the decimal sign are never rounded away: 1234.56 is ``1,235``.

    Parameters
    ----------
    x
        The number; NaN becomes a dash.
    language
        ``"en"`` or ``"de"``.
    digits
        Significant digits of a number that is not whole.
    """
    if isinstance(x, float) or not hasattr(x, "__index__"):
        x = float(x)
        if math.isnan(x):
            return NOTHING
        if math.isinf(x):
            return "∞" if x > 0 else "−∞"
        decimals = _decimals(x, digits)
    else:
        x, decimals = int(x), 0
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    if x != 0 and abs(x) < 1e-4:
        pattern = "0." + "0" * (digits - 1) + "E0"
    return _babel().format_decimal(x, format=pattern, locale=language)


def percent(x: float, language: str = "en", decimals: int = 1) -> str:
    """Return a share as per cent: 0.123 is ``12.3%``, in German ``12,3 %``."""
    x = float(x)
    if math.isnan(x):
        return NOTHING
    sign, space = ("\N{NO-BREAK SPACE}%", True) if language == "de" else ("%", False)
    least = 10.0**-decimals
    if 0 < 100.0 * x < 0.5 * least:
        text = _fixed(least, language, decimals)
        return f"<{chr(160) if space else ''}{text}{sign}"
    return _fixed(100.0 * x, language, decimals) + sign


def money(x: float, currency: str | None, language: str = "en", digits: int = 3) -> str:
    """Return an amount with its currency, in millions from one million on.

    Parameters
    ----------
    x
        The amount.
    currency
        ISO code such as ``"EUR"``, or None where the table does not say.
    language
        ``"en"`` or ``"de"``.
    digits
        Significant digits.
    """
    x = float(x)
    if not math.isfinite(x):
        return number(x, language)
    shown = _significant(x, digits)
    if currency is None:
        return number(shown, language, digits)
    babel = _babel()
    if abs(shown) >= COMPACT_FROM:
        scaled = shown / 1e6 if abs(shown) < 1e9 else shown / 1e9
        decimals = _decimals(scaled, digits)
        return babel.format_compact_currency(
            shown, currency, locale=language, fraction_digits=decimals
        )
    decimals = _decimals(shown, digits)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    pattern = f"{pattern}\N{NO-BREAK SPACE}¤" if language == "de" else f"¤{pattern}"
    return babel.format_currency(
        shown, currency, format=pattern, locale=language, currency_digits=False
    )


def _significant(x: float, digits: int) -> float:
    return float(f"{x:.{digits}g}")


def _decimals(x: float, digits: int) -> int:
    if x == 0:
        return 0
    x = _significant(x, digits)
    return max(0, digits - 1 - math.floor(math.log10(abs(x))))


def _fixed(x: float, language: str, decimals: int) -> str:
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return _babel().format_decimal(x, format=pattern, locale=language)


@cache
def _babel() -> Any:
    # Babel takes a tenth of a second to import, which `softseg --help` need not pay.
    from babel import numbers

    return numbers
