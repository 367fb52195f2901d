"""Repeating a run from its manifest, and what differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from softseg.errors import FileError
from softseg.runs.choice import read_choice
from softseg.runs.continuing import read_continuity
from softseg.runs.folder import MEMBERSHIPS, POSTERIOR, Run
from softseg.runs.manifest import Manifest
from softseg.runs.migrate import STATES, Migrated, is_migration, migrate
from softseg.runs.segment import Outcome, segment
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.inference.draws import Progress


@dataclass(frozen=True)
class Difference:
    """How two runs differ.

    Attributes
    ----------
    data
        Whether the cells that were used differ.
    versions
        Packages of another version: name, then the two versions.
    files
        Files that differ or stand in one folder only.
    """

    data: bool
    versions: Mapping[str, tuple[str, str]]
    files: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether draws and memberships are the same, bit for bit."""
        return not self.data and not {POSTERIOR, MEMBERSHIPS, STATES} & set(self.files)

    def text(self, language: str = "en") -> list[str]:
        """Return what differs, in sentences."""
        lines = [say("rerun.same" if self.same else "rerun.other", language)]
        if self.data:
            lines.append(say("rerun.data", language))
        if self.versions:
            changed = [f"{name} {old} → {new}" for name, (old, new) in self.versions.items()]
            lines.append(say("rerun.versions", language, versions=", ".join(changed)))
        if self.files:
            lines.append(say("rerun.files", language, files=", ".join(self.files)))
        return lines


def rerun(
    run: Run,
    folder: Path,
    *,
    table: Path | None = None,
    cores: int | None = None,
    progress: "Progress | None" = None,
) -> tuple[Outcome | Migrated, Difference]:
    """Do a run again, into another folder, and say what differs.

    Parameters
    ----------
    run
        The run to repeat.
    folder
        Where to write.
    table
        The table, where it is no longer where the manifest says.
    cores
        Threads; they change no number.

    Raises
    ------
    FileError
        Where the table is not where the manifest says.
    """
    manifest = run.manifest
    language = manifest.options.language
    path = run.table if table is None else table
    if not path.is_file():
        raise FileError(say("rerun.no_table", language, name=manifest.table))
    given, options = manifest.schema_of("given"), manifest.options
    choice = read_choice(run.folder, manifest.data_hash)
    if is_migration(run):
        moved = migrate(path, given, options, folder, cores=cores, progress=progress, choice=choice)
        return moved, compare_runs(manifest, moved.run.manifest)
    outcome = segment(
        path,
        given,
        options,
        folder,
        cores=cores,
        progress=progress,
        choice=choice,
        found=read_continuity(run.folder),
    )
    if outcome.partial:
        raise KeyboardInterrupt(say("runs.kept", language))
    return outcome, compare_runs(manifest, outcome.run.manifest)


def compare_runs(old: Manifest, new: Manifest) -> Difference:
    """Return how two runs differ, by their manifests."""
    names = sorted(old.versions | new.versions)
    changed = {
        name: (old.versions.get(name, "–"), new.versions.get(name, "–"))
        for name in names
        if old.versions.get(name) != new.versions.get(name)
    }
    files = sorted(
        name for name in old.files | new.files if old.files.get(name) != new.files.get(name)
    )
    return Difference(old.data_hash != new.data_hash, changed, tuple(files))
