"""The manifest of a run folder: everything that is needed to get the same draws again.

It holds no time, no machine and no absolute path, and of the table only the hash of the cells that
were used, so that the same run writes the same bytes.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from softseg.errors import FileError
from softseg.results.files import read_file
from softseg.tables.schema import Schema
from softseg.wording import say

MANIFEST: Final = "manifest.json"


class Options(BaseModel):
    """What a run was asked for; the number of cores is not part of it, for it changes nothing.

    Attributes
    ----------
    segments
        Number of segments.
    method
        ``auto``, ``gibbs`` or ``nuts``.
    draws, tune, chains
        Draws kept per chain, draws before them, number of chains.
    starts
        Starts of the search for the best mode.
    seed
        Fixes every draw.
    names
        Names of the segments, largest first.
    csv
        Whether the memberships are written as CSV too.
    allow_few_rows
        Whether to fit with fewer than 2 customers per free parameter.
    language
        Language of the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    segments: int = Field(ge=1)
    method: Literal["auto", "laplace", "gibbs", "nuts"] = "auto"
    draws: int = Field(default=1000, ge=1)
    tune: int = Field(default=200, ge=0)
    chains: int = Field(default=4, ge=1)
    starts: int = Field(default=10, ge=1)
    seed: int = Field(default=1, ge=0)
    names: tuple[str, ...] = ()
    csv: bool = False
    allow_few_rows: bool = False
    language: Literal["en", "de"] = "en"


class Manifest(BaseModel):
    """What a run folder says of itself.

    Attributes
    ----------
    softseg_manifest
        Version of the layout.
    versions
        Version of Python and of the packages that decide about the draws.
    table
        Where the table is, seen from the manifest; its name only where there is no such way.
    data_hash
        SHA-256 of the cells that were used.
    options
        What was asked for.
    given_schema, used_schema
        The schema as it was given, and with levels, scales and priors frozen.
    gate, fit
        The two verdicts.
    files
        SHA-256 of every file of the folder by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    softseg_manifest: Literal[1] = 1
    versions: dict[str, str]
    table: str
    data_hash: str
    options: Options
    given_schema: dict[str, Any]
    used_schema: dict[str, Any]
    gate: str
    fit: str
    files: dict[str, str] = {}

    def to_bytes(self) -> bytes:
        """Return the content of the file, the same for equal manifests."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)
        return (text + "\n").encode()

    def schema_of(self, which: Literal["given", "used"] = "given") -> Schema:
        """Return the schema as it was given, or as it was used."""
        return Schema(**(self.given_schema if which == "given" else self.used_schema))


def read_manifest(path: Path | str, language: str = "en") -> Manifest:
    """Return the manifest of a run folder, given the folder or the file itself.

    Raises
    ------
    FileError
        Where there is none, or it is damaged or of a newer version.
    """
    path = Path(path)
    path = path / MANIFEST if path.is_dir() else path
    content = read_file(path, language)
    try:
        data = json.loads(content)
    except ValueError:
        data = None
    found = data.get("softseg_manifest") if isinstance(data, dict) else None
    if isinstance(found, int) and found > 1:
        raise FileError(say("runs.newer_manifest", language, name=path.name))
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        raise FileError(say("runs.no_manifest", language, name=path.name)) from error


def versions(known: dict[str, str]) -> dict[str, str]:
    """Return the versions of a posterior tree with Python's and softseg's own."""
    import platform

    return {"python": platform.python_version(), "softseg": version("softseg"), **known}


def way_to(table: Path, folder: Path) -> str:
    """Return where a table is seen from a folder, its name where no way leads there."""
    try:
        return Path(os.path.relpath(table.resolve(), folder.resolve())).as_posix()
    except ValueError:
        # Two drives of a Windows machine.
        return table.name
