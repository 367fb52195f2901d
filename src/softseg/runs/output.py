"""What a run folder holds, made from a posterior tree; nothing is fitted here."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from softseg.names import MEMBERSHIP, PROFILE
from softseg.results.continuity import Continuity
from softseg.results.exports import write_memberships, write_profiles
from softseg.results.files import replace_file
from softseg.results.membership import segment_coordinates
from softseg.results.storage import save
from softseg.results.tree import add_group, schema_from_tree, segment_names
from softseg.runs.choice import StoredChoice
from softseg.runs.continuing import write_continuity
from softseg.runs.folder import (
    CHOICE,
    CHOICE_JSON,
    FIGURES,
    MEMBERSHIPS,
    MEMBERSHIPS_CSV,
    POSTERIOR,
    PROFILES,
    REPORT,
    SCHEMA,
)
from softseg.runs.manifest import Options
from softseg.wording import say

COMPARISON = "comparison"


def write_outputs(
    stage: Path,
    tree: xr.DataTree,
    options: Options,
    *,
    customers: Sequence[str] | None = None,
    memberships: Callable[[Path], object] | None = None,
    choice: StoredChoice | None = None,
    continuity: Continuity | None = None,
) -> None:
    """Write every file of a run but the manifest.

    Parameters
    ----------
    stage
        Folder to write to.
    tree
        The whole posterior tree.
    options
        What was asked for.
    customers
        Ids in the order of the rows, None without ids.
    memberships
        Writes the memberships to a path, Parquet or CSV, where the tree does not hold them row by
        row.
    choice
        The choice of the number of segments, if there was one.
    continuity
        What became of an earlier run's segments, if one was given.
    """
    language, schema = options.language, schema_from_tree(tree)
    members = tree[MEMBERSHIP].to_dataset()
    for name in (MEMBERSHIPS, MEMBERSHIPS_CSV) if options.csv else (MEMBERSHIPS,):
        if memberships is not None:
            memberships(stage / name)
            continue
        id_column = schema.id or "customer"
        write_memberships(stage / name, members, customers, id_column=id_column, language=language)
    write_profiles(stage / PROFILES, tree[PROFILE].to_dataset(), language)
    save(tree, stage / POSTERIOR, language)
    replace_file(stage / SCHEMA, schema.to_toml().encode(), language)
    if choice is not None:
        choice.write(stage, language)
    if continuity is not None:
        write_continuity(stage, continuity, language)
    write_page(stage, tree, language, choice, continuity)


def write_page(
    stage: Path,
    tree: xr.DataTree,
    language: str,
    choice: StoredChoice | None = None,
    continuity: Continuity | None = None,
) -> None:
    """Write the report and its figures."""
    from softseg.report.page import write_report

    summary, dendrogram = stored_comparison(tree)
    figures: dict[str, str] = {}
    write_report(
        tree,
        stage / REPORT,
        language,
        choice=choice,
        continuity=continuity,
        comparison=summary,
        dendrogram=dendrogram,
        figures=figures,
    )
    for name, svg in figures.items():
        write_figure(stage / FIGURES / f"{name}.svg", svg, language)


def write_choice_files(choice: StoredChoice, folder: Path, language: str = "en") -> list[str]:
    """Write table, recommendation and figures of a choice; return the names of the files."""
    from softseg.report.figures.alluvial import alluvial
    from softseg.report.figures.choice import choice as draw
    from softseg.report.style import to_svg

    choice.write(folder, language)
    (folder / FIGURES).mkdir(exist_ok=True)
    table = choice.table
    figures = {"choice": draw(table, language, choice.recommended)}
    if choice.flows:
        tried = [int(k) for k in table["n_segments"]]
        figures["alluvial"] = alluvial(choice.flows, tried, language, choice.recommended)
    for name, figure in figures.items():
        svg = to_svg(figure, name, say(f"report.alt.{name}", language))
        write_figure(folder / FIGURES / f"{name}.svg", svg, language)
    return [CHOICE, CHOICE_JSON, *(f"{FIGURES}/{name}.svg" for name in figures)]


def write_figure(path: Path, svg: str, language: str = "en") -> None:
    """Write a figure of the report as a file of its own."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    replace_file(path, (head + svg + "\n").encode(), language)


def add_comparison(tree: xr.DataTree, comparison: Any) -> None:
    """Put what hard clusterings would have said into the tree, with Ward's linkage."""
    linkage, _ = comparison.dendrogram()
    names = segment_names(tree)
    found = (
        comparison.dataset()
        .assign_coords(segment_coordinates(len(names), names))
        .assign(
            ward_linkage=(("merge", "ward_part"), linkage),
            ward_row=("ward_customer", np.asarray(comparison.ward.rows, dtype=np.int64)),
        )
    )
    found.attrs["summary"] = json.dumps(comparison.summary(), sort_keys=True)
    add_group(tree, COMPARISON, found)


def stored_comparison(tree: xr.DataTree) -> tuple[dict[str, Any] | None, Any]:
    """Return summary and dendrogram of the comparison in a tree, None where there is none."""
    if COMPARISON not in tree.children:
        return None, None
    found = tree[COMPARISON].to_dataset()
    top = tree[MEMBERSHIP].to_dataset()["top"].values[found["ward_row"].values]
    return json.loads(found.attrs["summary"]), (found["ward_linkage"].values, top)
