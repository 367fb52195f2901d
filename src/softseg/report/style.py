"""One look for all figures: colours, markers, hatches, fonts, labels and numbers.

The colours are those of Okabe and Ito (2008), told apart under every common form of colour
blindness, without their yellow, which is lost on white, and with three darker ones for more than
seven segments. Every segment has its own marker and hatch as well, so that a black-and-white
print loses nothing.
"""

import functools
import textwrap
import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from softseg.report.amounts import fixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00",
    "#56B4E9", "#000000", "#882255", "#7F7F7F", "#44AA99",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "oooo", "||||", "++++", "**")
LINES = ("-", "--", "-.", ":")

INK = "#1a1a1a"
SOFT = "#5f6670"
GRID = "#d9dde2"
BASE = "#8a9099"
GOOD, BAD = "#00664b", "#b3261e"

WIDTH = 9.0
"""Width of a page-wide figure in inches."""
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "softseg",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": BASE,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.5,
    "xtick.color": SOFT,
    "ytick.color": INK,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "text.color": INK,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.linewidth": 1.4,
    "lines.markersize": 5.0,
}
FALLBACK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "Yu Gothic", "PingFang SC",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Arial Unicode MS", "Segoe UI",
)  # fmt: skip
PAGE_FONTS = "'DejaVu Sans', Verdana, 'Segoe UI', Arial, sans-serif"

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """Let a figure be built under the package's settings, leaving the user's own untouched."""

    @functools.wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        import matplotlib

        with matplotlib.rc_context(_settings()):
            return draw(*args, **kwargs)

    return inside


def _settings() -> Any:
    return {**SETTINGS, "font.family": _fonts()}


@functools.cache
def _fonts() -> list[str]:
    # Only fonts that are there: matplotlib logs a warning for each one it cannot find.
    from matplotlib import font_manager

    there = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(font for font in FALLBACK_FONTS if font in there)]


def colour(segment: int) -> str:
    """Return the colour of a segment, counted from 0."""
    return COLOURS[segment % len(COLOURS)]


def marker(segment: int) -> str:
    """Return the marker of a segment, counted from 0."""
    return MARKERS[segment % len(MARKERS)]


def hatch(segment: int) -> str:
    """Return the hatch of a segment, counted from 0."""
    return HATCHES[segment % len(HATCHES)]


def wrapped(text: str, width: int, lines: int = 2) -> str:
    """Return text broken after about `width` characters, cut with an ellipsis after `lines`."""
    parts = textwrap.wrap(text, width) or [text]
    if len(parts) > lines:
        parts = [
            *parts[: lines - 1],
            textwrap.shorten(parts[lines - 1], width - 1, placeholder="") + "…",
        ]
    return "\n".join(parts)


def wrapped_all(texts: Sequence[str], width: int, lines: int = 2) -> list[str]:
    """Return several texts wrapped."""
    return [wrapped(text, width, lines) for text in texts]


def number_axis(axis: Any, language: str, ticks: int = 4, suffix: str = "") -> None:
    """Give an axis a few ticks, written with the language's decimal mark."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    locator = MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10])
    axis.set_major_locator(locator)

    def write(x: float, _position: int | None = None) -> str:
        step = _step(axis.get_majorticklocs())
        return fixed(x, max(0, min(6, _decimals(step))), language) + suffix

    axis.set_major_formatter(FuncFormatter(write))


def _step(ticks: Any) -> float:
    return float(ticks[1] - ticks[0]) if len(ticks) > 1 else 1.0


def _decimals(step: float) -> int:
    decimals = 0
    while decimals < 6 and abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return decimals


def plain(axes: "Axes", grid: str = "x") -> None:
    """Take the frame off an axes, leaving a light grid in one direction."""
    for side in ("left", "right", "top") if grid == "x" else ("right", "top"):
        axes.spines[side].set_visible(False)
    axes.grid(True, axis=grid)  # type: ignore[arg-type]


def to_svg(figure: "Figure", key: str, title: str) -> str:
    """Return a figure as an SVG element to stand in a page, the same bytes for the same figure.

    Parameters
    ----------
    figure
        The figure.
    key
        Prefix of the element ids, so that two figures of a page do not share one.
    title
        What a screen reader says.
    """
    import matplotlib

    stream = BytesIO()
    with matplotlib.rc_context(_settings()), warnings.catch_warnings():
        # A glyph missing here is there in the browser's fonts: the text goes out as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return _embedded(stream.getvalue(), key, title)


def _embedded(svg: bytes, key: str, title: str) -> str:
    from defusedxml.ElementTree import fromstring

    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = fromstring(svg)
    for child in list(root):
        if child.tag == f"{{{SVG}}}metadata":
            root.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style":
                parent.remove(child)
    _rename_ids(root, key)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-label", title)
    return ElementTree.tostring(root, encoding="unicode")


def _rename_ids(root: ElementTree.Element, key: str) -> None:
    text = [(e, a) for e in root.iter() for a in e.attrib]
    used = {
        e.attrib[a].split("#", 1)[1].split(")")[0]
        for e, a in text
        if "#" in e.attrib[a] and (a.endswith("href") or "url(#" in e.attrib[a])
    }
    for element, attribute in text:
        value = element.attrib[attribute]
        if attribute == "id":
            if value in used:
                element.set("id", f"{key}-{value}")
            else:
                del element.attrib["id"]
        elif attribute.endswith("href") and value.startswith("#"):
            element.set(attribute, f"#{key}-{value[1:]}")
        elif "url(#" in value:
            element.set(attribute, value.replace("url(#", f"url(#{key}-"))
