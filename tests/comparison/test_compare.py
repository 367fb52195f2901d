import numpy as np
import pytest
import xarray as xr

from results.worlds import World, world
from softseg.comparison import hard
from softseg.comparison.compare import Comparison, compare
from softseg.results.storage import load, save


@pytest.fixture(scope="module")
def found(mixed: World) -> Comparison:
    return compare(mixed.tree, mixed.table, mixed.statistics, np.random.default_rng(4))


def test_summary_has_the_figures_of_the_report(found: Comparison):
    summary = found.summary()
    assert set(summary) == {"kmeans", "ward"}
    for figures in summary.values():
        for index in ("ari", "vi", "binder", "torn_pairs"):
            assert figures[index]["lower"] <= figures[index]["mean"] <= figures[index]["upper"]
        assert 0 <= figures["torn"] <= figures["customers"] == 150
        assert 0 < figures["forced"] < 150


def test_the_dendrogram_has_a_segment_for_every_leaf(found: Comparison, mixed: World):
    linkage, segments = found.dendrogram()
    assert len(linkage) + 1 == len(segments)
    np.testing.assert_array_equal(segments, mixed.tree["membership"]["top"])


def test_the_comparison_can_be_stored(found: Comparison, mixed: World, tmp_path):
    tree = mixed.tree.copy(deep=True)
    tree["comparison"] = xr.DataTree(found.dataset())
    save(tree, tmp_path / "a.nc")
    back = load(tmp_path / "a.nc")["comparison"]
    xr.testing.assert_identical(back.to_dataset(), found.dataset())
    assert back["label"].dims == ("method", "customer")
    assert back["cross"].sizes == {"method": 2, "cluster": 3, "segment": 3}


def test_the_same_generator_gives_the_same_comparison(found: Comparison, mixed: World):
    again = compare(mixed.tree, mixed.table, mixed.statistics, np.random.default_rng(4))
    assert again.summary() == found.summary()


def test_customers_that_ward_did_not_see_have_no_label(
    mixed: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hard, "WARD_CUSTOMERS", 40)
    cut = compare(mixed.tree, mixed.table, mixed.statistics, np.random.default_rng(4))
    assert int((cut.labels["ward"] > 0).sum()) == 40
    assert cut.summary()["ward"]["customers"] == 40
    assert cut.dataset()["label"].sel(method="ward").values.min() == 0


def test_one_segment_agrees_with_one_cluster():
    single = world({"amount": "gaussian", "online": "bernoulli"}, share=(1.0,), n=30)
    found = compare(single.tree, single.table, single.statistics, np.random.default_rng(0))
    for figures in found.summary().values():
        assert figures["ari"]["mean"] == 1.0
        assert figures["vi"]["mean"] == 0.0
        assert figures["torn"] == 0.0
