"""A workbook of assumptions as nested tables, like the TOML file, with the cell of every entry.

Only values are read: text that begins with an equals sign stays text, and of a formula its last
result counts. Sheets, columns and choices are known by their words, in either language, so that
columns may be moved.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any

from softseg.decisions.inputs.cells import Cell, CellFault, as_text, parse
from softseg.decisions.inputs.columns import (
    DEPENDENCE,
    INPUTS,
    SCENARIOS,
    SETTINGS,
    SHEETS,
    Column,
    code_of,
    heading,
    sheet_name,
)
from softseg.decisions.inputs.faults import Fault, Path, Place, short, unknown
from softseg.decisions.inputs.grids import Grid, read_grids
from softseg.wording import LANGUAGES


@dataclass
class Workbook:
    """What a workbook says.

    Attributes
    ----------
    language
        Of its sheets.
    data
        Nested tables as in the TOML file.
    places
        Cell of each entry.
    faults
        What cannot be read.
    """

    language: str = "en"
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_sheets(path: FilePath, language: str | None = None) -> Workbook:
    """Return what a workbook says.

    Parameters
    ----------
    path
        An Excel file.
    language
        Of the words in faults; the workbook's own if None.

    Raises
    ------
    FileError
        Where the file cannot be read or is too large.
    """
    found = read_grids(path, language or "en")
    grids, own = _by_name(found)
    reader = _Reader(Workbook(own), language or own)
    for sheet in ("settings", "inputs"):
        if sheet not in grids:
            names = {"sheet": sheet_name(sheet, reader.language)}
            names["known"] = ", ".join(grid.name for grid in found)
            reader.book.faults.append(Fault("sheet.no_sheet", names))
    parts = {
        "settings": reader.settings,
        "inputs": reader.inputs,
        "dependence": reader.dependence,
        "scenarios": reader.scenarios,
        "samples": reader.samples,
    }
    for sheet, read in parts.items():
        if sheet in grids:
            read(grids[sheet])
    return reader.book


class _Reader:
    def __init__(self, book: Workbook, language: str) -> None:
        self.book, self.language = book, language

    def settings(self, grid: Grid) -> None:
        codes = {column.code: column for column in SETTINGS}
        for row in range(len(grid.rows)):
            if grid.at(row, 0).empty:
                continue
            text = as_text(grid.at(row, 0).value)
            code = code_of("setting", text, codes)
            if code is None:
                if row > 0:
                    self.fault(grid, row, 0, "sheet.unknown_setting", {"got": short(text)})
                continue
            value = self.parsed(grid, row, 1, codes[code], path=(code,))
            self.put((code,), grid, row, 1, value)

    def inputs(self, grid: Grid) -> None:
        columns = self.columns(grid, INPUTS)
        inputs = self.book.data.setdefault("inputs", {})
        if not self.needed(grid, columns, INPUTS, "id", "role", "unit"):
            return
        places: dict[str, Place] = {}
        for row in self.filled(grid):
            at = columns["id"]
            name = as_text(grid.at(row, at).value or "").strip()
            if not name:
                self.fault(grid, row, at, "sheet.no_id", self.first(grid, row))
                continue
            if name in inputs:
                first = places[name].values["cell"]
                self.fault(grid, row, at, "sheet.twice_id", {"id": name, "first": first})
                continue
            inputs[name] = {}
            places[name] = self.book.places["inputs", name] = grid.place(row, at)
            self.entry(grid, row, columns, name)

    def entry(self, grid: Grid, row: int, columns: Mapping[str, int], name: str) -> None:
        unit = self.unit(grid, row, columns)
        for column in INPUTS[1:]:
            if column.code in columns:
                at, path = columns[column.code], ("inputs", name, *column.code.split("."))
                self.put(path, grid, row, at, self.parsed(grid, row, at, column, unit, path))

    def unit(self, grid: Grid, row: int, columns: Mapping[str, int]) -> str:
        cell = grid.at(row, columns["unit"])
        return "" if cell.empty else parse(Cell(as_text(cell.value)), "unit", "", self.language)

    def dependence(self, grid: Grid) -> None:
        columns = self.columns(grid, DEPENDENCE)
        if not self.needed(grid, columns, DEPENDENCE, "kind", "first", "number"):
            return
        for row in self.filled(grid):
            entry = self.row(grid, row, columns, DEPENDENCE)
            kind = entry.get("kind")
            if kind is None:
                self.fill(grid, row, columns, "kind")
            elif kind == "copula":
                self.copula(grid, row, columns, entry)
            elif kind == "correlation":
                self.correlation(grid, row, columns, entry)
            elif self.fill(grid, row, columns, "first"):
                self.factor(grid, row, columns, entry)

    def copula(self, grid: Grid, row: int, columns: Mapping[str, int], entry: Any) -> None:
        put = {"first": "copula", "number": "degrees_of_freedom"}
        for code, name in put.items():
            self.put(("dependence", name), grid, row, columns[code], entry.get(code))

    def correlation(self, grid: Grid, row: int, columns: Mapping[str, int], entry: Any) -> None:
        if not self.fill(grid, row, columns, "first", "second", "number"):
            return
        pairs = self.book.data.setdefault("dependence", {}).setdefault("correlations", [])
        path = ("dependence", "correlations", str(len(pairs)))
        pairs.append({"between": [entry.get("first"), entry.get("second")]})
        pairs[-1]["rank"] = entry.get("number")
        for part, code in ((), "first"), (("between",), "first"), (("rank",), "number"):
            self.book.places[(*path, *part)] = grid.place(row, columns[code])

    def factor(self, grid: Grid, row: int, columns: Mapping[str, int], entry: Any) -> None:
        name, second = entry["first"], entry.get("second", "")
        path = ("dependence", "factors", name)
        factors = self.book.data.setdefault("dependence", {}).setdefault("factors", {})
        factors.setdefault(name, {"loads": {}})
        self.book.places.setdefault(path, grid.place(row, columns["first"]))
        if entry.get("factor_label") is not None:
            factors[name]["label"] = entry["factor_label"]
        if not second and entry.get("number") is None:
            return
        if self.fill(grid, row, columns, "second", "number"):
            part = "loads" if entry["kind"] == "loading" else "factors"
            at = columns["number"]
            self.put((*path, part, second), grid, row, at, entry.get("number"))

    def scenarios(self, grid: Grid) -> None:
        columns = self.columns(grid, SCENARIOS)
        if not self.needed(grid, columns, SCENARIOS, "scenario", "pinned", "pinned_value"):
            return
        for row in self.filled(grid):
            if not self.fill(grid, row, columns, "scenario"):
                continue
            name = as_text(grid.at(row, columns["scenario"]).value).strip()
            pinned = as_text(grid.at(row, columns["pinned"]).value or "").strip()
            self.book.data.setdefault("scenarios", {}).setdefault(name, {})
            at = columns["pinned_value"]
            if not pinned and grid.at(row, at).empty:
                continue
            if self.fill(grid, row, columns, "pinned", "pinned_value"):
                unit = self.book.data.get("inputs", {}).get(pinned, {}).get("unit", "")
                path = ("scenarios", name, pinned)
                self.put(path, grid, row, at, self.parsed(grid, row, at, SCENARIOS[2], unit, path))

    def samples(self, grid: Grid) -> None:
        inputs = self.book.data.get("inputs", {})
        width = max((len(row) for row in grid.rows), default=0)
        for at in range(width):
            cells = [grid.at(row, at) for row in range(len(grid.rows))]
            while cells and cells[-1].empty:
                cells.pop()
            if not cells:
                continue
            name = as_text(cells[0].value or "").strip()
            if name not in inputs:
                found = unknown(name, inputs, None, "")
                self.fault(grid, 0, at, found.key, found.values)
                continue
            column = Column("samples", "quantity")
            unit, path = inputs[name].get("unit", ""), ("inputs", name, "samples")
            values = []
            for row, cell in enumerate(cells[1:], start=1):
                if cell.empty:
                    self.fault(grid, row, at, "sheet.gap", {})
                else:
                    values.append(self.parsed(grid, row, at, column, unit, path))
            self.put(path, grid, 0, at, None if None in values else values)

    def columns(self, grid: Grid, known: Sequence[Column]) -> dict[str, int]:
        """Return where the columns of a sheet stand, and note headings that it does not know."""
        codes = [column.code for column in known]
        found: dict[str, int] = {}
        for at in range(max((len(row) for row in grid.rows), default=0)):
            cell = grid.at(0, at)
            if cell.empty and all(grid.at(row, at).empty for row in range(len(grid.rows))):
                continue
            text = as_text(cell.value or "").strip()
            code = code_of("column", text, codes)
            if code is None:
                words = [heading(code, language) for code in codes for language in LANGUAGES]
                close = get_close_matches(text, words, n=1)
                key = "sheet.unknown_column" + ("_close" if close else "")
                values = {"got": short(text) or "–", **({"close": close[0]} if close else {})}
                self.fault(grid, 0, at, key, values)
            elif code in found:
                first = grid.place(0, found[code]).values["cell"]
                self.fault(grid, 0, at, "sheet.twice_column", {"got": text, "first": first})
            else:
                found[code] = at
        return found

    def needed(
        self, grid: Grid, columns: Mapping[str, int], known: Sequence[Column], *codes: str
    ) -> bool:
        """Return whether a sheet has the columns without which it cannot be read."""
        if not list(self.filled(grid)):
            return False
        missing = [code for code in codes if code not in columns]
        for code in missing:
            self.fault(grid, 0, 0, "sheet.no_column", {"column": heading(code, self.language)})
        return not missing

    def first(self, grid: Grid, row: int) -> dict[str, str]:
        """Return the place of a row's first cell that is not empty, and what it holds."""
        at = next(at for at, cell in enumerate(grid.rows[row]) if not cell.empty)
        cell = grid.place(row, at).values["cell"]
        return {"cell": cell, "got": short(as_text(grid.at(row, at).value).strip())}

    def filled(self, grid: Grid) -> Iterator[int]:
        """Go through the rows below the headings in which something stands."""
        return (
            row
            for row, cells in enumerate(grid.rows)
            if row > 0 and not all(cell.empty for cell in cells)
        )

    def row(
        self, grid: Grid, row: int, columns: Mapping[str, int], known: Sequence[Column]
    ) -> dict[str, Any]:
        found = {}
        for column in known:
            if column.code in columns:
                at = columns[column.code]
                value = self.parsed(grid, row, at, column)
                if value is not None:
                    text = column.kind == "text" and column.code != "factor_label"
                    found[column.code] = value.strip() if text else value
        return found

    def fill(self, grid: Grid, row: int, columns: Mapping[str, int], *codes: str) -> bool:
        """Return whether the cells that a row needs hold something, and note where not."""
        empty = [c for c in codes if c not in columns or grid.at(row, columns[c]).empty]
        for code in empty:
            self.fault(grid, row, columns.get(code, 0), "sheet.incomplete", {})
        return not empty

    def parsed(
        self,
        grid: Grid,
        row: int,
        at: int,
        column: Column,
        unit: str = "",
        path: Path = (),
    ) -> Any:
        """Return what a cell means, None where it is empty or does not fit, which is noted."""
        cell = grid.at(row, at)
        if cell.empty:
            return None
        try:
            return parse(cell, column.kind, unit, self.language)
        except CellFault as fault:
            ends = column.code in ("value", "low", "likely", "high")
            key = "sheet.no_number" if fault.key == "sheet.text_range" and not ends else fault.key
            self.fault(grid, row, at, key, fault.values, path)
            return None

    def put(self, path: Path, grid: Grid, row: int, at: int, value: Any) -> None:
        """Note the cell of an entry, and the entry where it has a value."""
        self.book.places[path] = grid.place(row, at)
        if value is None:
            return
        table = self.book.data
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value

    def fault(
        self,
        grid: Grid,
        row: int,
        at: int,
        key: str,
        values: Mapping[str, Any],
        path: Path = (),
    ) -> None:
        """Note a fault of a cell, and the entry that it would have been."""
        own = path[:1] == ("inputs",)
        name, field = (path[1], path[2:]) if own else (None, path)
        place = grid.place(row, at)
        self.book.faults.append(Fault(key, values, name, ".".join(field) or None, place))


def _by_name(grids: Sequence[Grid]) -> tuple[dict[str, Grid], str]:
    """Return the sheets that are known, and the language that most of them have."""
    found: dict[str, Grid] = {}
    for grid in grids:
        code = code_of("name", grid.name, SHEETS)
        if code is not None:
            found.setdefault(code, grid)
    german = sum(
        grid.name == sheet_name(code, "de") != sheet_name(code, "en")
        for code, grid in found.items()
    )
    return found, "de" if 2 * german > len(found) else "en"
