"""Sign-off: who approved which assumptions and results, and whether they are still the same.

What is signed is the folder's content: assumptions, seed, number of draws, versions and the
SHA-256 of every file. The content hash is the SHA-256 of all that, with approver, date, note and
the headline numbers, as JSON with sorted keys and no spaces, so that it can be computed without
this package. It shows a change by mistake; who wants to deceive can compute it anew, so that it
has to be kept elsewhere too, for instance in the minutes.
"""

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from softseg.decisions.tree import canonical
from softseg.errors import FileError, UsageError
from softseg.results.files import read_file, replace_file, sha256
from softseg.results.storage import load
from softseg.wording import number, say

SIGNOFF: Final = "signoff.json"
MANIFEST: Final = "manifest.json"
RESULTS: Final = "roi.nc"


class Content(BaseModel):
    """What is signed.

    Attributes
    ----------
    assumptions
        As JSON.
    options
        Seed, number of draws and of replicates.
    versions
        Of Python, softseg and the packages that decide about the draws.
    files
        SHA-256 of every file by name.
    """

    model_config = ConfigDict(frozen=True)

    assumptions: dict[str, Any]
    options: dict[str, Any]
    versions: dict[str, str]
    files: dict[str, str]

    def measured(self, folder: Path) -> Self:
        """Return the content with the files as they are now; one that is missing has no hash."""
        paths = {name: folder / name for name in self.files}
        now = {name: sha256(path) if path.is_file() else "" for name, path in paths.items()}
        return self.model_copy(update={"files": now})


class Signoff(BaseModel):
    """A sign-off.

    Attributes
    ----------
    content_hash
        SHA-256 of everything else in here.
    content
        What was signed.
    approver, date, note
        Who signed, when, and what they had to say.
    headline
        The numbers that were signed: mean and quantiles of the net present value (full
        accounting, with the probability of no effect and the realisation factor), the probability
        that it is above 0, the median ROI.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    softseg_signoff: Literal[1] = 1
    content_hash: str = ""
    approver: str
    date: datetime.date
    note: str = ""
    headline: dict[str, float | None]
    content: Content

    def sealed(self) -> Self:
        """Return the sign-off with the hash of its content."""
        data = self.model_dump(mode="json", exclude={"content_hash"})
        hashed = hashlib.sha256(canonical(data).encode()).hexdigest()
        return self.model_copy(update={"content_hash": hashed})


class Verdict(BaseModel):
    """What a check of a sign-off says.

    Attributes
    ----------
    signoff
        The sign-off.
    changed, missing
        Names of files that are not what they were, or are no longer there.
    other
        Whether assumptions, seed, draws or versions in the manifest are others than those signed.
    forged
        Whether the sign-off itself was changed: its content no longer has its hash.
    """

    model_config = ConfigDict(frozen=True)

    signoff: Signoff
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    forged: bool = False

    @property
    def holds(self) -> bool:
        """Whether nothing has changed."""
        return not (self.changed or self.missing or self.other or self.forged)

    def text(self, language: str = "en") -> str:
        """Return the verdict as one sentence."""
        signed = {
            "approver": self.signoff.approver,
            "date": day(self.signoff.date, language),
            "hash": self.signoff.content_hash[:12],
            "count": number(len(self.signoff.content.files), language),
        }
        if self.holds:
            return say("roi.verify.same", language, **signed)
        if self.forged:
            return say("roi.verify.forged", language, **signed)
        parts = [say(f"roi.verify.part.{name}", language) for name in self.other]
        names = {"changed": self.changed, "missing": self.missing}
        parts += [
            say(f"roi.verify.{kind}", language, files=", ".join(found))
            for kind, found in names.items()
            if found
        ]
        return say("roi.verify.other", language, what="; ".join(parts), **signed)


def freeze(
    folder: Path | str,
    approver: str,
    note: str,
    when: datetime.date,
    *,
    again: bool = False,
    language: str = "en",
) -> Signoff:
    """Write `signoff.json` into a run folder and return it.

    Parameters
    ----------
    folder
        A folder that ``softseg roi`` has written, unchanged since.
    approver
        Who signs.
    note
        What they have to say.
    when
        The date of the signature.
    again
        Whether an earlier sign-off is replaced.

    Raises
    ------
    UsageError
        Where nobody signs, or the folder is signed already.
    FileError
        Where a file of the folder is not the one that its manifest names.
    """
    folder = Path(folder)
    if not approver.strip():
        raise UsageError(say("roi.freeze.nobody", language))
    if (folder / SIGNOFF).exists() and not again:
        raise UsageError(say("roi.freeze.twice", language, name=SIGNOFF))
    content = content_of(folder, language)
    measured = content.measured(folder)
    others = [name for name in content.files if content.files[name] != measured.files[name]]
    if others:
        raise FileError(say("roi.freeze.mixed", language, files=", ".join(others)))
    signed = Signoff(
        approver=approver.strip(),
        date=when,
        note=note,
        headline=headline_of(folder, language),
        content=content,
    ).sealed()
    text = json.dumps(signed.model_dump(mode="json"), indent=2, ensure_ascii=False)
    replace_file(folder / SIGNOFF, (text + "\n").encode(), language)
    return signed


def verify(folder: Path | str, language: str = "en") -> Verdict:
    """Return whether anything in a folder has changed since it was signed, and what.

    Files that were added later are not part of what was signed and do not count.

    Raises
    ------
    FileError
        Where the folder is not signed, or the sign-off cannot be read.
    """
    folder = Path(folder)
    signed = read_signoff(folder, language)
    if signed.sealed() != signed:
        return Verdict(signoff=signed, forged=True)
    then, now = signed.content.files, signed.content.measured(folder).files
    other: list[str] = []
    if (folder / MANIFEST).is_file():
        stands = content_of(folder, language)
        parts = ("assumptions", "options", "versions", "files")
        other = [part for part in parts if getattr(stands, part) != getattr(signed.content, part)]
    return Verdict(
        signoff=signed,
        changed=tuple(name for name in then if now[name] and now[name] != then[name]),
        missing=tuple(name for name in then if not now[name])
        + (() if (folder / MANIFEST).is_file() else (MANIFEST,)),
        other=tuple(other),
    )


def read_signoff(folder: Path | str, language: str = "en") -> Signoff:
    """Return the sign-off of a folder.

    Raises
    ------
    FileError
        Where there is none, or it cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileError(say("roi.no_run", language, name=folder.name))
    path = folder / SIGNOFF
    if not path.is_file():
        raise FileError(say("roi.verify.unsigned", language, name=folder.resolve().name))
    try:
        return Signoff.model_validate_json(read_file(path, language))
    except ValidationError as error:
        raise FileError(say("roi.verify.damaged", language, name=SIGNOFF)) from error


def content_of(folder: Path, language: str = "en") -> Content:
    """Return what the manifest of a folder says of its content.

    Raises
    ------
    FileError
        Where there is no manifest of a calculation.
    """
    try:
        return Content.model_validate_json(read_file(folder / MANIFEST, language))
    except ValidationError as error:
        raise FileError(say("roi.no_manifest", language, name=folder.name)) from error


def headline_of(folder: Path, language: str = "en") -> dict[str, float | None]:
    """Return the numbers that are signed, from the results of a folder."""
    tree = load(folder / RESULTS, language)
    found = tree["headline"].to_dataset()
    found = found.sel(accounting="contribution_margin", adjusted=True)
    numbers = {
        "mean_npv": found["mean_npv"],
        **{f"npv_q{100 * q:02.0f}": found["npv"].sel(quantile=q) for q in (0.05, 0.5, 0.95)},
        "p_npv_positive": found["p_npv_positive"],
        "median_roi": found["roi"].sel(quantile=0.5),
    }
    return {name: _finite(float(value)) for name, value in numbers.items()}


def day(date: datetime.date, language: str = "en") -> str:
    """Return a date as people write it: 2026-03-01, in German 01.03.2026."""
    return date.strftime("%d.%m.%Y") if language == "de" else date.isoformat()


def _finite(x: float) -> float | None:
    """Return a number that JSON knows, else None."""
    return x if abs(x) < float("inf") else None
