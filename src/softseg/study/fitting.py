"""The first stage: the segments, one run folder for each number of them."""

from pathlib import Path
from typing import TYPE_CHECKING

from softseg.errors import DataError, NotConverged
from softseg.results.files import sha256
from softseg.runs.folder import open_run
from softseg.runs.manifest import MANIFEST, Options, read_manifest
from softseg.runs.segment import PARTIAL
from softseg.study.file import CHOOSE
from softseg.study.fitted import Fitted
from softseg.study.manifest import SEGMENTS, Record
from softseg.study.names import names_of
from softseg.study.stages import stage_keys
from softseg.study.work import Work
from softseg.tables.schema import Schema
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.runs.choice import StoredChoice

MOST_CHOSEN = 8
"""The number of segments is chosen between 1 and this."""


def fit_segments(work: Work) -> Record:
    """Fit the segments and return the record of the folders that were written, without key.

    Of several numbers those are not fitted again that were, before the same study was cut off.

    Raises
    ------
    NotConverged
        Where no number of segments can be chosen.
    DataError
        Where one segment is enough, or the table has faults.
    """
    from softseg.runs.segment import segment

    study = work.study
    schema = Schema.from_toml(study.schema_path)
    if work.follows:
        return _fit_panel(work, schema)
    choice: StoredChoice | None = None
    if study.segments.number == CHOOSE:
        choice = _choose(work, schema)
        numbers = {choice.recommended or 0: work.folder / SEGMENTS}
    elif work.several:
        numbers = work.folders
    else:
        numbers = {study.segments.fixed or 0: work.folder / SEGMENTS}
    fitted = Fitted(work.folder, stage_keys(study)["segments"], study.language)
    for k, folder in numbers.items():
        own = folder.name == SEGMENTS
        options = _options(work, k, names_of(study, k) if own else ())
        if work.several and fitted.has(folder, options):
            continue
        outcome = segment(
            study.table_path, schema, options, folder, cores=work.cores, progress=work.report,
            choice=choice, inputs=study.inputs,
        )  # fmt: skip
        if outcome.partial:
            raise KeyboardInterrupt
        if work.several:
            fitted.add(folder)
        if own:
            work.forget("run")
            work.tree = outcome.tree
    fitted.clear()
    return record_of(work.folder, *numbers.values())


def _fit_panel(work: Work, schema: Schema) -> Record:
    """Fit the latent Markov model of a panel and return the record of its folder."""
    from softseg.runs.panel import segment_panel

    study, folder = work.study, work.folder / SEGMENTS
    number = study.segments.fixed or 0
    run = segment_panel(
        study.table_path, schema, _options(work, number, names_of(study, number)), folder,
        cores=work.cores, progress=work.report, inputs=study.inputs,
    )  # fmt: skip
    if run.manifest.gate == PARTIAL:
        raise KeyboardInterrupt
    work.forget("run", "tree")
    return record_of(work.folder, folder)


def record_of(folder: Path, *runs: Path) -> Record:
    """Return the record of run folders inside the study's folder, without key."""
    files: dict[str, str] = {}
    for path in runs:
        manifest = read_manifest(path)
        files |= {f"{path.name}/{name}": sha for name, sha in manifest.files.items()}
        files[f"{path.name}/{MANIFEST}"] = sha256(path / MANIFEST)
    return Record(key="", files=files)


def rename(work: Work) -> Record:
    """Give the segments' folders the study's names and language; return their record."""
    from softseg.runs.rewrite import write_again

    language = work.study.language
    for k, folder in work.folders.items():
        run = open_run(folder, language)
        numbers = tuple(str(i) for i in range(1, k + 1))
        wanted = work.names if folder.name == SEGMENTS else numbers
        options = run.manifest.options
        if (options.names or numbers) != wanted or options.language != language:
            write_again(run, language=language, names=wanted)
            work.forget("run", "tree")
    return record_of(work.folder, *work.folders.values())


def _options(work: Work, n_segments: int, names: tuple[str, ...]) -> Options:
    how = work.study.fit
    return Options(
        segments=n_segments,
        method=how.method,
        draws=how.draws,
        tune=how.tune,
        chains=how.chains,
        starts=how.starts,
        seed=work.study.seed,
        names=names,
        allow_few_rows=how.allow_few_rows,
        language=work.study.language,
    )


def _choose(work: Work, schema: Schema) -> "StoredChoice":
    from softseg.runs.choosing import choose_file

    how, language = work.study.fit, work.study.language
    choice = choose_file(
        work.study.table_path, schema.model_copy(update={"language": language}), 1, MOST_CHOSEN,
        method=how.method, n_starts=how.starts, n_chains=how.chains, seed=work.study.seed,
        cores=work.cores, progress=work.report, folder=work.folder / SEGMENTS,
    )  # fmt: skip
    found = choice.recommended
    if found is None:
        raise NotConverged(say("study_run.no_number", language, most=MOST_CHOSEN))
    if found == 1:
        raise DataError(say("study_run.one_segment", language))
    expected = len(work.study.segments.names)
    if expected not in (0, found):
        raise DataError(say("study_run.other_number", language, got=found, expected=expected))
    return choice
