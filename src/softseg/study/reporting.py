"""The last stage: page, workbook, the customers to begin with, and the study as it was used."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from softseg.results.files import replace_file
from softseg.runs.folder import FIGURES, MEMBERSHIPS, REPORT
from softseg.runs.manifest import way_to
from softseg.runs.output import write_figure
from softseg.study.file import Study
from softseg.study.manifest import CUSTOMERS_FIRST, STUDY_TOML, STUDY_XLSX
from softseg.study.result import found_in
from softseg.study.work import Work
from softseg.tables.document import write_toml
from softseg.wording import say

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from softseg.decisions.segments.findings import Findings


def write_report(work: Work, stage: Path) -> None:
    """Write everything that names, language and words of the study decide about."""
    from softseg.report.study.page import write_study_report
    from softseg.report.workbook.study_book import write_study_workbook
    from softseg.results.exports import write_csv

    work.report("study_write", 0.0)
    language = work.study.language
    found = found_in(work)
    figures: dict[str, str] = {}
    write_study_report(found, stage / REPORT, figures=figures)
    for name, svg in figures.items():
        write_figure(stage / FIGURES / f"{name}.svg", svg, language)
    work.report("study_write", 0.6)
    write_study_workbook(found, stage / STUDY_XLSX)
    if "first_customers" in found.parts:
        frame = first_frame(work, found, found.parts["first_customers"])
        write_csv(stage / CUSTOMERS_FIRST, frame, language)
    used = moved(work.study, work.folder)
    replace_file(stage / STUDY_TOML, to_toml(used).encode(), language)
    work.report("study_write", 1.0)


def moved(study: Study, folder: Path) -> Study:
    """Return a study with its paths seen from another folder."""
    paths = {
        "table": way_to(study.table_path, folder),
        "schema_file": way_to(study.schema_path, folder),
        "assumptions": way_to(study.assumptions_path, folder),
    }
    return study.model_copy(update=paths).at(folder / STUDY_TOML)


def to_toml(study: Study) -> str:
    """Return a study as TOML, which reads back as the same study."""
    data = study.data()
    data["language"] = study.language
    programme = data["programme"]
    entries = programme.pop("segments", [])
    head = say("study_run.file", study.language)
    texts = [write_toml(data, {(): head}).rstrip("\n")]
    for entry in entries:
        text = write_toml({"programme": {"segments": entry}}, {}).strip("\n")
        texts.append(text.replace("[programme.segments]", "[[programme.segments]]", 1))
    return "\n\n".join(texts) + "\n"


def first_frame(work: Work, found: "Findings", first: "xr.Dataset") -> "pd.DataFrame":
    """Return the customers to begin with, with their ids where the table has some."""
    import pandas as pd

    ids = _ids(work)
    rows = first["row"].to_numpy()
    columns: dict[str, Any] = {"rank": np.arange(1, len(rows) + 1)}
    if ids is not None:
        columns["customer"] = [ids[row] for row in rows]
    for name in map(str, first.data_vars):
        array = first[name]
        if array.ndim == 1 and array.sizes == first["row"].sizes:
            columns[name] = array.to_numpy()
    if "segment" in columns:
        names = found.segment_names
        columns["segment_name"] = [names[int(k) - 1] for k in columns["segment"]]
    return pd.DataFrame(columns)


def _ids(work: Work) -> dict[int, str] | None:
    """Return the customers' ids by row number, None where the table has none."""
    import pyarrow.parquet as pq

    from softseg.results.tree import schema_from_tree

    column = schema_from_tree(work.tree).id
    if column is None:
        return None
    table = pq.read_table(work.run.verify(MEMBERSHIPS), columns=[column, "row"])
    return dict(zip(table.column("row").to_pylist(), table.column(0).to_pylist(), strict=True))
