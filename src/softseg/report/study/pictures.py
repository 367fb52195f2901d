"""Which numbers go into which figure of the report of a study."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from softseg.report import style
from softseg.report.roi import pictures as roi_pictures
from softseg.report.study.facts import StudyFacts
from softseg.report.study.moves import customers_figure, transition_figure
from softseg.report.study.tables import capital
from softseg.report.study.withheld import key_of
from softseg.wording import say

MAX_PANELS: Final = 9
"""Indicators in the figure of the profiles; the table below it has all."""
OF_THE_WHOLE: Final[dict[str, Callable[[Any], Any]]] = {
    "bridge": roi_pictures.bridge,
    "fan": roi_pictures.fan,
    "density": roi_pictures.density,
    "needed": roi_pictures.needed,
    "tornado": roi_pictures.tornado,
    "evidence": roi_pictures.evidence,
}


def all_of(facts: StudyFacts) -> dict[str, Any]:
    """Return every figure of the page as SVG by name, "" where there is nothing to draw."""
    found: dict[str, Any] = dict.fromkeys(NAMES, "")
    if not facts.passed:
        return found
    found |= {name: _svg(facts, draw(facts), name) for name, draw in OF_SEGMENTS.items()}
    if facts.money_shown:
        found |= {
            name: _embedded(draw(facts.roi), name, facts.roi.say(f"{name}.alt"))
            for name, draw in OF_THE_WHOLE.items()
        }
        found |= {name: _svg(facts, draw(facts), name) for name, draw in OF_MONEY.items()}
    return found


def _svg(facts: StudyFacts, figure: Any, name: str) -> Any:
    return _embedded(figure, name, facts.say(f"alt.{name}"))


def _embedded(figure: Any, name: str, title: str) -> Any:
    from markupsafe import Markup

    # Matplotlib escapes the texts of a figure itself, and `to_svg` has parsed the result.
    return Markup(style.to_svg(figure, f"study-{name}", title)) if figure else ""  # noqa: S704


def _has_segments(facts: StudyFacts, least: int = 1) -> bool:
    """Return whether enough segments are shown, and figures number them rightly."""
    return len(facts.withheld.shown) >= least and facts.withheld.in_order


def sizes(facts: StudyFacts) -> Any:
    """Return shares of customers and of value."""
    from softseg.report.figures.sizes import sizes as draw

    return draw(facts.seen.tree, facts.language) if _has_segments(facts, 2) else None


def concentration(facts: StudyFacts) -> Any:
    """Return what the most valuable customers bring."""
    from softseg.report.figures.sizes import concentration as draw

    return draw(facts.seen.tree, facts.language) if _has_segments(facts) else None


def certainty(facts: StudyFacts) -> Any:
    """Return how sure the memberships are."""
    from softseg.report.figures.certainty import certainty as draw

    seen = facts.seen
    # Without whole groups the bars would say too much: only customers that fit none may be missing.
    hidden = facts.withheld.verdicts[:2, facts.withheld.shown]
    enough = _has_segments(facts, 2) and not hidden.any()
    return draw(seen.tree, facts.language) if enough else None


def segment_map(facts: StudyFacts) -> Any:
    """Return where the segments lie."""
    from softseg.report.figures.study_map import segment_map as draw
    from softseg.report.study.plane import plane

    if len(facts.withheld.shown) < 2:
        return None
    found = plane(facts.every.tree, facts.language)
    if found is None:
        return None
    return draw(found, facts.every.numbered_names, facts.withheld.shown, facts.language)


def profiles(facts: StudyFacts) -> Any:
    """Return the profiles."""
    from softseg.report.figures.profiles import profiles as draw

    if not _has_segments(facts) or not facts.seen.lines:
        return None
    masks = facts.withheld.lines
    told = [
        line.indicator
        for line in facts.seen.headlines
        if not masks[key_of(line)][facts.withheld.shown].all()
    ]
    return draw(facts.seen.tree, facts.language, told, MAX_PANELS) if told else None


def years(facts: StudyFacts) -> Any:
    """Return what each segment brings by year."""
    from softseg.report.figures.study_years import Path
    from softseg.report.figures.study_years import years as draw

    found = facts.part("by_segment")
    if found is None:
        return None
    paths = [
        Path(facts.numbered(k), k - 1, _by_year(found["profit"].sel(segment=k)))
        for k in facts.treated
    ]
    if not facts.alone:
        paths.append(Path(facts.say("years.shared"), None, _by_year(found["shared_profit"])))
    known = facts.roi.assumptions
    return draw(paths, known.currency, facts.language, known.first_year)


def _by_year(quantiles: Any) -> Any:
    return quantiles.transpose("year", "quantile").sortby("quantile").to_numpy()


def choices(facts: StudyFacts) -> Any:
    """Return what treating each segment is worth, and its rank."""
    from softseg.report.figures.study_choices import Choice
    from softseg.report.figures.study_choices import choices as draw

    found = facts.part("choices")
    if found is None or not facts.treated:
        return None
    rows = [
        Choice(
            facts.numbered(k),
            found["npv"].sel(segment=k).sortby("quantile").to_numpy(),
            float(found["mean_npv"].sel(segment=k)),
            found["p_rank"].sel(segment=k).to_numpy(),
        )
        for k in sorted(facts.treated, key=lambda k: -float(found["mean_npv"].sel(segment=k)))
    ]
    return draw(rows, facts.roi.currency, facts.language)


def split(facts: StudyFacts) -> Any:
    """Return where the band comes from."""
    from softseg.report.figures.study_split import Part
    from softseg.report.figures.study_split import split as draw

    found = facts.part("split")
    if found is None or not np.isfinite(found["share"].to_numpy()).all():
        return None
    parts = [
        Part(
            capital(say(f"split.block.{block}", facts.language)),
            float(found["share"].sel(block=block)),
            float(found["share_error"].sel(block=block)),
        )
        for block in map(str, found["block"].values)
    ]
    return draw(parts, facts.language)


def number(facts: StudyFacts) -> Any:
    """Return the number of segments in money."""
    from softseg.report.figures.study_number import number as draw

    found = facts.part("number")
    if found is None or found.sizes["n_segments"] < 2:
        return None
    return draw(found, facts.roi.currency, facts.language)


OF_SEGMENTS: Final[dict[str, Callable[[StudyFacts], Any]]] = {
    "sizes": sizes,
    "certainty": certainty,
    "map": segment_map,
    "profiles": profiles,
    "concentration": concentration,
}
OF_MONEY: Final[dict[str, Callable[[StudyFacts], Any]]] = {
    "years": years,
    "choices": choices,
    "split": split,
    "number": number,
    "moves": transition_figure,
    "customers": customers_figure,
}
NAMES: Final = (*OF_SEGMENTS, *OF_THE_WHOLE, *OF_MONEY)
