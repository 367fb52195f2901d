"""The files of a run folder: written apart, moved into place together, verified when read."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from softseg.errors import FileError
from softseg.results.files import replace_file, sha256, unwritable
from softseg.runs.manifest import MANIFEST, Manifest, read_manifest
from softseg.runs.roi_manifest import RoiManifest
from softseg.wording import say

if TYPE_CHECKING:
    import xarray as xr

MEMBERSHIPS: Final = "memberships.parquet"
MEMBERSHIPS_CSV: Final = "memberships.csv"
PROFILES: Final = "profiles.csv"
POSTERIOR: Final = "posterior.nc"
SCHEMA: Final = "schema.toml"
REPORT: Final = "report.html"
CHOICE: Final = "choice.csv"
CHOICE_JSON: Final = "choice.json"
CONTINUITY: Final = "continuity.json"
FIGURES: Final = "figures"
STAGE: Final = (".softseg-", ".tmp")
"""How the names of folders begin and end that exist only while files are written."""


@dataclass(frozen=True)
class Run:
    """A finished run folder.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        What it says of itself.
    """

    folder: Path
    manifest: Manifest

    @property
    def table(self) -> Path:
        """Where the table was when the folder was written."""
        return self.folder / self.manifest.table

    def tree(self) -> "xr.DataTree":
        """Return the posterior tree, after making sure that it belongs to the manifest.

        Raises
        ------
        FileError
            Where the file is damaged, or of another run.
        """
        from softseg.results.storage import load

        self.verify(POSTERIOR)
        return load(self.folder / POSTERIOR, self.manifest.options.language)

    def verify(self, name: str) -> Path:
        """Return the path of a file whose content is the one that the manifest names.

        Raises
        ------
        FileError
            Where it is another one, or missing.
        """
        path = self.folder / name
        if sha256(path) != self.manifest.files.get(name):
            language = self.manifest.options.language
            raise FileError(say("runs.mixed", language, name=name, manifest=MANIFEST))
        return path


def open_run(folder: Path | str, language: str = "en") -> Run:
    """Return the run of a folder, given the folder or its manifest.

    Raises
    ------
    FileError
        Where it is no run folder.
    """
    path = Path(folder)
    manifest = read_manifest(path, language)
    return Run(path if path.is_dir() else path.parent, manifest)


@contextmanager
def staged(folder: Path | str, language: str = "en") -> Iterator[Path]:
    """Give an empty folder inside another one, to write files into before they are published.

    It is removed in the end, and so is one that a killed process has left: the folder has to be
    locked. Nobody but its owner can read it.
    """
    for left in Path(folder).glob(f"{STAGE[0]}*{STAGE[1]}"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        stage = Path(tempfile.mkdtemp(*reversed(STAGE), dir=folder))
    except OSError as error:
        raise unwritable(Path(folder), error, language) from error
    try:
        (stage / FIGURES).mkdir(mode=0o700)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def publish[M: (Manifest, RoiManifest)](
    stage: Path, folder: Path, manifest: M, old: M | None, language: str = "en"
) -> M:
    """Move all staged files into a folder, then write the manifest; return it with its hashes.

    The manifest comes last, so that a run that was cut off is told from a finished one by the
    hashes. Files of the folder's last run that this one does not have are removed.

    Parameters
    ----------
    stage
        From `staged`, in the same folder.
    folder
        The run folder, locked.
    manifest
        Without hashes.
    old
        The manifest of the run that stands in the folder.
    """
    names = staged_names(stage)
    complete = manifest.model_copy(update={"files": {name: sha256(stage / name) for name in names}})
    try:
        (folder / FIGURES).mkdir(exist_ok=True)
        for name in names:
            (stage / name).replace(folder / name)
        for name in set(old.files if old else {}) - set(names):
            remove_inside(folder, name)
        if not any((folder / FIGURES).iterdir()):
            (folder / FIGURES).rmdir()
    except OSError as error:
        raise unwritable(folder, error, language) from error
    replace_file(folder / MANIFEST, complete.to_bytes(), language)
    return complete


def staged_names(stage: Path) -> list[str]:
    """Return the names of all files below a folder, sorted, with forward slashes."""
    files = (path for path in stage.rglob("*") if path.is_file())
    return sorted(path.relative_to(stage).as_posix() for path in files)


def remove_inside(folder: Path, name: str) -> None:
    """Remove a file of a folder; a name that leads out of it is left alone."""
    path = (folder / name).resolve()
    if path.is_relative_to(folder.resolve()):
        path.unlink(missing_ok=True)


def manifest_of(folder: Path) -> Manifest | None:
    """Return the manifest that stands in a folder, None where there is none to be read."""
    try:
        return read_manifest(folder / MANIFEST)
    except FileError:
        return None
