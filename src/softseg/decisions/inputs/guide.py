"""What the words of the workbook mean: the rows of its help sheet."""

from collections.abc import Iterator
from typing import Final

from softseg.decisions.inputs.columns import CHOICES, DEPENDENCE, INPUTS, SCENARIOS
from softseg.wording import say

SECTIONS: Final = (
    "fill", "columns", "roles", "effects", "units", "evidence", "dependence", "scenarios",
)  # fmt: skip
_FILL: Final = ("yellow", "number", "percent", "order", "samples")
_UNITS: Final = {
    "share": "share",
    "percent": "%",
    "pp": "pp",
    "years": "years",
    "count": "count",
    "count_year": "count/year",
    "points": "points",
    "factor": "factor",
    "money": "EUR",
    "money_year": "EUR/year",
}
_LISTS: Final = {"roles": "role", "effects": "effect", "evidence": "evidence"}
_COLUMNS: Final = {"columns": INPUTS, "dependence": DEPENDENCE, "scenarios": SCENARIOS}


def guide(section: str, language: str) -> Iterator[tuple[str, str, str]]:
    """Go through the rows of a section in `SECTIONS`: term, meaning, and code in the TOML file."""
    if section == "fill":
        for key in _FILL:
            yield "", say(f"sheet.fill.{key}", language), ""
    elif section == "units":
        for key, code in _UNITS.items():
            yield (
                say(f"sheet.unit.{key}", language),
                say(f"sheet.unit_help.{key}", language),
                code,
            )
    elif section in _LISTS:
        of = _LISTS[section]
        for code in CHOICES[of]:
            help = say(f"sheet.{of}_help.{code}", language)
            yield say(f"sheet.{of}.{code}", language), help, code
    else:
        for column in _COLUMNS[section]:
            help = say(f"sheet.help.{column.code}", language)
            yield say(f"sheet.column.{column.code}", language), help, ""
