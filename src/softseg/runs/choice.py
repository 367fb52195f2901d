"""The choice of the number of segments as files, so that a later report can show it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softseg.errors import FileError
from softseg.results.files import read_file, replace_file
from softseg.runs.folder import CHOICE, CHOICE_JSON
from softseg.wording import say

if TYPE_CHECKING:
    import pandas as pd

    from softseg.inference.choice import Choice


@dataclass(frozen=True)
class StoredChoice:
    """What `choose` found, without the fits.

    Attributes
    ----------
    data_hash
        Hash of the cells it was found with.
    recommended
        Number of segments, None where none passed the gate.
    reasons
        Keys of the catalogue with their values.
    rows
        The criteria, one row per number of segments.
    flows
        Customers by top segment of each number tried and of the next.
    """

    data_hash: str
    recommended: int | None
    reasons: tuple[tuple[str, dict[str, float]], ...]
    rows: tuple[dict[str, Any], ...]
    flows: tuple[list[list[float]], ...] = ()

    @classmethod
    def of(cls, choice: "Choice", data_hash: str) -> "StoredChoice":
        """Return what is kept of a choice."""
        text = choice.table.to_json(orient="records", double_precision=15)
        rows = json.loads(text or "[]")
        flows = tuple(flow.tolist() for flow in choice.flows)
        return cls(data_hash, choice.recommended, choice.reasons, tuple(rows), flows)

    @property
    def table(self) -> "pd.DataFrame":
        """The criteria as a frame, NaN where a criterion does not exist."""
        import pandas as pd

        # JSON knows no NaN.
        nan = float("nan")
        return pd.DataFrame(
            [{k: nan if v is None else v for k, v in row.items()} for row in self.rows]
        )

    def text(self, language: str = "en") -> list[str]:
        """Return the recommendation in sentences."""
        from softseg.inference.choice import Choice

        return Choice((), self.recommended, self.reasons, ()).text(language)

    def write(self, folder: Path, language: str = "en") -> None:
        """Write it as CSV for people and as JSON for a later report."""
        from softseg.results.exports import write_csv

        write_csv(folder / CHOICE, self.table, language)
        text = json.dumps(vars(self), indent=2, sort_keys=True)
        replace_file(folder / CHOICE_JSON, f"{text}\n".encode(), language)


def read_choice(folder: Path, data_hash: str) -> StoredChoice | None:
    """Return the choice that stands in a folder, None where it belongs to other data or is none.

    Raises
    ------
    FileError
        Where the file is damaged.
    """
    path = folder / CHOICE_JSON
    if not path.is_file():
        return None
    try:
        data = json.loads(read_file(path))
        reasons = tuple((str(key), dict(values)) for key, values in data["reasons"])
        found = StoredChoice(
            data["data_hash"],
            data["recommended"],
            reasons,
            tuple(data["rows"]),
            tuple(data.get("flows", ())),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(say("runs.damaged", name=path.name)) from error
    return found if found.data_hash == data_hash else None
