"""A return-on-investment calculation again, from its manifest, and what differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from softseg.errors import UsageError
from softseg.runs.roi import RoiOutcome, RoiRun, run_roi
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.inference.draws import Progress


@dataclass(frozen=True)
class RoiDifference:
    """How two calculations differ.

    Attributes
    ----------
    same
        Whether all draws, of inputs and of outcomes, are the same, bit for bit.
    versions
        Packages of another version: name, then the two versions.
    files
        Files that differ or stand in one folder only.
    """

    same: bool
    versions: Mapping[str, tuple[str, str]]
    files: tuple[str, ...]

    def text(self, language: str = "en") -> list[str]:
        """Return what differs, in sentences."""
        lines = [say("roi.rerun.same" if self.same else "roi.rerun.other", language)]
        if self.versions:
            changed = [f"{name} {old} → {new}" for name, (old, new) in self.versions.items()]
            lines.append(say("rerun.versions", language, versions=", ".join(changed)))
        if self.files:
            lines.append(say("rerun.files", language, files=", ".join(self.files)))
        return lines


def rerun_roi(
    run: RoiRun,
    folder: Path,
    *,
    cores: int | None = None,
    progress: "Progress | None" = None,
    language: str | None = None,
) -> tuple[RoiOutcome, RoiDifference]:
    """Calculate again into another folder and say what differs.

    Parameters
    ----------
    run
        The run to repeat.
    folder
        Where to write.
    cores
        Threads; they change no number.
    progress
        Is told how far it is.
    language
        Of the messages; that of the run if None.

    Raises
    ------
    UsageError
        Where inputs came from a fitted model, whose draws the manifest does not hold, or where
        the run would write over itself.
    """
    manifest = run.manifest
    language = language or manifest.options.language
    if manifest.posterior:
        raise UsageError(say("roi.posterior", language, names=", ".join(manifest.posterior)))
    if folder.resolve() == run.folder.resolve():
        raise UsageError(say("roi.rerun.itself", language, folder=folder.name))
    assumptions = manifest.read_assumptions()
    outcome = run_roi(assumptions, folder, manifest.options, cores=cores, progress=progress)
    return outcome, compare_roi(run, outcome.run)


def compare_roi(old: RoiRun, new: RoiRun) -> RoiDifference:
    """Return how two calculations differ, after reading the draws of both."""
    a, b = old.manifest, new.manifest
    changed = {
        name: (a.versions.get(name, "–"), b.versions.get(name, "–"))
        for name in sorted(a.versions | b.versions)
        if a.versions.get(name) != b.versions.get(name)
    }
    files = [n for n in sorted(a.files | b.files) if a.files.get(n) != b.files.get(n)]
    return RoiDifference(_same_draws(old, new), changed, tuple(files))


def _same_draws(old: RoiRun, new: RoiRun) -> bool:
    from softseg.decisions.tree import INPUTS, OUTCOME

    a, b = old.tree(), new.tree()
    return all(a[name].to_dataset().equals(b[name].to_dataset()) for name in (INPUTS, OUTCOME))
