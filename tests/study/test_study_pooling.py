"""Several numbers of segments: the mapping, the weights, and totals only."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize

import softseg.runs.segment as runs
from small_study import done_study, read, stand_ins, to_do
from softseg.results.storage import load
from softseg.runs.folder import open_run
from softseg.study.pooling import TABLES, mapped, mapping, pool, stacking

DIMS = ("rule", "sample", "assigned", "segment")


def table(n_samples: int, n_segments: int, level: float) -> xr.Dataset:
    rng = np.random.default_rng(n_samples)
    data = {name: (DIMS, level + rng.random((1, n_samples, 2, n_segments))) for name in TABLES}
    coordinates = {"rule": ["programme"], "segment": np.arange(1, n_segments + 1)}
    return xr.Dataset(data, coordinates, {"value_total": 7.0})


def test_mapping_is_the_share_of_one_segment_in_another() -> None:
    other = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])
    reference = np.array([[1.0, 0.0], [0.2, 0.8], [0.0, 1.0]])
    shares = mapping(other, reference, np.array([2.0, 1.0, 4.0]))
    assert shares[0].tolist() == [1.0, 0.0]
    assert shares[1] == pytest.approx([0.2 / 3, 2.8 / 3])
    assert shares[2].tolist() == [0.0, 1.0]


def test_mapping_keeps_totals() -> None:
    rng = np.random.default_rng(1)
    value = table(5, 3, 1.0)
    shares = mapping(rng.dirichlet([1, 1, 1], 20), rng.dirichlet([1, 1], 20), np.ones(20))
    found = mapped(value, shares)
    assert found.sizes["segment"] == 2
    assert found.attrs["value_total"] == 7.0
    for name in TABLES:
        assert np.allclose(found[name].sum("segment"), value[name].sum("segment"))


def test_stacking_finds_the_maximum() -> None:
    rng = np.random.default_rng(2)
    pointwise, count = rng.normal(size=(3, 40)), rng.integers(1, 5, 40).astype(float)
    weights = stacking(pointwise, count)

    def loss(free: np.ndarray) -> float:
        w = np.exp(np.append(free, 0.0))
        return -float(count @ np.log(w / w.sum() @ np.exp(pointwise)))

    best = np.exp(np.append(minimize(loss, np.zeros(2), tol=1e-12).x, 0.0))
    assert weights == pytest.approx(best / best.sum(), abs=1e-4)


def test_stacking_gives_all_to_a_model_that_is_always_better() -> None:
    pointwise = np.array([[-1.0, -2.0], [-3.0, -4.0]])
    assert stacking(pointwise, np.ones(2)) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_pooling_takes_samples_by_weight() -> None:
    found = pool([table(8, 2, 0.0), table(8, 2, 100.0)], np.array([0.3, 0.7]))
    high = found["value_lots"][0, :, 0, 0] > 50
    assert found.sizes["sample"] == 8
    assert int(high.sum()) == 6
    assert found["sample"].values.tolist() == [*range(8)]
    alone = pool([table(8, 2, 0.0), table(8, 2, 100.0)], np.array([1.0, 0.0]))
    assert float(alone["value_lots"].max()) < 50


@pytest.mark.slow
def test_several_numbers_give_totals_only(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = done_study(tmp_path_factory).folder / "segments"

    def segment(*given: Any, **more: Any) -> Any:
        """Fit three segments; two were fitted before, in the same way."""
        options, folder = given[2:4]
        if options.segments == 3:
            return fit(*given, **more)
        run = open_run(Path(shutil.copytree(fitted, folder)))
        assert run.manifest.options == options
        return SimpleNamespace(tree=run.tree(), partial=False)

    fit = runs.segment
    monkeypatch.setattr(runs, "segment", segment)
    changes = {
        "number = 2": 'number = "several"\nseveral = [2, 3]\nreference = 2',
        "compare = [1, 2, 3]\n": "",
    }
    study = read(tmp_path, changes)
    with stand_ins():
        result = study.run(tmp_path / "run")
    assert to_do(study, tmp_path / "run") == []
    found = result.findings
    assert found is not None
    assert found.segment_names == ("Quiet", "Busy")
    assert set(found.parts) <= {"implied", "split"}
    assert (tmp_path / "run" / "segments-3" / "posterior.nc").is_file()
    value = load(tmp_path / "run" / "value.nc")["value"].to_dataset()
    weights = json.loads(value.attrs["weights"])
    assert value.attrs["pooling"] == "stacking"
    assert sum(weights.values()) == pytest.approx(1.0)
    assert "2" in weights
    everything = value["value_lots"].sum(("assigned", "segment")).to_numpy()
    assert np.allclose(everything, value.attrs["value_total"])
