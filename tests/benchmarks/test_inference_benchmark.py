"""The benchmark of inference: every tool gets the same data, model and priors."""

import io
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from softseg.families.namespace import NUMPY
from softseg.inference.criteria import entropy_r2
from softseg.likelihood.kernel import expected_statistics, memberships
from softseg.models.mixture import Values

ROOT = Path(__file__).parents[2]
KINDS = (
    "categorical",
    "mixed",
    "overlap_categorical",
    "overlap_mixed",
    "missing_categorical",
    "missing_mixed",
)


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def module(name: str) -> Any:
    return import_module(f"benchmarks.inference.{name}")


def line(tool: str, run: str, cpu: float, ess: float, **more: Any) -> dict[str, Any]:
    return {
        "tool": tool, "data": "mixed", "n": 1000, "seed": 1, "run": run, "status": "finished",
        "cpu": {"draws": cpu, "memberships": 2.0 * cpu}, "wall": {"draws": cpu}, "ess": ess,
        "rhat": 1.002, "peak_mib": 300.0, "load": 1.0, "machine": "2 cores", "settings": "as it is",
        "versions": {"tool": "1"}, **more,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------- data


def test_the_seed_fixes_the_customers_and_another_seed_changes_only_them() -> None:
    data = module("data")
    first, again, other = (data.simulate("mixed", 300, seed) for seed in (1, 1, 2))
    for name, column in first.columns.items():
        np.testing.assert_array_equal(column, again.columns[name])
        assert not np.array_equal(column, other.columns[name])
        for parameter, value in first.truth.indicators[name].items():
            np.testing.assert_array_equal(value, other.truth.indicators[name][parameter])


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("categorical", 0.85, 1.0),
        ("mixed", 0.95, 1.0),
        ("overlap_categorical", 0.57, 0.63),
        ("overlap_mixed", 0.57, 0.63),
    ],
)
def test_segments_are_as_far_apart_as_the_data_set_says(kind: str, low: float, high: float) -> None:
    problem = module("problem").state(kind, 10_000, 3)
    statistics, truth = problem.statistics(), problem.truth
    weights = statistics.layout.weights(truth.indicators, NUMPY)
    membership, _ = memberships(statistics, weights, truth.share)
    assert low < entropy_r2(membership, statistics.count) < high


def test_a_fifth_of_the_cells_is_missing_where_the_name_says_so() -> None:
    columns = module("data").simulate("missing_mixed", 5_000, 1).columns
    assert 0.19 < np.isnan(np.stack(list(columns.values()))).mean() < 0.21


def test_free_parameters_are_as_many_as_in_the_reference_prototypes() -> None:
    state = module("problem").state
    assert state("categorical", 500, 1).mixture().n_parameters == 95
    assert state("mixed", 500, 1).mixture().n_parameters == 83


# ------------------------------------------------------------------------------------------ peers


def log_likelihood(problem: Any, values: Values) -> float:
    statistics = problem.statistics()
    weights = statistics.layout.weights(values.indicators, NUMPY)
    return expected_statistics(statistics, weights, values.share).log_likelihood


@pytest.mark.parametrize("kind", ["categorical", "missing_mixed"])
def test_the_naive_pymc_model_has_softsegs_likelihood(kind: str) -> None:
    pytensor: Any = import_module("pytensor")
    clone_replace = import_module("pytensor.graph.replace").clone_replace
    peer = module("tools.pymc_nuts")
    problem = module("problem").state(kind, 200, 1)
    model = peer.build(problem)
    start = peer.start_of(problem)
    constants = {rv: rv.type.filter_variable(start[rv.name]) for rv in model.free_RVs}
    graph = clone_replace(model.potentials[0], replace=constants)
    found = pytensor.function([], graph, mode="FAST_COMPILE", on_unused_input="ignore")()
    assert found == pytest.approx(log_likelihood(problem, problem.truth), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_jax_model_has_softsegs_posterior(kind: str) -> None:
    jax: Any = pytest.importorskip("jax")
    util: Any = pytest.importorskip("numpyro.infer.util")
    jax.config.update("jax_enable_x64", True)
    peer = module("tools.jax_model")
    problem = module("problem").state(kind, 200, 1)
    model = peer.make_model(**peer.shape_of(problem))
    given = peer.arguments(problem, "float64")
    start = peer.start_of(problem, "float64")
    other = {
        name: 0.5 * (site + site.mean(axis=-2, keepdims=True)) if name != "share" else site
        for name, site in start.items()
    }

    def both(sites: dict[str, Any]) -> tuple[float, float]:
        lead = {name: np.asarray(site)[None, None] for name, site in sites.items()}
        values = peer.values_of(problem, lead).at((0, 0))
        ours = log_likelihood(problem, values) + problem.mixture().log_prior(values)
        # The peers know the variance, softseg the sd: d variance / d sd = 2 sd.
        sd = [p["sd"] for p in values.indicators.values() if "sd" in p]
        ours -= float(np.log(sd).sum()) if sd else 0.0
        return ours, float(util.log_density(model, (given,), {}, sites)[0])

    (ours, theirs), (ours_too, theirs_too) = both(start), both(other)
    assert theirs - theirs_too == pytest.approx(ours - ours_too, abs=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # inside StepMix
@pytest.mark.parametrize("kind", ["categorical", "missing_mixed"])
def test_bootstraps_that_lack_a_level_are_fitted(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = module("tools.stepmix_bootstrap")
    monkeypatch.setattr(peer, "N_BOOTSTRAPS", 2)
    monkeypatch.setattr(peer, "N_STARTS", 1)
    laps: list[str] = []
    found = peer.StepmixBootstrap().run(module("problem").state(kind, 200, 1), 1, laps.append)
    assert found.figures["bootstraps"] == 2
    assert laps == ["point", "draws"]


def test_a_missing_peer_ends_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    run = module("run")
    monkeypatch.setattr(run, "find_spec", lambda name: None if name == "numpyro" else name)
    run.require_peers(["softseg_fit"])
    with pytest.raises(SystemExit, match=r"^Install numpyro with `uv sync .*` and start again"):
        run.require_peers(["softseg_fit", "numpyro"])


# ------------------------------------------------------------------------------------------ cells


def test_the_last_line_of_a_run_counts(tmp_path: Path) -> None:
    cells = module("cells")
    cells.append(line("numpyro", "cold", 10.0, 100.0), tmp_path)
    cells.append(line("numpyro", "cold", 20.0, 100.0), tmp_path)
    found = cells.read(tmp_path)
    assert [one["cpu"]["draws"] for one in found.values()] == [20.0]


def test_a_cell_is_done_when_its_warm_run_is_there_and_the_code_is_the_same() -> None:
    cells = module("cells")
    peer, ours = (
        cells.Cell("numpyro", "mixed", 1000, 1),
        cells.Cell("softseg_fit", "mixed", 1000, 1),
    )
    runs = [line("numpyro", "cold", 1.0, 1.0), line("numpyro", "warm", 1.0, 1.0)]
    assert cells.done(peer, keyed(*runs))
    assert cells.done(peer, keyed(runs[1]))
    assert not cells.done(peer, keyed(runs[0]))
    assert not cells.done(peer, keyed(runs[0], runs[1] | {"status": "failed", "reason": "no"}))
    assert cells.done(peer, keyed(runs[0] | {"status": "not finished", "reason": "late"}))
    old = [line("softseg_fit", run, 1.0, 1.0, code="old") for run in ("cold", "warm")]
    assert not cells.done(ours, keyed(*old))
    assert cells.done(ours, keyed(*(one | {"code": cells.code()} for one in old)))


def ended(code: int, out: str) -> Callable[..., Any]:
    """Return what starts a process that writes some lines and ends."""
    process = SimpleNamespace(stdout=io.StringIO(out), wait=lambda: code, send_signal=print)
    return lambda command, environment: process


def test_patterns_choose_cells_small_tables_first() -> None:
    cells = module("cells")
    found = list(cells.choose(["numpyro:mixed:*", "softseg_fit:mixed:1000"], 2))
    assert [str(cell) for cell in found[:3]] == [
        "softseg_fit:mixed:1000:1",
        "numpyro:mixed:1000:1",
        "softseg_fit:mixed:1000:2",
    ]
    assert len(found) == 2 * (4 + 1)


def test_what_did_not_finish_is_not_tried_at_a_larger_size() -> None:
    cells = module("cells")
    failed = line("pymc", "cold", 1.0, 1.0) | {"status": "not finished", "reason": "late"}
    known = {(cells.Cell("pymc", "mixed", 1000, 1), "cold"): failed}
    assert cells.hopeless(cells.Cell("pymc", "mixed", 10_000, 1), known)
    assert cells.hopeless(cells.Cell("pymc", "mixed", 1_000, 2), known)
    assert not cells.hopeless(cells.Cell("pymc", "categorical", 10_000, 1), known)


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (-24, "not finished", "more than 300 CPU s"),
        (-14, "not finished", "more than 3600 s"),
        (-9, "not finished", "killed, probably out of memory"),
        (1, "failed", "ValueError: no"),
    ],
)
def test_a_run_that_ends_early_says_why(
    code: int, status: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, cells = module("run"), module("cells")
    out = json.dumps(line("pymc", "cold", 1.0, 1.0)) + "\nTraceback\nValueError: no\n"
    monkeypatch.setattr(run, "_start", ended(code, out))
    cold, warm = run.run_cells([cells.Cell("pymc", "mixed", 1000, 1)], 300.0)
    assert (cold["run"], cold["status"]) == ("cold", "finished")
    assert (warm["run"], warm["status"], warm["reason"]) == ("warm", status, reason)


def test_seeds_share_a_process_whose_first_run_alone_is_cold() -> None:
    cells = module("cells")
    chosen = cells.choose(["numpyro:mixed:1000", "numpyro:mixed:10000"], 3)
    small, large = cells.together(chosen)
    assert [cell.seed for cell in small] == [1, 2, 3]
    assert {cell.n for cell in large} == {10_000}
    assert cells.runs([2, 3]) == [(2, "cold"), (2, "warm"), (3, "warm")]
    assert cells.runs([2, 3], warm=True) == [(2, "warm"), (3, "warm")]


def test_a_run_that_ends_early_is_told_by_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    run, cells = module("run"), module("cells")
    out = "".join(json.dumps(line("pymc", r, 1.0, 1.0)) + "\n" for r in ("cold", "warm"))
    monkeypatch.setattr(run, "_start", ended(-24, out))
    found = run.run_cells([cells.Cell("pymc", "mixed", 1000, seed) for seed in (1, 2)], 300.0)
    assert [(one["seed"], one["run"], one["status"]) for one in found] == [
        (1, "cold", "finished"),
        (1, "warm", "finished"),
        (2, "warm", "not finished"),
    ]


# ----------------------------------------------------------------------------------------- report


def keyed(*lines: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    cells = module("cells")
    return {
        (cells.Cell(one["tool"], one["data"], one["n"], one["seed"]), one["run"]): one
        for one in lines
    }


def test_figures_are_medians_over_the_seeds() -> None:
    lines = keyed(*(line("numpyro", "warm", cpu, 100.0, seed=i) for i, cpu in enumerate((1, 2, 9))))
    found = module("report").row(lines, "numpyro", "mixed", 1000, "warm")
    assert found.figures["cpu draws"] == 2.0
    assert found.rate() == 50.0


@pytest.mark.parametrize(
    ("ess", "passed", "verdict"),
    [(4_001.0, True, "met"), (3_999.0, True, "**missed**"), (9_999.0, False, "gate failed")],
)
def test_a_target_is_met_only_by_enough_and_through_the_gate(
    ess: float, passed: bool, verdict: str
) -> None:
    lines = keyed(
        line("numpyro", "warm", 2.0, 100.0),
        line("blackjax", "warm", 1.0, 100.0),
        line("softseg_sample", "warm", 1.0, ess, passed=passed, failed=[], method="nuts"),
    )
    text = "\n".join(module("report").page(lines))
    row = next(row for row in text.splitlines() if row.startswith("| mixed | 1,000"))
    assert "blackjax, 100.0/s" in row
    assert verdict in row.split("|")[-2]


def test_a_missed_target_says_what_it_would_have_taken() -> None:
    lines = keyed(
        line("numpyro", "warm", 1.0, 100.0),
        line(
            "softseg_sample", "warm", 2.0, 4_000.0, passed=True, failed=[], method="nuts",
            stages={"modes": 1.25, "explore": 0.75, "before": 0.01},
        ),
    )  # fmt: skip
    text = "\n".join(module("report").page(lines))
    assert "4,000 draws' worth in 2.00 CPU s (modes 1.25, explore 0.75); the target" in text
    assert "the target allows 1.00 CPU s" in text


def test_cpu_seconds_go_to_the_stage_that_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = module("tools.softseg_fit")
    clock = iter([0.0, 1.0, 3.0, 6.0, 10.0])
    monkeypatch.setattr(tool, "cpu_seconds", lambda: next(clock))
    stages = tool.Stages()
    for stage, share in (("modes", 0.5), ("sample", 0.1), ("sample", 1.0), ("end", 1.0)):
        stages(stage, share)
    assert stages.took == {"before": 1.0, "modes": 2.0, "sample": 3.0, "after sample": 4.0}


def test_posteriors_are_compared_in_posterior_sds() -> None:
    ours, theirs = ([[0.5], [0.1]], [[0.6], [0.2]])
    lines = keyed(
        line("numpyro", "cold", 1.0, 100.0, means={"share": theirs}),
        line("softseg_sample", "cold", 1.0, 100.0, means={"share": ours}, passed=True, failed=[]),
    )
    text = "\n".join(module("report").page(lines))
    assert "| mixed | 1,000 | numpyro | 0.50 | 50% |" in text


def test_every_cell_says_by_which_method_it_passed_or_why_it_was_refused() -> None:
    made: list[dict[str, Any]] = [
        {"method": "laplace", "passed": True, "failed": []},
        {"method": "nuts", "passed": True, "failed": []},
        {"method": "nuts", "passed": False, "failed": ["rhat", "sizes"], "rivals": 2},
    ]
    lines = [line("softseg_sample", "warm", 2.0, 9.0, seed=i, **m) for i, m in enumerate(made)]
    late = line("softseg_sample", "cold", 1.0, 1.0, data="categorical")
    late |= {"status": "not finished", "reason": "more than 600 CPU s"}
    found = list(module("passes").section(keyed(*lines, late)))
    assert (
        "| mixed | 1,000 | 3 | 2 | nuts 2, laplace 1 | chains disagree (R-hat) (1 of 1); "
        "a segment is nearly empty (1 of 1); other modes within 10 log units: 2 "
        "| 2.00 | 9 | 1.002 |"
    ) in found
    assert "| categorical | 1,000 | 0 | | | more than 600 CPU s | | | |" in found
    assert not list(module("passes").section({}))


def test_the_page_says_which_cells_nobody_has_run() -> None:
    found = list(module("passes").unmeasured(keyed(line("pymc", "warm", 1.0, 1.0))))
    row = next(row for row in found if row.startswith("- **pymc**"))
    assert row.startswith("- **pymc**: categorical; mixed at 10,000, 100,000, 1,000,000; overlap")


def test_the_page_says_what_did_not_finish() -> None:
    late = line("pymc", "cold", 1.0, 1.0) | {"status": "not finished", "reason": "more than 300 s"}
    text = "\n".join(module("report").page(keyed(late)))
    assert "not finished: more than 300 s" in text
