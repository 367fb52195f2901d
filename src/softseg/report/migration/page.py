"""The report of a panel as one offline HTML file, for analysts and for controllers."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from softseg.inference.verdicts import explain
from softseg.names import CHURNED, HORIZON, PERIOD, STATE, STATE_TO
from softseg.report import style, tables
from softseg.report.facts import Facts, clean
from softseg.report.migration import text
from softseg.report.migration.rows import matrix_rows, projection_rows, sensitivity_rows, stay_rows
from softseg.report.templating import template
from softseg.results.files import replace_file
from softseg.results.migration.projection import projection
from softseg.results.migration.survival import survival

HORIZON_SHOWN: Final = 12
"""Periods that the report looks ahead."""
MOST_COLUMNS: Final = 7
"""Periods of the figure of ways; more would be threads."""
MAX_PANELS: Final = 12
STREAM: Final = 11
GLOSSARY: Final = ("customer", "indicator", "segment", "interval", "draw", "gate", "rhat", "ess")
OWN_GLOSSARY: Final = ("state", "churned", "transition", "panel", "process", "smoothed")


def write_migration_report(
    tree: xr.DataTree,
    path: Path | str,
    language: str = "en",
    figures: dict[str, str] | None = None,
) -> Path:
    """Write the report of a panel as one HTML file and return its path.

    Parameters
    ----------
    tree
        From `softseg.results.migration.assemble.assemble_migration`.
    path
        File to write; it is replaced at once or not at all.
    language
        ``en`` or ``de``.
    figures
        Takes the figures of the page as SVG by name, for files of their own.

    Raises
    ------
    FileError
        Where the file cannot be written.
    """
    page = render(tree, language, figures)
    replace_file(path, page.encode("utf-8"), language)
    return Path(path)


def render(tree: xr.DataTree, language: str = "en", figures: dict[str, str] | None = None) -> str:
    """Return the report as HTML; see `write_migration_report`."""
    facts = Facts(tree, language)
    failed = facts.diagnosis.failed if facts.diagnosis is not None else ()
    context: dict[str, Any] = {
        "language": language,
        "say": facts.say,
        "fonts": style.PAGE_FONTS,
        "facts": facts,
        "passed": facts.passed,
        "failed": [explain(check, language, facts.labels()) for check in failed],
        "warnings": facts.diagnosis.warnings(language) if facts.diagnosis is not None else [],
        "gate": tables.gate_rows(facts),
        "title": facts.say("migration.report.title"),
        "subtitle": text.subtitle(facts),
        "panel_lines": text.panel_lines(facts),
        "churn_line": text.churn_line(facts),
        "prior_line": text.prior_line(facts),
        "glossary": _glossary(facts),
        "record": text.record(facts),
    }
    drawn: dict[str, Any] = {}
    if facts.passed:
        context |= _moves(facts, drawn) | _ahead(facts, drawn) | _profiles(facts, drawn)
        context["findings"] = text.findings(facts, context["ahead"], context["stays"])
    context["figures"] = drawn
    if figures is not None:
        figures.update({name: str(svg) for name, svg in drawn.items() if svg})
    return template("migration.html").render(context)


def _moves(facts: Facts, drawn: dict[str, Any]) -> dict[str, Any]:
    """Return where customers go, and how the segments stood over the periods."""
    from softseg.report.figures.migration_alluvial import migration_alluvial
    from softseg.report.figures.migration_transitions import transition_map

    found = facts.tree["transition"].to_dataset()
    occupancy = facts.tree["occupancy"].to_dataset()
    drawn["transitions"] = _svg(facts, transition_map(found, facts.language), "transitions")
    flows, periods = merged_periods(occupancy)
    if len(periods) > 1:
        figure = migration_alluvial(flows, periods, facts.language)
        drawn["ways"] = _svg(facts, figure, "ways")
    head, rows = matrix_rows(found, facts.language)
    return {"matrix_head": head, "matrix": rows, "stay": stay_rows(found, facts.language)}


def merged_periods(occupancy: xr.Dataset) -> tuple[xr.DataArray, list[str]]:
    """Return moves between a few periods, (step, state, state_to), and the periods' labels.

    Moves over several periods are those of the mean customer: the product of the moves within
    them, each as shares of the customers it starts with.
    """
    moves = occupancy["moves"].transpose(PERIOD, STATE, STATE_TO)
    labels = [str(label) for label in occupancy[PERIOD].values]
    stops = np.unique(np.round(np.linspace(0, len(labels) - 1, MOST_COLUMNS)).astype(int))
    customers = occupancy["mean"].transpose(PERIOD, STATE).values
    n = customers.shape[1]
    steps = []
    for first, last in pairwise(stops):
        through = np.eye(n)
        for t in range(first + 1, last + 1):
            table = moves.values[t]
            total = table.sum(axis=1, keepdims=True)
            through = through @ np.where(total > 0.0, table / np.maximum(total, 1e-300), np.eye(n))
        steps.append(customers[first][:, None] * through)
    coords = {STATE: moves[STATE].values, STATE_TO: moves[STATE].values}
    flows = xr.DataArray(np.array(steps), dims=("step", STATE, STATE_TO), coords=coords)
    return flows, [labels[stop] for stop in stops]


def _ahead(facts: Facts, drawn: dict[str, Any]) -> dict[str, Any]:
    """Return what lies ahead: customers per state, survival, sensitivity."""
    from softseg.report.figures.migration_fan import migration_fan
    from softseg.report.figures.migration_survival import migration_survival

    present = facts.tree["present"].to_dataset()
    transition = present["transition"]
    rng = np.random.default_rng([int(facts.tree.attrs["seed"]), STREAM])
    ahead = projection(transition, present["lots"], horizon=HORIZON_SHOWN, rng=rng)
    drawn["fan"] = _svg(facts, migration_fan(ahead, language=facts.language), "fan")
    churns = str(transition[STATE].values[-1]) == CHURNED
    stays = survival(transition, horizon=2 * HORIZON_SHOWN) if churns else None
    if stays is not None:
        drawn["survival"] = _svg(facts, migration_survival(stays, facts.language), "survival")
    head, rows = projection_rows(ahead, facts.language)
    beliefs = facts.group("sensitivity")
    shown = facts.attribute("churn") in ("silent", "inactivity") and beliefs is not None
    return {
        "ahead": ahead,
        "stays": stays,
        "projection_head": head,
        "projection": rows,
        "mix": text.mix_line(facts, stays),
        "sensitivity": sensitivity_rows(beliefs, facts.language) if shown else [],
        "horizon": int(ahead[HORIZON].values[-1]),
    }


def _profiles(facts: Facts, drawn: dict[str, Any]) -> dict[str, Any]:
    from softseg.report.figures.profiles import profiles

    figure = profiles(facts.tree, facts.language, limit=MAX_PANELS)
    drawn["profiles"] = _svg(facts, figure, "profiles")
    verdict = facts.fit_verdict
    if verdict is None:
        return {"fit_text": facts.say("migration.report.unjudged"), "advice": []}
    names = list(facts.segment_names)
    return {
        "fit_text": verdict.text(facts.language),
        "advice": verdict.advice(facts.language, names, facts.labels()),
    }


def _glossary(facts: Facts) -> list[tuple[str, str]]:
    shared = [(f"report.glossary.{g}.term", f"report.glossary.{g}.text") for g in GLOSSARY]
    own = [(f"migration.glossary.{g}.term", f"migration.glossary.{g}.text") for g in OWN_GLOSSARY]
    return [(clean(facts.say(term)), facts.say(said)) for term, said in (*own, *shared)]


def _svg(facts: Facts, figure: Any, key: str) -> Any:
    from markupsafe import Markup

    # Matplotlib escapes the texts of a figure itself, and `to_svg` has parsed the result.
    alt = facts.say(f"migration.alt.{key}")
    return Markup(style.to_svg(figure, f"migration-{key}", alt))  # noqa: S704
