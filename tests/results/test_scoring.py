import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import logsumexp

from results.worlds import World
from softseg.errors import DataError
from softseg.families.namespace import NUMPY
from softseg.likelihood import kernel
from softseg.likelihood.statistics import reduce
from softseg.results.exports import memberships_frame, write_csv
from softseg.results.membership import membership
from softseg.results.scoring import (
    Scorer,
    log_predictive_density,
    score,
    score_file,
    score_table,
)
from softseg.results.storage import load, save
from softseg.tables import stream

EXACT = ("mean", "lower", "upper", "p_top", "entropy")


def test_scoring_the_training_rows_gives_the_fitted_memberships(mixed: World):
    found = score(mixed.tree, mixed.frame)
    for name in EXACT:
        np.testing.assert_allclose(found[name], mixed.tree["membership"][name], atol=1e-10)
    np.testing.assert_array_equal(found["top"], mixed.tree["membership"]["top"])
    assert json.loads(found.attrs["unseen"]) == {}
    assert list(found["segment_name"].values) == ["Größte", "Mittlere", "Übrige"]


def test_one_row_equals_the_batch(mixed: World):
    batch = score(mixed.tree, mixed.frame)
    for i in range(0, 80, 16):
        alone = score(mixed.tree, mixed.frame.iloc[i : i + 1])
        for name in EXACT:
            np.testing.assert_allclose(alone[name][0], batch[name][i], rtol=0, atol=1e-12)


def test_the_draws_of_the_fit_are_used_again(mixed: World):
    tree = mixed.tree.copy(deep=True)
    few = membership(mixed.statistics, mixed.values, n_used=20)
    tree["membership"].attrs["n_draws"] = 20
    found = score(tree, mixed.frame.iloc[:5])
    np.testing.assert_allclose(found["mean"], few["mean"][:5], atol=1e-12)
    assert found.attrs["n_draws"] == 20


def test_a_saved_posterior_scores_the_same(mixed: World, tmp_path):
    save(mixed.tree, tmp_path / "posterior.nc")
    few = mixed.frame.iloc[:7]
    found = score(load(tmp_path / "posterior.nc"), few)
    np.testing.assert_array_equal(found["mean"], score(mixed.tree, few)["mean"])


def test_the_same_rows_get_the_same_tail_probability(mixed: World):
    first, second = (score(mixed.tree, mixed.frame.iloc[:6]) for _ in range(2))
    np.testing.assert_array_equal(first["tail_probability"], second["tail_probability"])
    assert bool(((first["tail_probability"] >= 0) & (first["tail_probability"] <= 1)).all())


def test_a_row_from_elsewhere_fits_none(mixed: World):
    odd = mixed.frame.iloc[:1].assign(amount=1e6)
    assert score(mixed.tree, odd)["verdict"].item() == "fits none"


def test_an_unseen_level_is_an_error_or_a_gap_with_a_count(mixed: World):
    new = mixed.frame.iloc[:4].copy()
    new["industry"] = new["industry"].astype(object)
    new.loc[new.index[:2], "industry"] = "zzz"
    with pytest.raises(DataError, match="industry"):
        score(mixed.tree, new)
    found = score(mixed.tree, new, unseen="missing")
    assert json.loads(found.attrs["unseen"]) == {"industry": 2}
    gaps = new.copy()
    gaps.loc[gaps.index[:2], "industry"] = None
    np.testing.assert_allclose(found["mean"], score(mixed.tree, gaps)["mean"], rtol=0, atol=1e-12)


def test_no_rows_give_an_empty_result_of_the_same_types(mixed: World):
    none, some = score(mixed.tree, mixed.frame.iloc[:0]), score(mixed.tree, mixed.frame.iloc[:2])
    assert none.sizes["customer"] == 0
    assert none.sizes["segment"] == 3
    for name in some.data_vars:
        assert none[name].dtype == some[name].dtype, name


def test_a_tree_without_memberships_can_score(mixed: World):
    tree = mixed.tree.copy(deep=True)
    del tree["membership"]
    found = score_table(tree, mixed.table)
    np.testing.assert_allclose(found["mean"], mixed.tree["membership"]["mean"], atol=1e-10)


def test_predictive_density_is_the_mean_over_draws(mixed: World):
    found = log_predictive_density(mixed.tree, mixed.statistics)
    by_draw = []
    for i in range(60):
        values = mixed.values.at(i)
        weights = mixed.statistics.layout.weights(values.indicators, NUMPY)
        by_draw.append(kernel.memberships(mixed.statistics, weights, values.share)[1])
    expected = logsumexp(by_draw, axis=0) - np.log(60)
    np.testing.assert_allclose(found, expected[mixed.statistics.pattern_of_row], rtol=1e-10)


def test_a_blank_row_has_the_predictive_density_one(mixed: World):
    from dataclasses import replace

    blank = {name: np.full(80, np.nan) for name in mixed.table.columns}
    found = log_predictive_density(mixed.tree, reduce(replace(mixed.table, columns=blank)))
    np.testing.assert_allclose(found, 0.0, atol=1e-12)


def test_scoring_imports_neither_pymc_nor_arviz_nor_matplotlib():
    program = (
        "import sys, softseg.results.scoring, softseg.results.storage, softseg.results.exports;"
        "print([m for m in ('pymc', 'arviz', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_file_is_scored_batch_by_batch(mixed: World, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "BATCH", 30)
    mixed.frame.to_parquet(tmp_path / "new.parquet", index=False)
    given = mixed.tree, tmp_path / "new.parquet"
    verdicts, unseen = score_file(*given, tmp_path / "scores.parquet")
    found = pd.read_parquet(tmp_path / "scores.parquet")
    counts = found["verdict"].value_counts()
    assert verdicts == {name: counts.get(name, 0) for name in ("clear", "ambiguous", "fits none")}
    assert not any(unseen.values())
    assert len(found) == len(mixed.frame)
    expected = memberships_frame(score(mixed.tree, mixed.frame))
    discrete = found.columns.drop(["tail_probability", "verdict", "needs_review"])
    pd.testing.assert_frame_equal(found[discrete], expected[discrete], check_dtype=False)
    assert list(found.columns) == list(expected.columns)
    score_file(*given, tmp_path / "scores.csv")
    write_csv(tmp_path / "expected.csv", found)
    assert (tmp_path / "scores.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_a_file_that_cannot_be_scored_leaves_the_old_one(mixed: World, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "BATCH", 30)
    frame = mixed.frame.copy()
    frame.loc[60, "amount"] = np.inf
    frame.to_parquet(tmp_path / "new.parquet", index=False)
    (tmp_path / "scores.parquet").write_bytes(b"old")
    with pytest.raises(DataError, match="infinite"):
        score_file(mixed.tree, tmp_path / "new.parquet", tmp_path / "scores.parquet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.parquet", "scores.parquet"]
    assert (tmp_path / "scores.parquet").read_bytes() == b"old"


def test_a_scorer_answers_as_the_function_does(mixed: World):
    scorer = Scorer(mixed.tree)
    for rows in (slice(0, 6), slice(10, 30), slice(0, 1)):
        found, expected = scorer.score(mixed.frame[rows]), score(mixed.tree, mixed.frame[rows])
        xr.testing.assert_identical(found, expected)
