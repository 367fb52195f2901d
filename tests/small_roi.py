"""Small calculations in folders, quickly: page and workbook are stand-ins, answers the headline."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from softseg.decisions.answers.headline import headline
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.runs.roi_manifest import RoiOptions

EXAMPLE = RoiModel.example().assumptions
QUICK = RoiOptions(replicates=2, draws=32)


class FewAnswers:
    """Has the headline only."""

    def __init__(self, simulation: Simulation) -> None:
        self.headline = headline(simulation)

    def datasets(self) -> dict[str, xr.Dataset]:
        return {"headline": self.headline}


def _page(simulation: Simulation, answers: Any, path: Path, language: str, **more: Any) -> None:
    path.write_text(f"<html lang={language}>{answers.headline['mean_npv'].values}</html>")
    more["figures"]["bridge"] = "<svg/>"


def _book(simulation: Simulation, answers: Any, path: Path, language: str, **more: Any) -> None:
    path.write_bytes(f"{language} {more['seed']} {simulation.shape}".encode())


@contextmanager
def stand_ins() -> Iterator[None]:
    """Put stand-ins in the place of what takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("softseg.decisions.tree.Answers", FewAnswers)
        patch.setattr("softseg.decisions.answers.collect.collect", FewAnswers)
        patch.setattr("softseg.report.roi.page.write_roi_report", _page)
        patch.setattr("softseg.report.workbook.write_workbook", _book)
        yield


def with_input(name: str, **fields: Any) -> Assumptions:
    """Return the example with other fields of one input."""
    entry = EXAMPLE.inputs[name].model_copy(update=fields)
    return EXAMPLE.model_copy(update={"inputs": {**EXAMPLE.inputs, name: entry}})
