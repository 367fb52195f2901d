"""The whole way from statistics to judged draws: choice of the sampler, starts, verdict."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from builders import frame_of, mixed_table, schema_of, truth
from softseg.errors import UsageError
from softseg.inference.diagnose import BOUNDS, Check, Diagnosis
from softseg.inference.fit import fit
from softseg.inference.modes import find_modes
from softseg.inference.sample import _best, allowed, candidates, sample
from softseg.inference.search import explore, search, strayed
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.tables.prepare import prepare
from softseg.tables.schema import IndicatorSchema, PriorSchema, Schema
from softseg.wording import LANGUAGES, has, say


@pytest.fixture(scope="module")
def fitted():
    table, segment = mixed_table(250, seed=5)
    return fit(table, 3, n_draws=300, n_tune=100, n_starts=6, seed=3), segment


def test_separated_segments_are_found_and_pass_the_gate(fitted):
    result, segment = fitted
    assert result.diagnosis.status == "good"
    assert result.method == "laplace"
    assert has(result.reason[0])
    sizes = np.sort(np.bincount(segment))[::-1]
    np.testing.assert_allclose(result.aligned.mean_sizes, sizes, atol=12)
    assert result.draws.values.share.shape == (4, 300, 3)


def test_a_right_model_is_not_called_poor(fitted):
    result, _ = fitted
    assert result.verdict.status != "poor"
    assert result.tail_probability.shape == (250,)
    assert ((result.tail_probability >= 0) & (result.tail_probability <= 1)).all()


def test_same_seed_same_fit_whatever_the_cores():
    table, _ = mixed_table(90)
    first, second = (
        fit(table, 2, n_draws=20, n_tune=10, n_starts=3, seed=3, cores=cores) for cores in (1, 2)
    )
    np.testing.assert_array_equal(first.draws.values.share, second.draws.values.share)
    np.testing.assert_array_equal(first.tail_probability, second.tail_probability)
    assert first.diagnosis.to_json() == second.diagnosis.to_json()


def test_too_many_segments_are_refused():
    """Two true segments and seven fitted: some are empty or not identified."""
    kinds = {"x": "gaussian", "n": "poisson"}
    rng = np.random.default_rng(3)
    frame, _ = frame_of(kinds, truth(kinds, (0.6, 0.4)), 150, rng)
    table = prepare(frame, schema_of(kinds))
    result = sample(
        reduce(table),
        specify(table.schema, 7),
        n_draws=200,
        n_starts=6,
        rng=np.random.default_rng(1),
    )
    assert result.diagnosis.status == "failed"


def _with_half_normal() -> tuple[pd.DataFrame, Schema]:
    frame = pd.DataFrame({"x": np.random.default_rng(1).normal(size=40)})
    half = PriorSchema(distribution="HalfNormal", sigma=2.0)
    entry = IndicatorSchema(family="gaussian", priors={"sd": half})
    return frame, Schema(indicators={"x": entry})


def methods(mixture, statistics):
    found = search(statistics, mixture, n_starts=3, rng=np.random.default_rng(1))
    order = candidates(mixture, statistics, found)
    assert all(has(key) for _, (key, _) in order)
    return [name for name, _ in order]


def test_nuts_is_chosen_where_a_prior_has_no_update():
    frame, schema = _with_half_normal()
    table = prepare(frame, schema)
    mixture = specify(table.schema, 2)
    assert methods(mixture, reduce(table)) == ["laplace", "nuts"]
    with pytest.raises(UsageError, match=r"Use method='nuts' or 'auto': .* \['x'\] have none"):
        allowed("gibbs", mixture, reduce(table))


def test_nuts_is_chosen_where_weights_are_no_whole_numbers():
    frame = pd.DataFrame(
        {"x": np.random.default_rng(1).normal(size=40), "w": np.linspace(0.5, 1.5, 40)}
    )
    table = prepare(frame, schema_of({"x": "gaussian"}, weight="w"))
    mixture = specify(table.schema, 2)
    assert methods(mixture, reduce(table)) == ["laplace", "nuts"]
    with pytest.raises(UsageError, match="whole-number counts"):
        allowed("gibbs", mixture, reduce(table))


def test_an_unknown_method_names_the_known_ones():
    table, _ = mixed_table(40)
    with pytest.raises(UsageError, match=r"out of \['auto', 'laplace', .*\], got 'vb'"):
        allowed("vb", specify(table.schema, 2), reduce(table))  # type: ignore[arg-type]


def _outcome(method, **failed):
    checks = tuple(Check(n, True, False, v, BOUNDS[n]) for n, v in failed.items())
    return SimpleNamespace(method=method, diagnosis=Diagnosis(method, checks))


def test_where_no_method_passes_the_nearest_is_kept_and_that_is_said(monkeypatch):
    monkeypatch.setattr(
        "softseg.inference.sample.replace", lambda one, **f: SimpleNamespace(**vars(one) | f)
    )
    weights = _outcome("laplace", pareto_k=0.9)
    little = _outcome("gibbs", rhat=1.011)
    worst = _outcome("nuts", rhat=1.011, ess_bulk=300.0)
    found = _best([weights, little, worst])
    assert found.method == "gibbs"
    assert found.reason == ("method.least", {"tried": "laplace, gibbs, nuts", "method": "gibbs"})
    assert _best([weights, worst]).method == "nuts"  # more draws can mend its checks
    assert _best([weights, _outcome("nuts", bfmi=0.1, rhat=1.5)]).method == "laplace"
    assert _best([weights, good := _outcome("nuts")]) is good
    assert _best([weights]) is weights
    partial = _outcome("nuts", rhat=1.5)
    partial.diagnosis = partial.diagnosis.interrupted(2, 4)
    assert _best([weights, partial]) is partial
    for language in LANGUAGES:
        assert "laplace, gibbs" in say(found.reason[0], language, **found.reason[1])


def test_explorers_find_the_best_mode_that_em_was_not_given():
    """EM from one poor start only; the dispersed Gibbs chains reach the better mode."""
    table, _ = mixed_table(200, seed=2)
    statistics, mixture = reduce(table), specify(table.schema, 3)
    good = find_modes(statistics, mixture, n_starts=10, rng=np.random.default_rng(1))
    merged, ends, visits = explore(statistics, mixture, good, np.random.default_rng(2))
    assert merged.best.objective >= good.best.objective - 0.01
    assert merged.n_starts == good.n_starts + 4
    assert 1 <= len(ends) <= 4
    assert visits is not None
    assert visits.shape == (len(ends), 150, 1 + 3)
    assert all(m.objective < merged.best.objective for m in merged.rivals)


def test_a_prior_without_update_is_sampled_by_nuts_from_start_to_verdict():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": np.concatenate([rng.normal(-4, 1, 60), rng.normal(4, 1, 40)])})
    _, schema = _with_half_normal()
    result = fit(
        prepare(frame, schema), 2, method="nuts", n_draws=400, n_tune=300, n_starts=4, seed=2
    )
    assert result.method == "nuts"
    assert result.diagnosis.check("divergences").applies
    assert result.diagnosis.check("labels").passed
    mean = result.draws.values.indicators["x"]["mean"].mean((0, 1))
    np.testing.assert_allclose(mean, [-4.0, 4.0], atol=0.6)
    np.testing.assert_allclose(result.aligned.mean_sizes, [60.0, 40.0], atol=3.0)


def test_explorers_that_have_not_arrived_say_nothing():
    draws = np.random.default_rng(1).normal([-100.0, 0.6, 0.4], [2.0, 0.01, 0.01], (4, 500, 3))
    at_home = np.broadcast_to([-100.0, 0.6, 0.4], (1, 20, 3))
    elsewhere = np.broadcast_to([-110.0, 0.9, 0.1], (1, 20, 3))
    on_the_way = np.broadcast_to([-400.0, 0.9, 0.1], (1, 20, 3))
    assert strayed(at_home, draws, 50.0) < 0.5
    assert strayed(np.concatenate([at_home, on_the_way]), draws, 50.0) < 0.5
    assert strayed(np.concatenate([at_home, elsewhere]), draws, 50.0) > 20.0
    assert strayed(on_the_way, draws, 50.0) is None


def test_a_large_table_is_searched_on_a_part_and_climbed_on_the_whole(monkeypatch):
    table, _ = mixed_table(900, seed=2)
    statistics, mixture = reduce(table), specify(table.schema, 3)
    whole = search(statistics, mixture, n_starts=6, rng=np.random.default_rng(1))
    monkeypatch.setattr("softseg.inference.search.LARGE", 500)
    monkeypatch.setattr("softseg.inference.search.PART", 400)
    part = search(statistics, mixture, n_starts=6, rng=np.random.default_rng(1))
    assert part.visits is None
    assert part.modes.best.objective == pytest.approx(whole.modes.best.objective, abs=1e-3)
    assert part.modes.n_starts == whole.modes.n_starts
    assert len(part.modes.best.top) == statistics.n_patterns
    assert part.starts(4)[-1].share.shape == (3,)
