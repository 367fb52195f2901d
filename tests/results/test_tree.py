import json

import numpy as np
import pytest
import xarray as xr

from results.worlds import World
from softseg.errors import UsageError
from softseg.results.membership import segment_coordinates
from softseg.results.tree import (
    posterior_of,
    posterior_tree,
    rename_segments,
    schema_from_tree,
    segment_names,
    values_from_tree,
)


def test_variables_are_named_and_shaped_as_agreed(mixed: World):
    posterior = mixed.tree["posterior"]
    assert posterior["share"].dims == ("chain", "draw", "segment")
    assert posterior["industry__probability"].dims == (
        "chain", "draw", "segment", "industry_level",
    )  # fmt: skip
    assert list(posterior["industry_level"].values) == ["a", "b", "c"]
    assert list(posterior["segment"].values) == [1, 2, 3]
    assert list(posterior["segment_name"].values) == ["Größte", "Mittlere", "Übrige"]
    assert mixed.tree["sample_stats"]["log_likelihood"].dims == ("chain", "draw")
    assert json.loads(mixed.tree.attrs["versions"]) == {"a": "1"}
    assert set(mixed.tree.children) >= {"membership", "sizes", "profile"}


def test_values_come_back_as_they_were(mixed: World):
    back, given = values_from_tree(mixed.tree), mixed.values
    np.testing.assert_array_equal(back.share, given.share)
    for indicator, parameters in given.indicators.items():
        for name, array in parameters.items():
            np.testing.assert_array_equal(back.indicators[indicator][name], array)


def test_schema_comes_back_as_it_was(mixed: World):
    assert schema_from_tree(mixed.tree) == mixed.schema


def test_texts_among_the_sample_stats_are_left_out(mixed: World):
    shape = mixed.draws.share.shape[:2]
    stats = {"energy": np.zeros(shape), "divergence_message": np.full(shape, "x", dtype=object)}
    tree = posterior_tree(mixed.draws, mixed.schema, sample_stats=stats)
    assert set(tree["sample_stats"].data_vars) == {"energy"}


def test_arviz_reads_the_tree(mixed: World):
    import arviz as az

    summary = az.summary(mixed.tree, var_names=["share", "amount__mean"], round_to="none")
    assert len(summary) == 6
    np.testing.assert_allclose(summary["mean"][:3], mixed.values.share.mean(axis=0))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_arviz_plots_the_tree(mixed: World):
    import arviz as az
    import matplotlib as mpl

    mpl.use("agg")
    plot = az.plot_trace(mixed.tree, var_names=["share"], backend="matplotlib")
    assert plot.viz is not None
    mpl.pyplot.close("all")


def test_renamed_segments_travel_everywhere(mixed: World):
    tree = mixed.tree.copy(deep=True)
    rename_segments(tree, ["x", "y", "z"])
    for group in ("posterior", "membership", "sizes", "profile"):
        assert list(tree[group]["segment_name"].values) == ["x", "y", "z"], group
    assert segment_names(tree) == ["x", "y", "z"]
    assert schema_from_tree(tree).segment_names == ["x", "y", "z"]
    assert tree["membership"].attrs == mixed.tree["membership"].attrs
    assert segment_names(mixed.tree) == ["Größte", "Mittlere", "Übrige"]


def test_segments_without_names_are_called_by_their_numbers(one_segment: World):
    assert segment_names(one_segment.tree) == ["1"]


def test_a_wrong_number_of_names_is_refused():
    with pytest.raises(UsageError, match="Give one name per segment: expected 3, got 2 names"):
        segment_coordinates(3, ["a", "b"])


def test_trees_of_others_are_refused():
    with pytest.raises(UsageError, match="it has no schema"):
        schema_from_tree(xr.DataTree())
    with pytest.raises(UsageError, match="it has no group of draws"):
        posterior_of(xr.DataTree())
