"""One set of assumptions in, one folder out: what ``softseg roi`` does."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from softseg.errors import UsageError
from softseg.results.files import replace_file
from softseg.runs.folder import FIGURES, REPORT, publish, staged
from softseg.runs.lock import locked
from softseg.runs.manifest import MANIFEST
from softseg.runs.output import write_figure
from softseg.runs.roi_manifest import (
    RoiManifest,
    RoiOptions,
    read_roi_manifest,
    roi_versions,
)
from softseg.wording import say

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from softseg.decisions.answers.collect import Answers
    from softseg.decisions.inputs.schema import Assumptions
    from softseg.decisions.model.simulate import Simulation
    from softseg.families.base import Array
    from softseg.inference.draws import Progress

ROI_NC: Final = "roi.nc"
ROI_CSV: Final = "roi.csv"
ROI_XLSX: Final = "roi.xlsx"
ASSUMPTIONS: Final = "assumptions.toml"
COLUMNS: Final = (
    "answer", "quantity", "of", "accounting", "adjusted", "statistic", "value", "error", "unit",
)  # fmt: skip
ERROR: Final = "_error"
OF_INPUTS: Final = ("per_input", "tornado", "frontier")
"""Answers with values of inputs, in their base units."""
SHARES: Final = ("shapley", "sobol", "evidence")
"""Answers with nothing but shares."""


@dataclass(frozen=True)
class RoiRun:
    """A finished folder.

    Attributes
    ----------
    folder
        Where it is.
    manifest
        What it says of itself.
    """

    folder: Path
    manifest: RoiManifest

    def tree(self, language: str | None = None) -> "xr.DataTree":
        """Return the tree of `roi.nc`, after verifying it.

        Parameters
        ----------
        language
            Of the messages; that of the run if None.

        Raises
        ------
        FileError
            Where the file is damaged or of another run.
        """
        from softseg.errors import FileError
        from softseg.results.files import sha256
        from softseg.results.storage import load

        language = language or self.manifest.options.language
        path = self.folder / ROI_NC
        if sha256(path) != self.manifest.files.get(ROI_NC):
            raise FileError(say("roi.mixed", language, name=ROI_NC, manifest=MANIFEST))
        return load(path, language)


@dataclass(frozen=True)
class RoiOutcome:
    """A folder that has just been written, with what stands in it.

    Attributes
    ----------
    run
        The folder.
    simulation
        All draws.
    answers
        What they say.
    """

    run: RoiRun
    simulation: "Simulation"
    answers: "Answers"


def open_roi_run(folder: Path | str, language: str = "en") -> RoiRun:
    """Return the run of a folder, given the folder or its manifest.

    Raises
    ------
    FileError
        Where it is no folder of a return-on-investment calculation.
    """
    path = Path(folder)
    manifest = read_roi_manifest(path, language)
    return RoiRun(path if path.is_dir() else path.parent, manifest)


def run_roi(
    assumptions: "Assumptions",
    folder: Path | str,
    options: RoiOptions | None = None,
    *,
    posterior: "Mapping[str, Array] | None" = None,
    cores: int | None = None,
    progress: "Progress | None" = None,
    inputs: tuple[Path, ...] = (),
) -> RoiOutcome:
    """Simulate, answer, and write the folder.

    Parameters
    ----------
    assumptions
        What goes in.
    folder
        Where to write; it is made, and the files of an earlier calculation in it are replaced.
    options
        Draws, seed and language.
    posterior
        Draws of a fitted model by id of the input, in base units.
    cores
        Threads; they change no number.
    progress
        Is told how far it is.
    inputs
        Files that must not be overwritten.

    Returns
    -------
    RoiOutcome
        What was found.

    Raises
    ------
    FolderLocked
        Where another process writes to the folder.
    UsageError
        Where the folder is signed off, belongs to another kind of run, or holds an input.
    """
    from softseg.decisions.answers.collect import collect
    from softseg.decisions.model.simulate import RoiModel

    options = options or RoiOptions(language=assumptions.language)
    folder, language = Path(folder), options.language
    report = progress or (lambda stage, share: None)
    refuse_folder(folder, inputs, language)
    with locked(folder, language):
        report("roi_simulate", 0.0)
        model = RoiModel(assumptions)
        simulation = model.simulate(
            options.replicates, options.draws, options.seed, posterior, cores
        )
        report("roi_answer", 0.0)
        answers = collect(simulation)
        report("roi_write", 0.0)
        manifest = _manifest(assumptions, options, tuple(posterior or ()))
        with staged(folder, language) as stage:
            write_roi_outputs(stage, simulation, answers, manifest)
            manifest = publish(stage, folder, manifest, _old(folder), language)
    return RoiOutcome(RoiRun(folder, manifest), simulation, answers)


def write_roi_outputs(
    stage: Path, simulation: "Simulation", answers: "Answers", manifest: RoiManifest
) -> None:
    """Write every file of a folder but the manifest."""
    from softseg.decisions.inputs.write import to_toml
    from softseg.decisions.tree import to_tree
    from softseg.report.roi.page import write_roi_report
    from softseg.report.workbook import write_workbook
    from softseg.results.exports import write_csv
    from softseg.results.storage import save

    options = manifest.options
    language = options.language
    tree = to_tree(
        simulation, answers, seed=options.seed, versions=manifest.versions, language=language,
        posterior=manifest.posterior,
    )  # fmt: skip
    save(tree, stage / ROI_NC, language)
    write_csv(stage / ROI_CSV, long_frame(answers.datasets(), simulation.assumptions), language)
    replace_file(stage / ASSUMPTIONS, to_toml(simulation.assumptions).encode(), language)
    write_workbook(
        simulation, answers, stage / ROI_XLSX, language, seed=options.seed,
        versions=manifest.versions,
    )  # fmt: skip
    figures: dict[str, str] = {}
    run = {"seed": str(options.seed)}
    write_roi_report(simulation, answers, stage / REPORT, language, figures=figures, run=run)
    for name, svg in figures.items():
        write_figure(stage / FIGURES / f"{name}.svg", svg, language)


def long_frame(answers: "Mapping[str, xr.Dataset]", assumptions: "Assumptions") -> "pd.DataFrame":
    """Return all answers as one frame, one row per number.

    Parameters
    ----------
    answers
        Datasets by name.
    assumptions
        For the units.

    Returns
    -------
    pandas.DataFrame
        ``answer`` (the Dataset), ``quantity``, ``of`` (year, scenario, input …, empty for the
        whole), ``accounting``, ``adjusted`` (true, false or empty), ``statistic`` (``q05`` …
        ``q95`` or ``value``), ``value``, ``error`` (Monte Carlo standard error, empty where there
        is none) and ``unit``. Whole currency, shares as 0.02.
    """
    import pandas as pd

    rows = [row for name, data in answers.items() for row in _rows(name, data, assumptions)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(answer: str, data: "xr.Dataset", assumptions: "Assumptions") -> Iterator[tuple[Any, ...]]:
    for name in map(str, data.data_vars):
        array = data[name]
        if name.endswith(ERROR) or array.dtype.kind not in "fiub":
            continue
        errors = data.get(name + ERROR)
        errors = None if errors is None else errors.broadcast_like(array).transpose(*array.dims)
        labels = {
            dim: data[dim].values if dim in data.coords else np.arange(data.sizes[dim])
            for dim in map(str, array.dims)
        }
        for index in np.ndindex(array.shape):
            at = {dim: labels[dim][i] for dim, i in zip(labels, index, strict=True)}
            # x and y of the frontier are values of the inputs that its attributes name
            input_ = at.get("input", data.attrs.get(name.split("_")[0]))
            unit = unit_of(answer, name, None if input_ is None else str(input_), assumptions)
            error = np.nan if errors is None else errors.values[index]
            yield (answer, name, *_where(at), float(array.values[index]), error, unit)


def _where(at: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return the columns that say which number of an array it is."""
    accounting = str(at.pop("accounting", ""))
    adjusted = str(at.pop("adjusted")).lower() if "adjusted" in at else ""
    quantile = at.pop("quantile", None)
    statistic = "value" if quantile is None else f"q{100 * float(quantile):02.0f}"
    of = "; ".join(str(label) for label in at.values())
    return of, accounting, adjusted, statistic


def unit_of(answer: str, quantity: str, input_: str | None, assumptions: "Assumptions") -> str:
    """Return the unit of a number of the answers.

    Parameters
    ----------
    answer, quantity
        Name of the Dataset and of the variable.
    input_
        Id of the input whose number it is, if it is one's.
    assumptions
        For currency and inputs.
    """
    from softseg.decisions.tree import base_unit

    words = set(quantity.split("_"))
    if answer in SHARES or words & {"p", "rank", "share", "margin"}:
        return "share"
    if answer in OF_INPUTS and words & {"value", "central", "x", "y"}:
        entry = assumptions.inputs.get(input_ or "")
        return "share" if entry is None else base_unit(entry, assumptions.currency)
    if "payback" in words:
        return "years"
    return "ratio" if words & {"roi", "bcr", "multiplier"} else assumptions.currency


def refuse_folder(folder: Path, inputs: tuple[Path, ...] = (), language: str = "en") -> None:
    """Refuse a folder that must stay as it is.

    Raises
    ------
    UsageError
        Where it is a file, is signed off, belongs to another kind of run, or holds an input under
        the name of an output.
    """
    from softseg.decisions.signoff import SIGNOFF

    if folder.exists() and not folder.is_dir():
        raise UsageError(say("roi.no_folder", language, name=folder.name))
    if (folder / SIGNOFF).exists():
        raise UsageError(say("roi.signed", language, folder=folder.name))
    stands = folder / MANIFEST
    if stands.exists() and _old(folder) is None:
        raise UsageError(say("roi.foreign", language, folder=folder.name, name=MANIFEST))
    outputs = {
        (folder / name).resolve()
        for name in (ROI_NC, ROI_CSV, ROI_XLSX, ASSUMPTIONS, REPORT, MANIFEST)
    }
    for path in inputs:
        if path.resolve() in outputs:
            raise UsageError(say("runs.input", language, name=path.name))


def _old(folder: Path) -> RoiManifest | None:
    from softseg.errors import FileError

    try:
        return read_roi_manifest(folder)
    except FileError:
        return None


def _manifest(
    assumptions: "Assumptions", options: RoiOptions, posterior: tuple[str, ...]
) -> RoiManifest:
    from softseg.decisions.tree import assumptions_hash

    return RoiManifest(
        versions=roi_versions(),
        options=options,
        assumptions=json.loads(assumptions.model_dump_json()),
        assumptions_hash=assumptions_hash(assumptions),
        posterior=posterior,
    )
