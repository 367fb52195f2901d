"""The manifest of a study folder: which stage was done with what, and which files it left.

It holds no time, no machine and no absolute path, so that the same study writes the same bytes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from softseg.errors import FileError, UsageError
from softseg.results.files import read_file, replace_file, sha256, unwritable
from softseg.runs.folder import FIGURES, remove_inside, staged_names
from softseg.runs.manifest import MANIFEST
from softseg.study.file import StageName
from softseg.wording import say

SEGMENTS: Final = "segments"
VALUE_NC: Final = "value.nc"
STUDY_NC: Final = "study.nc"
STUDY_CSV: Final = "study.csv"
STUDY_XLSX: Final = "study.xlsx"
STUDY_TOML: Final = "study.toml"
CUSTOMERS_FIRST: Final = "customers_first.csv"
OUTPUTS: Final = (
    MANIFEST, VALUE_NC, STUDY_NC, STUDY_CSV, STUDY_XLSX, STUDY_TOML, CUSTOMERS_FIRST,
    "assumptions.toml", "report.html",
)  # fmt: skip


class Record(BaseModel):
    """One stage that was done.

    Attributes
    ----------
    key
        Hash of all it depends on; empty once a stage before it was done anew with other things.
    files
        SHA-256 of every file it left, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    files: dict[str, str] = {}


class StudyManifest(BaseModel):
    """What a study folder says of itself.

    Attributes
    ----------
    softseg_study_manifest
        Version of the layout.
    versions
        Versions of Python, softseg and the packages that decide about the draws.
    study
        The study file as it was used, paths seen from the folder.
    stages
        What was done, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    softseg_study_manifest: Literal[1] = 1
    versions: dict[str, str] = {}
    study: dict[str, Any] = {}
    stages: dict[StageName, Record] = {}

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of every file of the folder by name."""
        return {name: sha for record in self.stages.values() for name, sha in record.files.items()}

    def to_bytes(self) -> bytes:
        """Return the content of the file, the same for equal manifests."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)
        return (text + "\n").encode()

    def is_done(self, stage: StageName, key: str, folder: Path) -> bool:
        """Return whether a stage was done with this key, and its files are as it left them."""
        record = self.stages.get(stage)
        return record is not None and record.key == key and intact(folder, record.files)


def intact(folder: Path, files: Mapping[str, str]) -> bool:
    """Return whether files are there with the content that these hashes name."""
    try:
        return all(sha256(folder / name) == known for name, known in files.items())
    except FileError:
        return False


def read_study_manifest(path: Path | str, language: str = "en") -> StudyManifest:
    """Return the manifest of a study folder, given the folder or the file itself.

    Raises
    ------
    FileError
        Where there is none, or it is damaged, of another kind or of a newer version.
    """
    path = Path(path)
    path = path / MANIFEST if path.is_dir() else path
    content = read_file(path, language)
    try:
        data = json.loads(content)
    except ValueError:
        data = None
    found = data.get("softseg_study_manifest") if isinstance(data, Mapping) else None
    if isinstance(found, int) and found > 1:
        raise FileError(say("runs.newer_manifest", language, name=path.name))
    try:
        return StudyManifest.model_validate(data if found == 1 else None)
    except ValidationError as error:
        raise FileError(say("study_run.no_manifest", language, name=path.name)) from error


def manifest_in(folder: Path, language: str = "en") -> StudyManifest:
    """Return the manifest that stands in a folder, an empty one where there is none.

    Raises
    ------
    UsageError
        Where the folder belongs to another kind of run.
    """
    if not (folder / MANIFEST).exists():
        return StudyManifest()
    try:
        return read_study_manifest(folder, language)
    except FileError as error:
        values = {"folder": folder.name, "name": MANIFEST}
        raise UsageError(say("roi.foreign", language, **values)) from error


def refuse_inputs(folder: Path, inputs: tuple[Path, ...], language: str) -> None:
    """Refuse a folder in which the run would write over a file that it reads.

    Raises
    ------
    UsageError
        Where it would.
    """
    outputs = {(folder / name).resolve() for name in OUTPUTS}
    inside = (folder / SEGMENTS).resolve()
    for path in inputs:
        if path.resolve() in outputs or path.resolve().parent == inside:
            raise UsageError(say("runs.input", language, name=path.name))


def publish_stage(stage: Path, folder: Path, old: Mapping[str, str], language: str) -> Record:
    """Move the staged files of one stage into the folder and return their record, without key.

    Parameters
    ----------
    stage
        From `softseg.runs.folder.staged`, in the same folder, which is locked.
    old
        Files that the stage left before; those that it has no more are removed.
    """
    names = staged_names(stage)
    files = {name: sha256(stage / name) for name in names}
    try:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (stage / name).replace(folder / name)
        for name in set(old) - set(names):
            remove_inside(folder, name)
        figures = folder / FIGURES
        if figures.is_dir() and not any(figures.iterdir()):
            figures.rmdir()
    except OSError as error:
        raise unwritable(folder, error, language) from error
    return Record(key="", files=files)


def write_manifest(manifest: StudyManifest, folder: Path, language: str) -> None:
    """Write the manifest in one step."""
    replace_file(folder / MANIFEST, manifest.to_bytes(), language)
