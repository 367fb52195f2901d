import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy.cluster import hierarchy

from softseg.errors import UsageError
from softseg.report.facts import Facts
from softseg.report.figures.alluvial import alluvial
from softseg.report.figures.certainty import certainty, curve
from softseg.report.figures.choice import choice
from softseg.report.figures.dendrogram import dendrogram, layout
from softseg.report.figures.profiles import profiles
from softseg.report.figures.ranks import rank_curves, ranks, worst_quantities
from softseg.report.figures.sizes import concentration, sizes

LONG = "A very long name of a segment that nobody would give but somebody will, again and again"


def texts(figure: Any) -> str:
    figure.savefig(BytesIO(), format="svg")
    found = [t.get_text() for t in figure.findobj(matplotlib.text.Text)]
    return "\n".join(found)


def boxes(figure: Any) -> list[tuple[str, Any]]:
    """Return every text that is drawn, with its box in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    found = [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts())]
    for axes in figure.axes:
        if not axes.axison:
            continue
        legend = axes.get_legend()
        found += [*axes.texts, axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
        found += legend.get_texts() if legend else []
        # Ticks beyond the limits exist but are not drawn.
        found += [t.label1 for axis in (axes.xaxis, axes.yaxis) for t in axis._update_ticks()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in found if t.get_text().strip()]


def overlapping(figure: Any) -> list[tuple[str, str]]:
    """Return pairs of texts whose boxes overlap clearly."""
    drawn = boxes(figure)
    found = []
    for i, (a, box) in enumerate(drawn):
        for b, other in drawn[i + 1 :]:
            wide = min(box.x1, other.x1) - max(box.x0, other.x0)
            high = min(box.y1, other.y1) - max(box.y0, other.y0)
            if wide > 1 and high > 1:
                found.append((a, b))
    return found


def outside(figure: Any) -> list[str]:
    """Return texts that leave the figure."""
    page = figure.bbox
    return [
        text
        for text, box in boxes(figure)
        if box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1
    ]


@pytest.mark.parametrize("draw", [profiles, sizes, certainty, concentration, ranks])
def test_no_text_overlaps_or_leaves_the_figure(tree: xr.DataTree, draw: Callable[..., Any]) -> None:
    figure = draw(tree, "de")  # German words are the longer ones
    assert overlapping(figure) == []
    assert outside(figure) == []


@pytest.mark.parametrize("draw", [profiles, sizes, certainty])
def test_ten_segments_with_long_names_stay_readable(
    make_tree: Callable[..., xr.DataTree], draw: Callable[..., Any]
) -> None:
    names = tuple(f"{LONG} {k}" for k in range(10))
    figure = draw(make_tree(names=names, n_segments=10), "en")
    assert overlapping(figure) == []
    assert outside(figure) == []


def test_forty_indicators_make_one_figure(make_tree: Callable[..., xr.DataTree]) -> None:
    figure = profiles(make_tree(copies=4), "en", limit=40)
    assert len(figure.axes) == 40
    assert figure.get_size_inches()[1] < 40


def test_only_asked_indicators_are_drawn(tree: xr.DataTree) -> None:
    figure = profiles(tree, "en", indicators=["orders", "industry"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Orders", "Industry"]


def test_names_with_dollars_are_not_read_as_formulas(
    make_tree: Callable[..., xr.DataTree],
) -> None:
    names = ("$\\frac{1}{2 $", "a_b^c", "$x$", "100 %")
    tree = make_tree(names=names, labels={"orders": "$\\bad{ order_s"})
    assert "$\\frac{1}{2" in texts(sizes(tree)).replace("\n", " ")
    assert "$\\bad{ order_s" in texts(profiles(tree, indicators=["orders"]))


def test_settings_of_the_user_stay_as_they_were(tree: xr.DataTree) -> None:
    before = dict(matplotlib.rcParams)
    sizes(tree)
    assert dict(matplotlib.rcParams) == before


def test_axes_use_the_decimal_comma(tree: xr.DataTree) -> None:
    assert "5.000" in texts(profiles(tree, "de", indicators=["order_value"]))
    assert "5,000" in texts(profiles(tree, "en", indicators=["order_value"]))
    assert "0,5" in texts(ranks(tree, "de", 1))


def test_small_segments_are_marked(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    few = tree["sizes"].to_dataset()
    few["customers_mean"] = few["customers_mean"].copy(data=[9.0, 400.0, 400.0, 391.0])
    tree["sizes"] = xr.DataTree(few)
    assert "1 Premium partners †" in texts(profiles(tree, limit=1))


def test_the_curve_falls_and_bounds_hold_the_mean(tree: xr.DataTree) -> None:
    x, middle, low, high = curve(Facts(tree))
    assert (np.diff(middle) <= 1e-12).all()
    assert ((low <= middle) & (middle <= high)).all()
    assert (np.diff(x) > 0).all()
    assert middle.mean() == pytest.approx(
        100 * float(tree["membership"]["mean"].max("segment").mean())
    )


def test_concentration_is_left_out_where_it_is_unknown(
    make_tree: Callable[..., xr.DataTree],
) -> None:
    tree = make_tree()
    tree["sizes"] = xr.DataTree(tree["sizes"].to_dataset().drop_vars("concentration"))
    assert concentration(tree) is None


# --- choice ----------------------------------------------------------------------------------


def choices() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "n_segments": [1, 2, 3, 4],
            "bic": [64000.0, 63000.0, 62500.0, 62400.0],
            "icl": [64000.0, 63100.0, 62700.0, 62800.0],
            "elpd_loo": [-32000.0, -31500.0, -31200.0, -31100.0],
            "elpd_loo_se": [90.0] * 4,
            "entropy_r2": [np.nan, 0.97, 0.95, 0.9],
            "gate_status": ["good", "good", "good", "failed"],
        }
    )


def test_choice_shows_what_there_is_and_marks_the_recommendation() -> None:
    figure = choice(choices(), "en", 3)
    assert overlapping(figure) == []
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 4
    text = texts(figure)
    assert "Band: the recommended number, 3." in text
    assert "Hollow" in text
    assert "Hollow" not in texts(choice(choices()[:3], "en"))


# --- alluvial --------------------------------------------------------------------------------


def test_the_ways_of_the_customers_fill_every_bar() -> None:
    flows = [
        np.array([[200.0, 100.0]]),
        np.array([[190.0, 0.0, 10.0], [5.0, 55.0, 40.0]]),
    ]
    figure = alluvial(flows, [1, 2, 3], "en", 2)
    (axes,) = figure.axes
    heights = [patch.get_height() for patch in axes.patches if patch.get_width() < 0.2]
    assert sum(heights) == pytest.approx(3.0)
    assert len(axes.collections) == 7
    dark = [c for c in axes.collections if c.get_alpha() > 0.5]
    assert len(dark) == 2, "segment 1 of two stays as it is, and it has two ways"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "3"]


# --- ranks -----------------------------------------------------------------------------------


def test_chains_that_agree_stay_within_the_band() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(200):
        _, difference, half = rank_curves(rng.normal(size=(4, 400)))
        inside += bool((np.abs(difference) <= half).all())
    assert inside / 200 == pytest.approx(0.95, abs=0.05)


def test_a_chain_elsewhere_leaves_the_band_and_comes_first(
    make_tree: Callable[..., xr.DataTree],
) -> None:
    tree = make_tree()
    rng = np.random.default_rng(0)
    posterior = tree["posterior"].to_dataset()
    for name in posterior.data_vars:
        posterior[name] = posterior[name].copy(data=rng.normal(size=posterior[name].shape))
    posterior["orders__rate"][0, :, 2] += 3.0
    tree["posterior"] = xr.DataTree(posterior)
    name, draws = worst_quantities(Facts(tree), 3)[0]
    assert name == "Orders (rate), segment 3"
    at, difference, half = rank_curves(draws)
    assert (np.abs(difference[0]) > half).any()
    assert at.shape == half.shape == difference.shape[1:]


def test_constant_draws_need_no_rank_plot(make_tree: Callable[..., xr.DataTree]) -> None:
    tree = make_tree()
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset()[["share"]] * 0.0 + 0.25)
    tree["sample_stats"] = xr.DataTree(tree["sample_stats"].to_dataset() * 0.0)
    assert worst_quantities(Facts(tree), 6) == []
    assert ranks(tree).axes


# --- dendrogram ------------------------------------------------------------------------------


def test_the_layout_equals_scipys() -> None:
    rng = np.random.default_rng(5)
    linkage = hierarchy.linkage(rng.normal(size=(40, 3)), "ward")
    order, centre, span = layout(linkage)
    expected = hierarchy.dendrogram(linkage, no_plot=True)
    assert order.tolist() == expected["leaves"]
    tops = {
        (round(d[1], 9), round((i[1] + i[2]) / 2 / 10 - 0.5, 9))
        for i, d in zip(expected["icoord"], expected["dcoord"], strict=True)
    }
    ours = {(round(h, 9), round(c, 9)) for h, c in zip(linkage[:, 2], centre[40:], strict=True)}
    assert ours == tops
    assert span[-1].tolist() == [0.0, 39.0]


def test_a_large_tree_has_few_artists_and_a_row_per_segment() -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(1500, 2))
    linkage = hierarchy.linkage(points, "ward")
    segments = rng.integers(1, 4, 1500)
    figure = dendrogram(linkage, segments, ["1 A", "2 B", "3 C"], "de")
    assert len(figure.findobj(matplotlib.collections.Collection)) < 10
    assert "1500 Kunden" in texts(figure)
    assert overlapping(figure) == []


def test_a_dendrogram_of_other_customers_is_refused() -> None:
    with pytest.raises(UsageError, match="expected 3, got 4"):
        dendrogram(np.array([[0, 1, 1.0, 2], [2, 3, 2.0, 3]]), [1, 1, 2, 2], ["a", "b"])


def test_figures_warn_of_nothing(tree: xr.DataTree) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for draw in (sizes, certainty, ranks):
            draw(tree, "de").savefig(BytesIO(), format="svg")
