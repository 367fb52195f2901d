"""What a study found, fresh or from its folder: `StudyResult`."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import xarray as xr

from softseg.errors import FileError
from softseg.names import SEGMENT
from softseg.runs.choice import read_choice
from softseg.runs.output import stored_comparison
from softseg.runs.roi_manifest import roi_versions
from softseg.study.answering import DRAWS, LEDGER, PART, read_company
from softseg.study.file import StageName, Study
from softseg.study.manifest import STUDY_NC, STUDY_TOML, intact, read_study_manifest
from softseg.study.valuing import VALUE
from softseg.study.work import GOOD, Work
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.decisions.answers.collect import Answers
    from softseg.decisions.segments.fallback import Fallback
    from softseg.decisions.segments.findings import Findings
    from softseg.decisions.segments.worth import SegmentSimulation


@dataclass(frozen=True)
class StudyResult:
    """A study and what it found.

    Attributes
    ----------
    study
        What was asked.
    folder
        Where it stands.
    findings
        What page and workbook read; None before the fit is done.
    ran
        Stages that were done just now, in order; the others had nothing to do.
    pending
        Stages that were not asked for and that have something to do.
    """

    study: Study
    folder: Path
    findings: "Findings | None"
    ran: tuple[StageName, ...] = ()
    pending: tuple[StageName, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the gate let the fit through."""
        return self.findings is not None and self.findings.gate == GOOD

    @classmethod
    def load(cls, folder: Path | str, language: str = "en") -> Self:
        """Return the result that stands in a study's folder, nothing computed anew.

        Raises
        ------
        FileError
            Where there is none, or a file is damaged or of another run, or the money is older
            than the segments.
        """
        folder = Path(folder)
        manifest = read_study_manifest(folder, language)
        money = manifest.stages.get("money")
        if money is None or not money.key or not intact(folder, money.files):
            raise FileError(say("study_run.mixed", language, folder=folder.name))
        study = Study.model_validate_json(json.dumps(manifest.study)).at(folder / STUDY_TOML)
        return cls(study, folder, found_in(Work(study, folder)))


def found_in(work: Work, *, money: bool = True) -> "Findings":
    """Return what stands in the folder of a study, with its names and in its language.

    Without `money` that is the fit alone, whatever else stands there.
    """
    if work.found is None:
        work.found = _findings(work, money)
    return work.found


def _findings(work: Work, money: bool) -> "Findings":
    from softseg.decisions.segments.findings import Findings

    study, run = work.study, work.run
    summary, dendrogram = stored_comparison(work.tree)
    found = Findings(
        title=study.title,
        language=study.language,
        gate=work.gate,
        fit=work.fit,
        tree=work.tree,
        segment_names=work.names,
        programme=study.programme,
        fallback=_fallback(work),
        checklist=study.checklist.model_dump(),
        smallest_cell=float(study.smallest_cell),
        choice=read_choice(run.folder, run.manifest.data_hash),
        comparison=summary,
        dendrogram=dendrogram,
        run=_run(work),
    )
    if not (money and (work.folder / STUDY_NC).is_file()):
        return found
    stored = work.stored
    found = dataclasses.replace(found, ledger=_ledger(stored))
    if work.gate != GOOD:
        return found
    return dataclasses.replace(
        found,
        simulation=_simulation(work, stored),
        answers=_answers(stored),
        parts=_parts(work, stored),
    )


def _fallback(work: Work) -> "Fallback | None":
    if work.gate == GOOD and work.fit == GOOD:
        return None
    from softseg.decisions.segments.fallback import fallback

    return fallback(work.gate, work.fit, work.study.language)


def _run(work: Work) -> dict[str, str]:
    """Return what fixes the run, for the audit."""
    manifest = work.run.manifest
    known = {"seed": str(work.study.seed), "data_hash": manifest.data_hash}
    return known | roi_versions() | manifest.versions


def _ledger(stored: xr.DataTree) -> Any:
    from softseg.decisions.segments.ledger import Ledger

    return Ledger(**json.loads(stored.attrs[LEDGER]))


def _answers(stored: xr.DataTree) -> "Answers":
    from softseg.decisions.tree import answers_of

    return answers_of(stored)


def _parts(work: Work, stored: xr.DataTree) -> dict[str, xr.Dataset]:
    parts = {
        str(name).removeprefix(PART): group.to_dataset()
        for name, group in stored.children.items()
        if str(name).startswith(PART)
    }
    return {name: named(part, work.names) for name, part in parts.items()}


def named(data: xr.Dataset, names: tuple[str, ...]) -> xr.Dataset:
    """Return a Dataset whose segments have the names of the study, which may have changed."""
    if SEGMENT not in data.dims or "segment_name" not in data.coords:
        return data
    numbers = data[SEGMENT].to_numpy()
    if numbers.dtype.kind not in "iu":
        return data
    new = [names[k - 1] if 1 <= k <= len(names) else str(k) for k in numbers]
    return data.assign_coords(segment_name=(SEGMENT, new))


def _simulation(work: Work, stored: xr.DataTree) -> "SegmentSimulation":
    """Return the stored draws under the present names, language and words of the assumptions."""
    from softseg.decisions.model.simulate import Simulation
    from softseg.decisions.segments.expand import base_rows, expand
    from softseg.decisions.segments.moving import moving_of
    from softseg.decisions.segments.worth import SegmentSimulation
    from softseg.decisions.tree import simulation_of

    programme, company = work.study.programme, read_company(work)
    value = work.valued[VALUE].to_dataset()
    bare = expand(company, programme, work.names)
    rows = base_rows(bare, value, programme)
    expanded = expand(
        company, programme, work.names, {id: float(r.mean()) for id, r in rows.items()}
    )
    draws = simulation_of(stored, work.cores).draws
    if DRAWS in stored.children:
        draws = dataclasses.replace(draws, sample=stored[DRAWS]["sample"].to_numpy())
    moving = moving_of(expanded, programme, value, work.names, work.inflow, work.study.seed)
    draws = dataclasses.replace(draws, moving=moving)
    whole = Simulation(expanded.assumptions, draws, work.cores)
    plug_in = bool(stored.attrs.get("plug_in", 0))
    return SegmentSimulation(whole, expanded, programme, value, plug_in=plug_in)
