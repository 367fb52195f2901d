"""Doing a study: stage after stage, each only where something it depends on has changed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from softseg.errors import UsageError
from softseg.runs.folder import staged
from softseg.runs.lock import locked
from softseg.runs.roi_manifest import roi_versions
from softseg.study.answering import ledger_of, write_money
from softseg.study.file import StageName, Study
from softseg.study.fitting import fit_segments, rename
from softseg.study.manifest import (
    Record,
    StudyManifest,
    manifest_in,
    publish_stage,
    refuse_inputs,
    write_manifest,
)
from softseg.study.reporting import moved, write_report
from softseg.study.result import StudyResult, found_in
from softseg.study.stages import STAGES, asked, stage_keys
from softseg.study.valuing import write_value
from softseg.study.work import Work
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.inference.draws import Progress

WRITERS: Final[dict[StageName, Callable[[Work, Path], None]]] = {
    "value": write_value,
    "money": write_money,
    "report": write_report,
}


def run_study(
    study: Study,
    folder: Path,
    *,
    cores: int | None = None,
    progress: "Progress | None" = None,
    only: str | None = None,
    until: str | None = None,
) -> StudyResult:
    """Do the stages that have something to do, and return what stands in the folder.

    Parameters and errors as in `Study.run`.
    """
    language = study.language
    wanted = asked(only, until, language)
    refuse_inputs(folder, study.inputs, language)
    work = Work(study, folder, cores, progress or (lambda stage, share: None))
    with locked(folder, language):
        manifest = manifest_in(folder, language)
        keys = stage_keys(study)
        ran: list[StageName] = []
        for stage in STAGES[: STAGES.index(wanted[-1]) + 1]:
            if manifest.is_done(stage, keys[stage], folder):
                continue
            if stage not in wanted:
                values = {"stage": stage, "only": wanted[-1]}
                raise UsageError(say("study_run.before", language, **values))
            if stage == "segments":
                ledger_of(work)  # before the fit, for it takes a while
            manifest = _do(work, stage, keys[stage], manifest)
            ran.append(stage)
        pending: tuple[StageName, ...] = tuple(
            stage
            for stage in STAGES[STAGES.index(wanted[-1]) + 1 :]
            if not manifest.is_done(stage, keys[stage], folder)
        )
        # Money of other files may stand there, even of another number of segments.
        found = found_in(work, money="money" not in pending)
        return StudyResult(study, folder, found, tuple(ran), pending)


def _do(work: Work, stage: StageName, key: str, manifest: StudyManifest) -> StudyManifest:
    """Do one stage, write the manifest and return it."""
    work.found = None
    if stage == "segments":
        return _noted(work, stage, key, fit_segments(work), manifest)
    if stage == "report":
        segments = manifest.stages["segments"].key
        manifest = _noted(work, "segments", segments, rename(work), manifest)
    record = _write(work, stage, manifest.stages.get(stage))
    return _noted(work, stage, key, record, manifest)


def _noted(
    work: Work, stage: StageName, key: str, record: Record, manifest: StudyManifest
) -> StudyManifest:
    """Write the manifest with one stage anew and return it.

    Where the stage depends on other things than before, the later ones keep their files and lose
    their keys: what they have left does not belong to it.
    """
    stages = {**manifest.stages, stage: record.model_copy(update={"key": key})}
    before = manifest.stages.get(stage)
    if before is not None and before.key != key:
        for later in STAGES[STAGES.index(stage) + 1 :]:
            if later in stages:
                stages[later] = stages[later].model_copy(update={"key": ""})
    done = StudyManifest(
        versions=roi_versions(),
        study=moved(work.study, work.folder).data(),
        stages={name: stages[name] for name in STAGES if name in stages},
    )
    write_manifest(done, work.folder, work.study.language)
    return done


def _write(work: Work, stage: StageName, old: Record | None) -> Record:
    language = work.study.language
    with staged(work.folder, language) as aside:
        WRITERS[stage](work, aside)
        return publish_stage(aside, work.folder, old.files if old else {}, language)
