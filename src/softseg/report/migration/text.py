"""Sentences on migration: what the panel is, what was found, what it does not say."""

from typing import Any

import numpy as np
import xarray as xr

from softseg.names import CHURNED, HORIZON, STATE
from softseg.report.facts import Facts, clean
from softseg.report.figures.migration_states import state_labels
from softseg.tables.panel.panel import Notes
from softseg.wording import number, percent


def subtitle(facts: Facts) -> str:
    """Return how many customers, periods and segments there are."""
    notes, periods = facts.attribute("notes") or {}, facts.attribute("periods") or []
    return facts.say(
        "migration.report.subtitle",
        customers=number(int(notes.get("customers", 0)), facts.language),
        periods=number(len(periods), facts.language),
        first=clean(periods[0]) if periods else "–",
        last=clean(periods[-1]) if periods else "–",
        segments=facts.n_segments,
    )


def panel_lines(facts: Facts) -> list[str]:
    """Return what the panel holds, one sentence per line."""
    notes = facts.attribute("notes")
    return Notes(**notes).lines(facts.language) if notes else []


def churn_line(facts: Facts) -> str:
    """Return how leaving is seen, and what that means."""
    return facts.say(f"migration.report.churn.{facts.attribute('churn') or 'none'}")


def prior_line(facts: Facts) -> str:
    """Return what was expected before the data."""
    periods = float(facts.tree.attrs.get("prior_lifetime", np.inf))
    if not np.isfinite(periods):
        return ""
    return facts.say("migrate.prior", periods=number(periods, facts.language, 0))


def findings(facts: Facts, ahead: xr.Dataset, stays: xr.Dataset | None) -> list[str]:
    """Return what was found, in a few sentences."""
    found = facts.tree["transition"].to_dataset()
    labels = state_labels(found, facts.language)
    active = [i for i, name in enumerate(found[STATE].values) if str(name) != CHURNED]
    stay = found["stay_mean"].values[active]
    firm, loose = active[int(stay.argmax())], active[int(stay.argmin())]
    lines = [_extremes(facts, found, "stay", firm, loose)]
    for name in facts.attribute("never_left") or []:
        lines.append(facts.say("migrate.never_left", segment=clean(name)))
    lines.append(_way_line(facts, found, labels, active))
    if stays is not None:
        churn = found["churn_mean"].values[active]
        worst, best = active[int(churn.argmax())], active[int(churn.argmin())]
        lines.append(_extremes(facts, found, "churn", worst, best))
        lines.append(_ahead_line(facts, ahead))
    return [line for line in lines if line]


def _extremes(facts: Facts, found: xr.Dataset, what: str, most: int, least: int) -> str:
    """Return which segments differ most in a probability, or that none clearly does."""
    labels = state_labels(found, facts.language)
    if most == least:
        return ""
    said = {
        "highest": labels[most],
        "most": _band(found, what, most, facts.language),
        "lowest": labels[least],
        "least": _band(found, what, least, facts.language),
    }
    apart = found[f"{what}_lower"].values[most] > found[f"{what}_upper"].values[least]
    return facts.say(f"migration.report.{what}{'' if apart else '_alike'}", **said)


def _way_line(facts: Facts, found: xr.Dataset, labels: list[str], active: list[int]) -> str:
    """Return the busiest way between two segments."""
    table = found["mean"].values[np.ix_(active, active)].copy()
    np.fill_diagonal(table, 0.0)
    if table.size < 2 or table.max() <= 0.0:
        return ""
    a, b = np.unravel_index(int(table.argmax()), table.shape)
    i, j = active[int(a)], active[int(b)]
    parts = [float(found[e].values[i, j]) for e in ("mean", "lower", "upper")]
    figures = [percent(p, facts.language, 1) for p in parts]
    return facts.say(
        "migration.report.way",
        start=labels[i],
        to=labels[j],
        share=f"{figures[0]} ({figures[1]}–{figures[2]})",
    )


def _ahead_line(facts: Facts, ahead: xr.Dataset) -> str:
    last = ahead.isel({HORIZON: -1})
    now = float(ahead["active_mean"].values[0])
    figures = [
        number(float(last[f"active_{e}"]), facts.language, 0) for e in ("mean", "lower", "upper")
    ]
    return facts.say(
        "migration.report.ahead",
        now=number(now, facts.language, 0),
        horizon=number(int(last[HORIZON]), facts.language),
        then=f"{figures[0]} ({figures[1]}–{figures[2]})",
    )


def mix_line(facts: Facts, stays: xr.Dataset | None) -> str:
    """Return the mix that those who stay settle into."""
    if stays is None:
        return ""
    labels = state_labels(stays, facts.language)
    shares = [percent(float(x), facts.language, 0) for x in stays["mix_mean"].values]
    mix = ", ".join(f"{label} {share}" for label, share in zip(labels, shares, strict=True))
    left = [1.0 - float(stays[f"stays_{e}"]) for e in ("mean", "upper", "lower")]
    figures = [percent(x, facts.language, 1) for x in left]
    loss = f"{figures[0]} ({figures[1]}–{figures[2]})"
    return facts.say("migration.report.mix", mix=mix, loss=loss)


def record(facts: Facts) -> list[tuple[str, str]]:
    """Return what fixes the run."""
    versions: dict[str, Any] = facts.attribute("versions") or {}
    said = ", ".join(f"{clean(k)} {clean(v)}" for k, v in sorted(versions.items()))
    return [
        (facts.say("report.method"), clean(facts.tree.attrs.get("method", "–"))),
        (facts.say("report.seed"), clean(facts.tree.attrs.get("seed", "–"))),
        (facts.say("report.data_hash"), clean(facts.tree.attrs.get("data_hash", "–"))),
        (facts.say("report.versions"), said),
    ]


def _band(found: xr.Dataset, name: str, i: int, language: str) -> str:
    parts = [float(found[f"{name}_{e}"].values[i]) for e in ("mean", "lower", "upper")]
    figures = [percent(p, language, 1) for p in parts]
    return f"{figures[0]} ({figures[1]}–{figures[2]})"
