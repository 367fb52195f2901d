"""In which line of a TOML text an entry stands; `tomllib` does not say.

The text is known to be TOML, so that reading it needs no checks: keys and brackets are followed,
strings and comments skipped.
"""

import re
import tomllib
from typing import Final

_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN: Final = re.compile(r"[^,\]}\n#]*")


def toml_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line, the first one being 1, of every key and table of a TOML text.

    Members of arrays have their index, from 0, as a key.
    """
    return _Reader(text.replace("\r\n", "\n")).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.line, self.counted = text, 0, 1, 0
        self.lines: dict[tuple[str, ...], int] = {}
        self.arrays: dict[tuple[str, ...], int] = {}

    def read(self) -> dict[tuple[str, ...], int]:
        table: tuple[str, ...] = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)
        return self.lines

    def header(self) -> tuple[str, ...]:
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        keys = self.keys()
        self.at += brackets
        path: tuple[str, ...] = ()
        for i, key in enumerate(keys):
            path = (*path, key)
            if brackets == 2 and i == len(keys) - 1:
                self.arrays[path] = self.arrays.get(path, -1) + 1
                self.note(path)
            if path in self.arrays:
                path = (*path, str(self.arrays[path]))
            self.note(path)
        return path

    def pair(self, table: tuple[str, ...]) -> None:
        path = table
        for key in self.keys():
            path = (*path, key)
            self.note(path)
        self.at += 1  # the equals sign
        self.value(path)

    def keys(self) -> list[str]:
        """Read a key with its dots, and the blanks around it."""
        keys = []
        while True:
            self.skip(_SPACE)
            key = self.skip(_KEY)
            keys.append(next(iter(tomllib.loads(f"{key} = 0"))) if key[:1] in "'\"" else key)
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def value(self, path: tuple[str, ...]) -> None:
        self.skip(_SPACE)
        first = self.text[self.at : self.at + 1]
        if first == "[":
            self.members(path, "]")
        elif first == "{":
            self.members(path, "}")
        elif not self.skip(_STRING):
            self.skip(_PLAIN)

    def members(self, path: tuple[str, ...], end: str) -> None:
        """Read an array or an inline table."""
        self.at += 1
        index = 0
        self.skip(_BLANK)
        while not self.text.startswith(end, self.at):
            if end == "]":
                self.note((*path, str(index)))
                self.value((*path, str(index)))
                index += 1
            else:
                self.pair(path)
            self.skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
            self.skip(_BLANK)
        self.at += 1

    def note(self, path: tuple[str, ...]) -> None:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        self.lines.setdefault(path, self.line)

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()
