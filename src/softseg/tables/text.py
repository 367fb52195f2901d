"""Cells of a file as text: levels, missing markers and shortened quotes."""

import re
import unicodedata
from typing import Any

import numpy as np

_WHOLE = re.compile(r"^([+-]?\d+)[.,]0+$")


def level_text(value: Any) -> str:
    """Return a cell as the name of a level: 1, 1.0 and "1.0" are all "1".

    Software that meets a gap among whole numbers writes them with a decimal point; that must not
    make new levels.
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    text = unicodedata.normalize("NFC", str(value)).strip()
    if text in ("True", "TRUE", "False", "FALSE"):
        return text.lower()
    whole = _WHOLE.match(text)
    return whole.group(1) if whole else text


def folded(text: str) -> str:
    """Return a text for comparison: without space around it, whatever the case."""
    return text.strip().casefold()


def shortened(value: Any, most: int = 24) -> str:
    """Return a cell in quotes, shortened, for a message."""
    text = " ".join(str(value).split())
    return f'"{text}"' if len(text) <= most else f'"{text[: most - 1]}…"'
