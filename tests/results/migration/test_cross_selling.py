"""Candidates for cross-selling, by hand and against SciPy's counts."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from migration_chains import NAMES, filtered
from softseg.errors import UsageError
from softseg.results.migration.bought import bought
from softseg.results.migration.cross_selling import cross_selling

CHANCE = np.array([[0.9, 0.2], [0.6, 0.7], [0.1, 0.1]])


def chance(n_draws, rows=CHANCE, names=NAMES[:3]):
    return xr.DataArray(
        np.broadcast_to(rows, (n_draws, *rows.shape)), dims=("sample", "state", "indicator"),
        coords={"state": list(names), "indicator": ["service", "tools"]},
    )  # fmt: skip


def cells(rows):
    return xr.DataArray(np.asarray(rows, dtype=float), dims=("customer", "indicator"))


def test_by_hand():
    members = filtered(np.random.default_rng(1), 1, 3)
    members[0] = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0.2, 0.8, 0]]
    own = cells([[0, 0], [1, 0], [np.nan, 0]])
    found = cross_selling([(members, own)], chance(1), least=0.2)
    np.testing.assert_array_equal(found["row"], [1, 2, 3, 1])
    np.testing.assert_allclose(found["mean"], [0.9, 0.45, 0.22, 0.2])
    assert list(found["indicator"].values) == ["service", "tools", "tools", "tools"]
    assert list(found["segment"].values) == ["premium", "premium", "basic", "premium"]
    assert found.attrs["unknown"] == 1


def test_blocks_make_one_list_and_owners_are_no_candidates():
    members = filtered(np.random.default_rng(1), 30, 8)
    own = cells(np.random.default_rng(2).integers(0, 2, (8, 2)))
    whole = cross_selling([(members, own)], chance(30), least=0.0)
    assert len(whole["row"]) == int((own == 0).sum())
    parts = [(members.isel(customer=p), own.isel(customer=p)) for p in (slice(0, 3), slice(3, 8))]
    xr.testing.assert_allclose(cross_selling(parts, chance(30), least=0.0), whole)
    assert len(cross_selling(parts, chance(30), least=0.0, most=2)["row"]) == 2
    assert np.all(np.diff(whole["mean"].values) <= 0.0)


def test_who_has_churned_buys_nothing():
    members = filtered(np.random.default_rng(1), 1, 1)
    members[0, 0] = [0.5, 0.0, 0.0, 0.5]
    found = cross_selling([(members, cells([[0, 1]]))], chance(1), least=0.0)
    np.testing.assert_allclose(found["mean"], [0.45])


def test_segments_of_a_mixture_serve_as_well():
    members = filtered(np.random.default_rng(1), 4, 5).isel(state=slice(0, 3))
    members = members.rename(state="segment").assign_coords(segment=[1, 2, 3])
    given = chance(4, names=(1, 2, 3)).rename(state="segment")
    found = cross_selling([(members, cells(np.zeros((5, 2))))], given, least=0.3)
    assert set(found["segment"].values) <= {"1", "2", "3"}


def test_the_probability_of_buying():
    rate = xr.DataArray([[0.3, 2.0]], dims=("sample", "segment"))
    shape = xr.DataArray([[1.5, 0.7]], dims=("sample", "segment"))
    np.testing.assert_allclose(
        bought("poisson", {"rate": rate}, exposure=2.0), stats.poisson.sf(0, 2.0 * rate)
    )
    expected = stats.nbinom.sf(0, shape, shape / (shape + rate))
    np.testing.assert_allclose(bought("negative_binomial", {"rate": rate, "shape": shape}),
                               expected)  # fmt: skip
    p = rate / 4.0
    assert bought("bernoulli", {"probability": p}) is p
    levels = xr.DataArray([[[0.2, 0.5, 0.3]]], dims=("sample", "segment", "size_level"),
                          coords={"size_level": ["none", "small", "large"]})  # fmt: skip
    found = bought("categorical", {"probability": levels}, nothing="none")
    np.testing.assert_allclose(found, 0.8)


def test_what_does_not_fit_is_refused_in_words():
    members, own = filtered(np.random.default_rng(1), 4, 5), cells(np.zeros((5, 2)))
    with pytest.raises(UsageError, match="Give at least one block of customers"):
        cross_selling([], chance(4))
    with pytest.raises(UsageError, match="Give the least probability"):
        cross_selling([(members, own)], chance(4), least=2.0)
    with pytest.raises(UsageError, match="Give one cell per customer and indicator"):
        cross_selling([(members, own[:3])], chance(4))
    with pytest.raises(UsageError, match="Give 1 for what a customer buys"):
        cross_selling([(members, own + 2.0)], chance(4))
    with pytest.raises(UsageError, match="Give members and probabilities of the same draws"):
        cross_selling([(members, own)], chance(3))
    with pytest.raises(UsageError, match="Give the probabilities of buying for"):
        cross_selling([(members, own)], chance(4, names=list("abc")))
    with pytest.raises(UsageError, match="Label the states of customers"):
        cross_selling([(members, own)], chance(4).drop_vars("state"))
    with pytest.raises(UsageError, match="Choose the family of the indicator out of"):
        bought("gaussian", {})
    with pytest.raises(UsageError, match="Name the level that stands for no purchase"):
        bought("categorical", {"probability": chance(2)})
