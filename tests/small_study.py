"""A small study as files, quickly done: what takes long, and page and workbook, are stand-ins."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from small_run import write_small
from softseg.decisions.answers.collect import Answers
from softseg.decisions.answers.headline import headline
from softseg.results.files import sha256
from softseg.results.storage import load
from softseg.study.file import Study
from softseg.study.manifest import manifest_in
from softseg.study.result import StudyResult
from softseg.study.stages import STAGES, stage_keys

NAMES = '["Quiet", "Busy"]'
STUDY = """title = "Two kinds of customers"
language = "en"
table = "customers.csv"
schema = "given.toml"
assumptions = "company.toml"
seed = 5

[segments]
number = 2
names = ["Quiet", "Busy"]
compare = [1, 2, 3]
handling = 10.0

[ledger]
value = "revenue"
total = TOTAL
tolerance = 0.05

[programme]
stated_uplift = 0.02

[[programme.segments]]
segment = "Busy"
strategy = "Sell more."
owner = "Head of sales"
watch = "Orders"

[programme.segments.inputs.cross]
role = "revenue_effect"
effect = "cross_selling"
unit = "%"
low = 2.0
high = 8.0

[programme.segments.inputs.visit]
role = "running_cost"
per = "customer"
unit = "EUR/year"
low = 1.0
high = 3.0

[[programme.segments]]
segment = "Quiet"

[programme.segments.inputs.price]
role = "revenue_effect"
effect = "price"
unit = "%"
low = 0.5
high = 1.5

[checklist]
prepared = 2026-03-02

[fit]
draws = 400
tune = 100
starts = 4

[simulate]
replicates = 2
draws = 64
"""
COMPANY = """title = "Company"
currency = "EUR"
horizon = 3

[inputs.contribution_margin]
role = "contribution_margin"
unit = "%"
low = 20.0
high = 40.0

[inputs.no_effect]
role = "no_effect"
unit = "%"
value = 10.0

[inputs.realisation]
role = "realisation"
unit = "share"
low = 0.5
high = 0.9
family = "beta"

[inputs.project]
role = "one_off_cost"
unit = "EUR"
low = 100.0
high = 300.0
"""


def frame(n: int = 160) -> pd.DataFrame:
    """Return customers of two kinds that overlap, so that nobody knows who belongs where."""
    rng = np.random.default_rng(8)
    kind = rng.integers(2, size=n)
    return pd.DataFrame(
        {
            "customer": [f"KD-{number:05d}" for number in range(n)],
            "orders": rng.poisson(np.where(kind, 10, 4)),
            "margin": np.round(rng.normal(np.where(kind, 24, 12), 5), 2),
            "online": np.where(rng.random(n) < np.where(kind, 0.8, 0.2), "yes", "no"),
            "revenue": np.round(np.exp(rng.normal(np.where(kind, 8, 6), 0.5)), 2),
            "objects": "no",
        }
    )


TOTAL = round(float(frame()["revenue"].to_numpy().sum()), 2)
TOO_SHORT = {"draws = 400": "draws = 10"}
"""Too few draws for the gate."""


def write_study(folder: Path, changes: dict[str, str] | None = None) -> Path:
    """Write the files of the study into a folder, some texts replaced; return the study's path."""
    write_small(folder, frame())
    text = STUDY.replace("TOTAL", str(TOTAL))
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / "company.toml").write_text(COMPANY, encoding="utf-8")
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, changes: dict[str, str] | None = None) -> Study:
    """Write the files of the study and read it."""
    return Study.from_toml(write_study(folder, changes))


def to_do(study: Study, folder: Path) -> list[str]:
    """Return the stages that a run would do."""
    manifest, keys = manifest_in(folder), stage_keys(study)
    return [stage for stage in STAGES if not manifest.is_done(stage, keys[stage], folder)]


def _page(findings: Any, path: Path, **more: Any) -> None:
    path.write_text(f"<html lang={findings.language}>{findings.segment_names}</html>")
    more["figures"]["map"] = "<svg/>"


def _book(findings: Any, path: Path, **more: Any) -> None:
    path.write_bytes(str(findings.segment_names).encode())


def _no_resolve(simulation: Any) -> xr.Dataset:
    return xr.Dataset({"evppi": ("block", [1.0])}, {"block": ["parameters"]})


def _few_answers(simulation: Any) -> Answers:
    none: dict[str, Any] = {field.name: None for field in fields(Answers)}
    return Answers(**none | {"headline": headline(simulation), "programmes": {}})


_DONE: dict[Path, StudyResult] = {}


def done_study(factory: pytest.TempPathFactory) -> StudyResult:
    """Return the study, done once for all tests of a session; its files stand beside its folder.

    Nobody may change them: `copied` gives a test its own.
    """
    base = factory.getbasetemp() / "done_study"
    if base not in _DONE:
        with stand_ins():
            _DONE[base] = read(base).run(base / "run")
    return _DONE[base]


def copied(done: StudyResult, base: Path, *, fitted_only: bool = False) -> Path:
    """Copy the files of a study and its folder, `fitted_only` with its first stage alone."""
    shutil.copytree(done.folder.parent, base, dirs_exist_ok=True)
    if fitted_only:
        manifest = base / "run" / "manifest.json"
        data = json.loads(manifest.read_text(encoding="utf-8"))
        data["stages"] = {"segments": data["stages"]["segments"]}
        manifest.write_text(json.dumps(data), encoding="utf-8")
        for path in (base / "run").iterdir():
            if path.is_file() and path != manifest:
                path.unlink()
        shutil.rmtree(base / "run" / "figures")
    return base


_LOADED: dict[str, xr.DataTree] = {}


def _load(path: Path | str, language: str = "en") -> xr.DataTree:
    """Load a tree as always, but the same bytes once only."""
    key = sha256(Path(path))
    if key not in _LOADED:
        _LOADED[key] = load(path, language)
    return _LOADED[key].copy(deep=True)


@contextmanager
def stand_ins() -> Iterator[None]:
    """Put stand-ins in the place of page, workbook, and the answers that take long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("softseg.results.storage.load", _load)
        patch.setattr("softseg.decisions.answers.collect.collect", _few_answers)
        patch.setattr("softseg.decisions.segments.resolve.resolve", _no_resolve)
        patch.setattr("softseg.report.study.page.write_study_report", _page)
        patch.setattr("softseg.report.workbook.study_book.write_study_workbook", _book)
        yield
