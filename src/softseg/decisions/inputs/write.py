"""Assumptions as TOML text, which reads back as the same assumptions."""

from typing import Any

from softseg.decisions.inputs.schema import Assumptions
from softseg.tables.document import write_toml
from softseg.wording import say


def to_toml(assumptions: Assumptions) -> str:
    """Return assumptions as TOML with comments, what is left at its default left out."""
    data = _plain(assumptions.model_dump(mode="json", exclude_defaults=True))
    first = ("inputs", "dependence", "scenarios")
    ordered = {key: value for key, value in data.items() if key not in first}
    ordered |= {"language": assumptions.language, "currency": assumptions.currency}
    ordered |= {key: data[key] for key in first if key in data}
    said = {(): "head", **{(key,): key for key in first if key in data}}
    comments = {
        path: say(f"assumption.file.{key}", assumptions.language) for path, key in said.items()
    }
    return write_toml(ordered, comments)


def _plain(value: Any) -> Any:
    """Return nested data with whole numbers written as such."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value
