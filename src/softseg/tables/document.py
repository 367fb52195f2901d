"""Schemas as text: TOML with comments, and JSON."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from softseg.errors import FileError, SchemaError

INLINE = ("distribution",)
"""A table with one of these keys is written on one line."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    FileError
        Where the file cannot be read.
    SchemaError
        Where it is not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"Check the schema file {path.name!r}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise FileError(f"Save the schema file {path.name!r} as UTF-8.") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SchemaError(f"Mend the TOML of {path.name!r}: {error}.") from None


def parse_json(text: str) -> dict[str, Any]:
    """Return the content of a JSON text that holds one object.

    Raises
    ------
    SchemaError
        Where it does not.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SchemaError(f"Give the schema as JSON: {error}.") from None
    if not isinstance(data, dict):
        raise SchemaError(f"Give the schema as a JSON object, got {type(data).__name__}.")
    return data


def write_toml(
    data: Mapping[str, Any], comments: Mapping[tuple[str, ...], str], footer: str = ""
) -> str:
    """Return nested tables as TOML with comments above the entries they belong to."""
    lines = _comment(comments.get((), ""))
    if lines:
        lines.append("")
    _write_table(data, (), comments, lines)
    if footer:
        lines += ["", *_comment(footer)]
    return "\n".join(lines) + "\n"


def _write_table(
    data: Mapping[str, Any],
    path: tuple[str, ...],
    comments: Mapping[tuple[str, ...], str],
    lines: list[str],
) -> None:
    tables = {key: value for key, value in data.items() if _is_table(value)}
    for key, value in data.items():
        if key not in tables:
            lines += _comment(comments.get((*path, key), ""))
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in tables.items():
        inner = (*path, key)
        said = _comment(comments.get(inner, ""))
        if not value or not all(_is_table(part) for part in value.values()):
            lines += ["", *said, f"[{'.'.join(_key(part) for part in inner)}]"]
        elif said:
            lines += ["", *said]
        _write_table(value, inner, comments, lines)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and not any(key in value for key in INLINE)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items())
        return f"{{ {pairs} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(part) for part in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    return repr(value)


def _key(key: str) -> str:
    plain = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if plain else _quoted(key)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> list[str]:
    """Return a text as comment lines, control characters left out: TOML forbids them there."""
    clean = ("".join(c if c.isprintable() else " " for c in line) for line in text.split("\n"))
    return [f"# {line}".rstrip() for line in clean] if text else []
