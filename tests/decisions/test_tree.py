"""The tree of a calculation: what goes in comes back, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from softseg.decisions.answers.collect import Answers, collect
from softseg.decisions.answers.headline import headline
from softseg.decisions.inputs.schema import Assumptions, Input
from softseg.decisions.inputs.write import to_toml
from softseg.decisions.model.simulate import RoiModel, Simulation
from softseg.decisions.tree import (
    answers_of,
    assumptions_hash,
    assumptions_of,
    base_unit,
    canonical,
    simulation_of,
    to_tree,
)
from softseg.errors import FileError, UsageError
from softseg.report.roi.page import render
from softseg.results.storage import load, save, to_bytes

VERSIONS = {"python": "3.12.1", "softseg": "0.1.0", "numpy": "2.1.0"}


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return RoiModel.example().simulate(n_replicates=2, n_draws=64, seed=3)


@pytest.fixture(scope="module")
def tree(simulation: Simulation) -> xr.DataTree:
    answers = {"headline": headline(simulation)}
    return to_tree(simulation, answers, seed=3, versions=VERSIONS, language="de")


@pytest.fixture(scope="module")
def stored(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    path = tmp_path_factory.mktemp("tree") / "roi.nc"
    save(tree, path)
    return load(path)


def test_the_layout_is_the_one_described(tree: xr.DataTree) -> None:
    assert set(tree.children) == {"assumptions", "inputs", "outcome", "headline"}
    inputs = tree["inputs"].to_dataset()
    assert inputs["revenue_uplift"].dims == ("replicate", "draw")
    assert inputs["revenue_uplift"].attrs["unit"] == "share"
    assert inputs["project_cost"].attrs["unit"] == "EUR"
    assert inputs["revenue"].dims == ()
    assert inputs["revenue"].item() == 50e6
    assert inputs["revenue"].attrs["unit"] == "EUR/year"
    assert inputs["revenue"].attrs["entered_in"] == "MEUR/year"
    assert set(np.unique(inputs["works"])) == {0.0, 1.0}
    outcome = tree["outcome"].to_dataset()
    assert set(outcome.data_vars) == {"npv", "roi", "benefit", "cost"}
    assert outcome["npv"].dims == ("accounting", "adjusted", "replicate", "draw")
    assert tree.attrs["seed"] == 3
    assert tree.attrs["language"] == "de"
    assert tree.attrs["softseg_version"] == "0.1.0"


def test_a_stored_tree_gives_the_same_simulation(
    simulation: Simulation, tree: xr.DataTree, stored: xr.DataTree
) -> None:
    assert stored.identical(tree)
    again = simulation_of(stored)
    assert again.assumptions == simulation.assumptions
    assert list(again.draws.values) == list(simulation.draws.values)
    assert again.draws.uncertain == simulation.draws.uncertain
    assert again.draws.changes == simulation.draws.changes
    for accounting in ("as_published", "contribution_margin"):
        old, new = (s.outcome(accounting) for s in (simulation, again))
        assert np.array_equal(old.npv, new.npv)
        assert np.array_equal(old.npv, stored["outcome"]["npv"].sel(
            accounting=accounting, adjusted=True))  # fmt: skip


def test_equal_calculations_make_equal_files(simulation: Simulation) -> None:
    again = RoiModel.example().simulate(n_replicates=2, n_draws=64, seed=3)
    one, other = (to_tree(s, {}, seed=3, versions=VERSIONS) for s in (simulation, again))
    assert to_bytes(one) == to_bytes(other)


def test_copies_stand_once_in_the_file_and_come_back() -> None:
    example = RoiModel.example().assumptions
    copy = Input(role="saving", unit="EUR/year", same_as="savings")
    assumptions = example.model_copy(update={"inputs": {**example.inputs, "copy": copy}})
    simulation = RoiModel(assumptions).simulate(2, 16)
    tree = to_tree(simulation, {}, seed=1, versions=VERSIONS)
    assert "copy" not in tree["inputs"].to_dataset()
    again = simulation_of(tree)
    assert np.array_equal(again.draws.values["copy"], simulation.draws.values["savings"])


def test_the_draws_of_a_fitted_model_stay_recognisable(tmp_path: Path) -> None:
    fitted = {"revenue_uplift": np.linspace(0.01, 0.04, 50)}
    simulation = RoiModel.example().simulate(2, 16, posterior=fitted)
    tree = to_tree(simulation, {}, seed=1, versions=VERSIONS, posterior=tuple(fitted))
    save(tree, tmp_path / "roi.nc")
    stored = load(tmp_path / "roi.nc")
    assert stored.attrs["posterior"] == '["revenue_uplift"]'
    draws = simulation_of(stored).draws
    assert draws.sample is not None
    assert np.array_equal(fitted["revenue_uplift"][draws.sample], draws.values["revenue_uplift"])


def test_long_assumptions_fit(tmp_path: Path) -> None:
    """HDF5 limits attributes to 64 KiB, samples do not."""
    example = RoiModel.example().assumptions
    rng = np.random.default_rng(1)
    given = {
        "role": "saving", "unit": "EUR/year", "samples": rng.normal(size=9000).tolist(),
        "label": "Ersparnis, gemessen über Jahre",
    }  # fmt: skip
    inputs = {**example.inputs, "measured": Input.model_validate(given)}
    assumptions = example.model_copy(update={"inputs": inputs})
    tree = to_tree(RoiModel(assumptions).simulate(2, 16), {}, seed=1, versions=VERSIONS)
    save(tree, tmp_path / "roi.nc")
    assert assumptions_of(load(tmp_path / "roi.nc")) == assumptions


def test_answers_come_back(simulation: Simulation) -> None:
    found = headline(simulation)
    empty = xr.Dataset(attrs={"adjusted": True, "nothing": None, "n": np.int64(3)})
    names = [name for name in Answers.__dataclass_fields__ if name != "programmes"]
    given = dict.fromkeys(names, empty) | {"headline": found, "frontier": None}
    programmes = {"segmented": found, "uniform": found}
    answers = Answers(**given, programmes=programmes)  # pyright: ignore[reportArgumentType]
    tree = to_tree(simulation, answers, seed=1, versions=VERSIONS)
    again = answers_of(tree)
    xr.testing.assert_equal(again.headline, found)
    assert again.frontier is None
    assert set(again.programmes) == {"segmented", "uniform"}
    assert again.yearly.attrs == {"adjusted": 1, "nothing": "null", "n": 3}


def test_variables_named_like_a_group_are_read_too(tmp_path: Path) -> None:
    """`xarray.DataTree.load` leaves them in the file otherwise, which is closed by then."""
    example = RoiModel.example().assumptions
    named = {"outcome": example.inputs["savings"], "sums": example.inputs["savings"]}
    assumptions = example.model_copy(update={"inputs": {**example.inputs, **named}})
    simulation = RoiModel(assumptions).simulate(2, 16)
    found = {"multiplier": xr.Dataset({"multiplier": ("quantile", [1.0, 2.0])})}
    save(to_tree(simulation, found, seed=1, versions=VERSIONS), tmp_path / "roi.nc")
    tree = load(tmp_path / "roi.nc")
    for group in tree.subtree:
        group.to_dataset().map(lambda array: array.values)
    xr.testing.assert_equal(answers_of(tree).multiplier, found["multiplier"])
    again = simulation_of(tree)
    assert list(again.draws.values) == list(simulation.draws.values)
    assert np.array_equal(again.draws.values["outcome"], simulation.draws.values["outcome"])


@pytest.mark.slow
def test_a_report_is_written_anew_from_the_file(tmp_path: Path) -> None:
    simulation = RoiModel.example().simulate(2, 64)
    answers = collect(simulation)
    save(to_tree(simulation, answers, seed=1, versions=VERSIONS), tmp_path / "roi.nc")
    tree = load(tmp_path / "roi.nc")
    again = answers_of(tree)
    assert again.datasets().keys() == answers.datasets().keys()
    for name, data in answers.datasets().items():
        xr.testing.assert_equal(again.datasets()[name], data)
    assert render(simulation_of(tree), again) == render(simulation, answers)


def test_texts_of_answers_become_storable(simulation: Simulation, tmp_path: Path) -> None:
    data = xr.Dataset(
        {"kind": ("input", np.array(["a", "bc"], dtype=object))},
        {"input": np.array(["x", "yz"], dtype=object)},
    )
    tree = to_tree(simulation, {"drivers": data}, seed=1, versions=VERSIONS)
    save(tree, tmp_path / "roi.nc")
    assert load(tmp_path / "roi.nc")["drivers"].to_dataset()["kind"].values.tolist() == ["a", "bc"]


def test_an_answer_cannot_take_the_name_of_a_group(simulation: Simulation) -> None:
    with pytest.raises(UsageError, match="Rename the answer 'inputs'"):
        to_tree(simulation, {"inputs": xr.Dataset()}, seed=1, versions=VERSIONS)


def test_other_trees_are_refused(tree: xr.DataTree) -> None:
    with pytest.raises(FileError, match="Give results of softseg roi"):
        simulation_of(xr.DataTree())
    other = tree.copy(deep=True)
    other["assumptions"] = xr.DataTree(xr.Dataset({"json": ((), np.array("{}"))}))
    with pytest.raises(FileError, match="softseg aktualisieren"):
        assumptions_of(other)


def test_the_hash_is_that_of_all_assumptions() -> None:
    example = RoiModel.example().assumptions
    same = Assumptions.model_validate_json(example.model_dump_json())
    assert assumptions_hash(same) == assumptions_hash(example)
    assert len(assumptions_hash(example)) == 64
    other = example.model_copy(update={"horizon": 6})
    assert assumptions_hash(other) != assumptions_hash(example)


def test_canonical_text_has_sorted_keys() -> None:
    assert canonical({"b": [1, 0.1], "a": "ü"}) == '{"a":"ü","b":[1,0.1]}'


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("%", "share"), ("pp", "share"), ("kEUR", "EUR"), ("EUR/year", "EUR/year"),
     ("years", "years"), ("factor", "factor")],
)  # fmt: skip
def test_base_units(unit: str, expected: str) -> None:
    assert base_unit(Input(role="metric", unit=unit), "EUR") == expected


def test_the_german_example_is_the_english_one_but_for_texts() -> None:
    english, german = (RoiModel.example(language).assumptions for language in ("en", "de"))
    assert (english.language, german.language) == ("en", "de")
    texts = {"label", "source", "note"}
    plain = [
        {name: entry.model_dump(exclude=texts) for name, entry in one.inputs.items()}
        for one in (english, german)
    ]
    assert plain[0] == plain[1]
    assert list(english.inputs) == list(german.inputs)
    assert all(english.inputs[name].label != entry.label for name, entry in german.inputs.items())
    rest = {"inputs": True, "title": True, "language": True,
            "dependence": {"factors": {"__all__": {"label"}}}}  # fmt: skip
    assert english.model_dump(exclude=rest) == german.model_dump(exclude=rest)
    assert "Deckungsbeitragssatz" in to_toml(german)
