import numpy as np
import pytest
from sklearn.decomposition import PCA

from results.worlds import world
from softseg.report.figures.study_map import ellipse, segment_map
from softseg.report.study.plane import Plane, plane
from softseg.report.style import to_svg
from softseg.results.tree import values_from_tree
from study_findings import tree

NAMES = ("1 Alpha", "2 Beta", "3 Gamma")


def test_the_ellipse_holds_nine_of_ten_draws() -> None:
    rng = np.random.default_rng(1)
    draws = rng.multivariate_normal([3.0, -1.0], [[4.0, 1.5], [1.5, 1.0]], 20_000)
    outline = ellipse(draws, draws.mean(axis=0))
    inverse = np.linalg.inv(np.cov(draws.T))
    away = draws - draws.mean(axis=0)
    distance = np.einsum("ij,jk,ik->i", away, inverse, away)
    edge = outline - draws.mean(axis=0)
    on_it = np.einsum("ij,jk,ik->i", edge, inverse, edge)
    np.testing.assert_allclose(on_it, on_it[0], rtol=1e-9)
    assert (distance < on_it[0]).mean() == pytest.approx(0.9, abs=0.01)


def test_components_are_those_of_scikit_learn() -> None:
    found = plane(_gaussian())
    assert found is not None
    assert found.kind == "pca"
    values = values_from_tree(_gaussian())
    share = values.share
    columns = []
    for parameters in values.indicators.values():
        mean, sd = parameters["mean"], parameters["sd"]
        base = (share * mean).sum(axis=1, keepdims=True)
        whole = (share * (sd**2 + (mean - base) ** 2)).sum(axis=1, keepdims=True)
        columns.append(((mean - base) / np.sqrt(whole)).mean(axis=0))
    table = np.stack(columns, axis=1)
    often = np.round(share.mean(axis=0) * 100_000).astype(int)  # weights by repetition
    reference = PCA(2).fit(np.repeat(table, often, axis=0))
    expected = reference.transform(table)
    for axis in (0, 1):
        sign = np.sign(expected[0, axis] * found.points[0, axis])
        np.testing.assert_allclose(found.points[:, axis], sign * expected[:, axis], atol=1e-3)
    np.testing.assert_allclose(found.explained, reference.explained_variance_ratio_, atol=1e-3)


def _gaussian():  # type: ignore[no-untyped-def]
    return world({"a": "gaussian", "b": "gaussian"}, n=60, seed=2).tree


def test_categories_are_mapped_by_correspondence_analysis() -> None:
    found = plane(tree(categories=True))
    assert found is not None
    assert found.kind == "correspondence"
    values = values_from_tree(tree(categories=True))
    kind = values.indicators["kind"]["probability"].mean(axis=0)
    online = values.indicators["online"]["probability"].mean(axis=0)
    table = np.concatenate([kind, np.stack([1 - online, online], axis=1)], axis=1)
    table = values.share.mean(axis=0)[:, None] * table
    profile = table / table.sum(axis=1, keepdims=True)
    mass = table.sum(axis=0) / table.sum()
    # three segments span a plane, so that all distances in it are chi-squared distances
    for i, j in ((0, 1), (0, 2), (1, 2)):
        chi2 = np.sqrt(((profile[i] - profile[j]) ** 2 / mass).sum())
        assert np.linalg.norm(found.points[i] - found.points[j]) == pytest.approx(chi2, rel=1e-6)
    assert found.explained.sum() == pytest.approx(1.0)
    assert any(label.startswith("kind: ") for label in found.more[0] + found.less[0])


def test_draws_scatter_around_the_points() -> None:
    found = plane(tree())
    assert found is not None
    spread = found.draws.std(axis=0)
    away = np.abs(found.draws.mean(axis=0) - found.points)
    assert (away < 0.5 * spread + 1e-3).all()
    assert (spread[:, 0] > 0).all()


def test_one_segment_has_no_map() -> None:
    assert plane(world({"a": "gaussian", "b": "gaussian"}, share=(1.0,), n=30).tree) is None


def test_only_shown_segments_are_drawn_and_the_axes_say_what_grows() -> None:
    found = plane(tree())
    assert found is not None
    drawn = to_svg(segment_map(found, NAMES, [0, 2], "de"), "map", "Karte")
    assert "1 Alpha" in drawn
    assert "3 Gamma" in drawn
    assert "2 Beta" not in drawn
    assert "der Unterschiede zwischen den Segmenten" in drawn
    assert "→" in drawn


def test_names_do_not_cover_each_other() -> None:
    points = np.zeros((3, 2)) + np.array([[0.0], [0.001], [0.002]])
    near = Plane("pca", points, points + 0.01 * np.random.default_rng(1).normal(size=(50, 3, 2)),
                 np.array([0.9, 0.1]), (("a",), ()), ((), ("b",)))  # fmt: skip
    figure = segment_map(near, NAMES, [0, 1, 2])
    heights = sorted(t.get_position()[1] for t in figure.axes[0].texts)
    low, high = figure.axes[0].get_ylim()
    assert np.diff(heights).min() > 0.03 * (high - low)
    assert heights[-1] < high
