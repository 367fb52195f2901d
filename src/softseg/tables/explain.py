"""Faults of a schema in one plain sentence each, made from what pydantic reports."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

SINGLE_PRIOR = "one prior"
SEVERAL_PRIORS = "one prior per segment"
_UNSAID = ("float", "list[float]", SINGLE_PRIOR, SEVERAL_PRIORS)
"""Parts of a path that name a branch of a type, which nobody wrote."""

_EXPECTED = {
    "missing": "an entry",
    "string_type": "text in quotes",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def explain(errors: Iterable[Any], known: Mapping[str, Sequence[str]]) -> str:
    """Return one sentence per fault, each with the path of its key.

    Parameters
    ----------
    errors
        What `pydantic.ValidationError.errors` returns.
    known
        Legal keys by the place where they stand, see `known_keys`.
    """
    sentences: dict[str, str] = {}
    for error in errors:
        path = [str(part) for part in error["loc"] if str(part) not in _UNSAID]
        sentences.setdefault(".".join(path), _sentence(path, error, known))
    return "\n".join(sentences.values())


def known_keys(schema: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Return the legal keys of the schema and of its tables, by the table's name."""
    definitions = schema.model_json_schema()["$defs"]
    return {
        "": tuple(schema.model_fields),
        "indicators": tuple(definitions["IndicatorSchema"]["properties"]),
        "value": tuple(definitions["ValueSchema"]["properties"]),
        "reading": tuple(definitions["ReadingSchema"]["properties"]),
        "migration": tuple(definitions["MigrationSchema"]["properties"]),
    }


def _sentence(path: list[str], error: Any, known: Mapping[str, Sequence[str]]) -> str:
    where, kind = ".".join(path), error["type"]
    own = error.get("ctx", {}).get("error")
    if kind == "value_error" and own is not None:
        return f"Mend {where!r} of the schema. {own}" if where else str(own)
    if kind == "extra_forbidden":
        return _unknown_key(path, known)
    if kind == "missing":
        return f"Add {where!r} to the schema: it has to be there."
    expected = _EXPECTED.get(kind)
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
    if kind == "string_pattern_mismatch":
        expected = f"text of the form {error['ctx']['pattern']}"
    expected = expected or error["msg"]
    return f"Mend {where!r} of the schema: expected {expected}, got {_short(error['input'])}."


def _unknown_key(path: list[str], known: Mapping[str, Sequence[str]]) -> str:
    place = path[0] if len(path) > 1 else ""
    keys = known.get(place, ())
    close = get_close_matches(path[-1], keys, n=1)
    hint = f" Is {close[0]!r} meant?" if close else f" Known here: {', '.join(keys)}."
    return f"Remove {'.'.join(path)!r} from the schema: there is no such key.{hint}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
