"""The chapter on migration of a study with a panel: where customers go, and what that is worth."""

from typing import Any

import xarray as xr

from softseg.names import STATE, STATE_TO, TRANSITION
from softseg.report.study.facts import StudyFacts, kept
from softseg.report.study.money import Row, Text, error_words
from softseg.wording import number

PARTS = ("without", "base", "levers", "whole")


def context(facts: StudyFacts) -> dict[str, Any]:
    """Return what the template of the chapter reads; without a panel there is no chapter."""
    found = facts.part("migrated")
    if found is None:
        return {"moves": []}
    return {"moves": rows(facts, found), "moves_lead": lead(facts, found),
            "moves_cohort": cohort(facts, found)}  # fmt: skip


def rows(facts: StudyFacts, found: xr.Dataset) -> list[Row]:
    """Return the net present value in its parts: if nobody moved, moves, levers on them."""
    table: list[Row] = []
    for name in PARTS:
        mean, error = facts.roi.number(found, f"mean_{name}")
        cells: list[Text] = [
            (facts.roi.money(mean, error), error_words(facts, error)),
            facts.range_of(found, name),
        ]
        table.append((facts.say(f"moves.{name}"), cells))
    return table


def lead(facts: StudyFacts, found: xr.Dataset) -> str:
    """Return in one sentence what migration adds to the result or takes from it."""
    base, levers = (float(found[f"mean_{name}"]) for name in ("base", "levers"))
    said = []
    for name, amount in (("base", base), ("levers", levers)):
        if amount:
            way = "adds" if amount > 0.0 else "takes"
            shown = facts.roi.money(abs(amount), float(found[f"mean_{name}_error"]))
            said.append(facts.say(f"moves.{name}_{way}", amount=shown))
    return kept(" ".join(said)) or facts.say("moves.nothing")


def cohort(facts: StudyFacts, found: xr.Dataset) -> str:
    """Return who is counted, and how periods become years."""
    key = f"moves.{found.attrs['cohort']}"
    per_year = number(int(found.attrs["per_year"]), facts.language)
    return kept(facts.say(key) + " " + facts.say("moves.periods", per_year=per_year))


def transition_figure(facts: StudyFacts) -> Any:
    """Return where customers go within a year; None where a segment may not be shown."""
    from softseg.report.figures.migration_transitions import transition_map

    found = facts.part("migrated")
    shown = all(facts.is_shown(k) for k in range(1, facts.every.n_segments + 1))
    if found is None or not shown:
        return None
    names = [facts.numbered(k) for k in range(1, facts.every.n_segments + 1)]
    labels = [*names, *(str(x) for x in found[STATE].to_numpy()[len(names) :])]
    table = xr.Dataset(
        {end: found[f"{TRANSITION}_{end}"] for end in ("mean", "lower", "upper")}
    ).assign_coords({STATE: labels, STATE_TO: labels})
    return transition_map(table, facts.language, "study_report.moves")


def customers_figure(facts: StudyFacts) -> Any:
    """Return how many customers each segment has from year to year."""
    from softseg.report.figures.study_customers import Path, customers

    found = facts.part("migrated")
    if found is None:
        return None
    paths = [
        Path(facts.numbered(int(k)), int(k) - 1, found.sel(segment=k))
        for k in found["segment"].to_numpy()
    ]
    return customers(paths, facts.language) if paths else None
