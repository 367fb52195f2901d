"""Names of inputs, roles, bases and scenarios in the reader's language."""

from babel.numbers import format_decimal

from softseg.decisions.inputs.columns import choice
from softseg.decisions.inputs.schema import INCREMENTAL, Assumptions, Input, Programme
from softseg.wording import has, say


def scenario_label(name: str, language: str) -> str:
    """Return the label of a scenario, its name where it has none."""
    key = f"workbook.scenario.{name}"
    return say(key, language) if has(key) else name


def programme_label(programme: Programme | None, language: str) -> str:
    """Return the label of a programme; None is the difference of both."""
    return say(f"workbook.programme.{programme or 'difference'}", language)


def role_label(entry: Input, language: str) -> str:
    """Return what the calculation does with an input."""
    role = choice("role", entry.role, language)
    return role if entry.effect is None else f"{role}: {choice('effect', entry.effect, language)}"


def plain_number(x: float, language: str, digits: int = 6) -> str:
    """Return a number with the digits that matter, so many at most, and no zeros behind them."""
    return format_decimal(float(f"{x:.{digits}g}"), format="#,##0.############", locale=language)


def base_label(assumptions: Assumptions, entry: Input, language: str) -> str:
    """Return what an input is a share of."""
    return " × ".join(input_label(assumptions, name, language) for name in entry.base)


def input_label(assumptions: Assumptions, name: str, language: str) -> str:
    """Return the label of an input, its id where it has none."""
    if name == INCREMENTAL:
        return say("workbook.incremental_revenue", language)
    return assumptions.inputs[name].label or name
