"""The benchmark of the ROI model: what it compares is the same on both sides."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softseg.decisions.answers.indices import sobol_indices

FOLDER = Path(__file__).parents[2] / "benchmarks" / "roi"


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def test_a_missing_peer_ends_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    peers: Any = import_module("peers")
    monkeypatch.setattr(peers, "find_spec", lambda name: None if name == "squigglepy" else name)
    with pytest.raises(SystemExit, match=r"^Install squigglepy with `uv sync .*` and start again"):
        peers.require_peers()


@pytest.mark.parametrize("name", ["ishigami", "linear_roi"])
def test_the_known_indices_are_those_of_the_function(name: str) -> None:
    functions: Any = import_module("functions")
    known = getattr(functions, name)()
    rng = np.random.default_rng(4)
    found = sobol_indices(known.function, known.quantiles, 4096, rng, n_replicates=4)
    np.testing.assert_allclose(found.first, known.first, atol=0.005)
    np.testing.assert_allclose(found.total, known.total, atol=0.005)


def test_thirty_inputs_are_uncertain_over_ten_years() -> None:
    made = import_module("thirty_inputs").thirty_inputs()
    assert len(made.inputs) == 30
    assert all(entry.value is None for entry in made.inputs.values())
    assert made.horizon == 10
