"""Modes against published log-likelihoods and scikit-learn, and laws of EM."""

import numpy as np
import pandas as pd
import pytest

from builders import mixed_table, schema_of
from oracles.small_tables import table_of
from softseg.errors import UsageError
from softseg.inference.em import Climber, Run, climb
from softseg.inference.modes import LOOSELY, NEARLY, find_modes, reach
from softseg.inference.starts import random_start
from softseg.inference.threads import Stop
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values, specify
from softseg.priors import Prior
from softseg.tables.prepare import prepare
from softseg.tables.schema import PriorSchema


def maximum_likelihood(frame: pd.DataFrame, families, n_segments: int, n_starts: int = 20):
    table = prepare(frame, schema_of(families))
    mixture = specify(table.schema, n_segments)
    return find_modes(
        reduce(table), mixture, prior=None, n_starts=n_starts, rng=np.random.default_rng(1)
    ), mixture


def answers(path, columns=None) -> tuple[pd.DataFrame, dict[str, str]]:
    frame = pd.read_csv(path, usecols=columns).astype("Int64").astype("string")
    return frame, {str(name): "categorical" for name in frame}


# poLCA's help pages values.Rd, carcinoma.Rd and cheating.Rd print four decimals
PUBLISHED = [
    ("values", None, 1, -543.6498, 4),
    ("values", None, 2, -504.4677, 9),
    ("values", None, 3, -503.3011, 14),
    ("carcinoma", None, 2, -317.2568, 15),
    ("carcinoma", None, 3, -293.7050, 23),
    ("carcinoma", None, 4, -289.2858, 31),
    ("cheating", ["LIEEXAM", "LIEPAPER", "FRAUD", "COPYEXAM"], 2, -440.0271, 9),
]


@pytest.mark.parametrize(("name", "columns", "k", "log_likelihood", "d"), PUBLISHED)
def test_published_log_likelihoods_are_met_to_the_printed_digit(
    reference_data, name, columns, k, log_likelihood, d
):
    frame, families = answers(reference_data(f"{name}.csv"), columns)
    modes, mixture = maximum_likelihood(frame, families, k)
    assert round(modes.best.log_likelihood, 4) == log_likelihood
    assert mixture.n_parameters == d
    assert modes.converged


def test_published_shares_and_answers_of_carcinoma(reference_data):
    frame, families = answers(reference_data("carcinoma.csv"))
    modes, _ = maximum_likelihood(frame, families, 3)
    best = modes.best.values
    order = np.argsort(-best.share)
    np.testing.assert_allclose(best.share[order], [0.4447, 0.3736, 0.1817], atol=5e-5)
    yes = [best.indicators[i]["probability"][order[2], 1] for i in "ABCDEFG"]
    np.testing.assert_allclose(yes, [0.5128, 1.0, 0.0, 0.0576, 0.7506, 0.0, 0.6307], atol=5e-5)


def test_values_with_holes_by_full_information(reference_data):
    frame, families = answers(reference_data("values.csv"))
    frame = frame.sort_values(list(frame), ignore_index=True)
    frame.loc[4:214:5, "A"] = pd.NA
    frame.loc[6:209:7, "C"] = pd.NA
    assert frame["A"].isna().sum() == 43
    assert frame["C"].isna().sum() == 30
    one, _ = maximum_likelihood(frame, families, 1)
    two, _ = maximum_likelihood(frame, families, 2)
    assert round(one.best.log_likelihood, 4) == -500.8353
    assert round(two.best.log_likelihood, 4) == -463.5007
    np.testing.assert_allclose(np.sort(two.best.values.share), [0.2890, 0.7110], atol=5e-5)


def test_diagonal_gaussian_mixture_equals_scikit_learns(reference_data):
    from sklearn.mixture import GaussianMixture

    frame = pd.read_csv(reference_data("faithful.csv"))
    modes, _ = maximum_likelihood(frame, {str(c): "gaussian" for c in frame}, 2, n_starts=10)
    peer = GaussianMixture(
        2, covariance_type="diag", reg_covar=0.0, tol=1e-12, max_iter=5000, n_init=5, random_state=1
    ).fit(frame.to_numpy())
    assert modes.best.log_likelihood == pytest.approx(
        peer.score(frame.to_numpy()) * len(frame), abs=1e-6
    )
    order, theirs = np.argsort(-modes.best.values.share), np.argsort(-peer.weights_)
    np.testing.assert_allclose(modes.best.values.share[order], peer.weights_[theirs], atol=1e-5)
    means = np.stack([modes.best.values.indicators[c]["mean"] for c in frame], axis=1)
    np.testing.assert_allclose(means[order], peer.means_[theirs], rtol=1e-5)


def test_heart_meets_varsellcm_on_mixed_columns(reference_data):
    """VarSelLCM, 2 classes: BIC −6516.216 = loglik − d/2 · log n, Age of row 1 lost."""
    frame = pd.read_csv(reference_data("heart.csv"), dtype="string").drop(columns="Class")
    families = {str(name): "categorical" for name in frame}
    for name in ("RestBloodPressure", "SerumCholestoral", "MaxHeartRate"):
        families[name] = "gaussian"
        frame[name] = frame[name].astype(float)
    families["Age"] = "poisson"
    frame["Age"] = frame["Age"].astype(float)
    frame.loc[0, "Age"] = np.nan
    modes, mixture = maximum_likelihood(frame, families, 2)
    assert mixture.n_parameters == 45
    criterion = modes.best.log_likelihood - 45 / 2 * np.log(len(frame))
    assert criterion == pytest.approx(-6516.216, abs=5e-4)


@pytest.mark.parametrize("use_priors", [True, False])
def test_the_objective_never_falls(use_priors: bool):
    table, _ = mixed_table(150, seed=3)
    statistics, mixture = reduce(table), specify(table.schema, 3)
    values = random_start(statistics, mixture, np.random.default_rng(3))
    before = -np.inf
    for _ in range(15):
        run = climb(statistics, mixture, values, use_priors, 1)
        assert run.objective >= before - 1e-8
        before, values = run.objective, run.values


def test_the_result_does_not_depend_on_the_number_of_cores():
    table, _ = mixed_table(150)
    statistics, mixture = reduce(table), specify(table.schema, 3)
    one, two = (
        find_modes(statistics, mixture, rng=np.random.default_rng(5), cores=cores, n_starts=4)
        for cores in (1, 2)
    )
    assert [mode.objective for mode in one.modes] == [mode.objective for mode in two.modes]
    np.testing.assert_array_equal(one.best.values.share, two.best.values.share)


def test_a_row_twice_is_a_count_of_two():
    table, _ = mixed_table(100)
    statistics, mixture = reduce(table), specify(table.schema, 2)
    from dataclasses import replace

    doubled = replace(table, count=2.0 * table.count)
    once = find_modes(statistics, mixture, prior=None, rng=np.random.default_rng(1), n_starts=6)
    twice = find_modes(
        reduce(doubled), mixture, prior=None, rng=np.random.default_rng(1), n_starts=6
    )
    assert twice.best.log_likelihood == pytest.approx(2.0 * once.best.log_likelihood, abs=1e-5)


def test_hits_and_progress_are_told():
    table, _ = mixed_table(100)
    told: list[tuple[str, float]] = []
    modes = find_modes(
        reduce(table),
        specify(table.schema, 3),
        rng=np.random.default_rng(1),
        n_starts=5,
        progress=lambda stage, share: told.append((stage, share)),
    )
    assert 1 <= modes.best.hits <= 5
    assert modes.hit_rate == modes.hits / modes.n_starts
    assert told[-1] == ("modes", 1.0)
    assert [share for _, share in told] == sorted(share for _, share in told)


@pytest.mark.parametrize("prior", [Prior("Dirichlet", alpha=0.5), Prior("Dirichlet", alpha=1.0)])
def test_an_infinite_density_on_the_edge_makes_no_mode_the_best(prior):
    """Under Jeffreys' prior each level without customers used to be worth 345 log units."""
    rng = np.random.default_rng(1)
    segment = rng.integers(2, size=200)
    chances = np.array([[0.5, 0.3, 0.1, 0.06, 0.04], [0.04, 0.06, 0.1, 0.3, 0.5]])
    columns = {
        f"q{j}": np.array([rng.choice(5, p=chances[k]) for k in segment], dtype=float)
        for j in range(4)
    }
    entry = {
        "family": "categorical",
        "levels": list("abcde"),
        "priors": {"probability": PriorSchema.of(prior)},
    }
    table = table_of(dict.fromkeys(columns, entry), columns)
    modes = find_modes(
        reduce(table), specify(table.schema, 2), n_starts=8, rng=np.random.default_rng(3)
    )
    assert modes.hits >= 5
    assert modes.best.log_likelihood > max(mode.log_likelihood for mode in modes.modes) - 5.0


def test_only_runs_within_reach_are_climbed_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """On ridges far below the best mode a run would take thousands of cycles and find nothing."""
    rng = np.random.default_rng(4)
    segment, centres = rng.integers(4, size=600), 6.0 * rng.normal(size=(4, 3))
    columns = {f"x{j}": centres[segment, j] + rng.normal(size=600) for j in range(3)}
    table = table_of({name: {"family": "gaussian"} for name in columns}, columns)
    statistics, mixture = reduce(table), specify(table.schema, 4)
    began: dict[float, list[float]] = {}
    climber_climb = Climber.climb

    def climb_and_note(
        climber: Climber, values: Values, cycles: int, tolerance: float, stop: Stop
    ) -> Run:
        run = climber_climb(climber, values, cycles, tolerance, stop)
        began.setdefault(tolerance, []).append(run.objective)
        return run

    monkeypatch.setattr(Climber, "climb", climb_and_note)
    modes = find_modes(statistics, mixture, n_starts=12, rng=np.random.default_rng(4))
    floor = max(began[LOOSELY]) - reach(mixture, 600)
    n_low = sum(height < floor for height in began[LOOSELY])
    assert 0 < n_low < 12
    assert len(began[NEARLY]) == 12 - n_low
    assert min(began[NEARLY]) >= floor
    low = [mode for mode in modes.modes if mode.objective < floor]
    assert sum(mode.hits for mode in modes.modes) == 12
    assert low
    assert modes.best.objective == pytest.approx(max(began[NEARLY]), abs=1e-3)


def test_no_starts_are_refused() -> None:
    table, _ = mixed_table(50)
    with pytest.raises(UsageError, match="Give a number of starts of at least 1, got 0"):
        find_modes(reduce(table), specify(table.schema, 2), n_starts=0, rng=np.random.default_rng())
