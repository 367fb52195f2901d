"""The page docs/migration_warning.md: what the back-test of the early warning has found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import xarray as xr

import migration_warning as study
from softseg.report.figures.migration_calibration import migration_calibration
from softseg.report.style import to_svg
from softseg.results.migration.backtest.calibration import calibration
from softseg.results.migration.backtest.scores import scores

LABELS: Final = {
    "model": "latent Markov model", "base_rate": "base rate", "recency": "recency rule",
    "logistic": "logistic regression",
}  # fmt: skip
HEAD = """# Is the early warning right?

Written by `python scripts/migration_warning.py page` from what
`python scripts/migration_warning.py run` has found; do not edit. The model is fitted to the periods
up to an origin, warns of an event in the periods after it, and is held against what happened then.
Nothing after the origin enters the fit, the filtering or the rivals.

- **Rivals** learn from an earlier origin, whose outcome was known at the present one: the *base
  rate*; a *recency rule* (share of events among customers of like recency, isotonic regression); a
  *logistic regression* on recency, orders so far and value per order.
- **Brier** and **log score**: the lower the better. **Gain of the model**: by how much the model's
  log score is lower than this rule's, with its standard error from the same cases; below 0 the rule
  is better. **AUC**: the share of pairs in which the one with the event had the higher score.
- **Slope** and **intercept** of a logistic regression of the outcome on the logit of the
  prediction, with 90 % intervals: 1 and 0 are right, a slope below 1 means predictions that are too
  extreme. A customer judged at several origins is one cluster in all errors.
- Whoever cannot be watched as long as the event needs is **not judged**, neither with the event nor
  without. Fits that the gate refuses are kept and counted.
"""


class Part(NamedTuple):
    """One section: an event, the fits it comes from, and what to say of it."""

    name: str
    title: str
    event: str
    which: str
    text: str


_PANELS = f"""{study.CUSTOMERS:,} customers of the synthetic supplier over {study.MONTHS} months,
with some four times the example's churn so that a few panels tell enough; fitted up to month
{study.ORIGINS[0]} and read at the origins {", ".join(map(str, study.ORIGINS))} with the customers
filtered anew, as `softseg warn` does in a company that refits once a year."""

PARTS: Final = (
    Part(
        "observed", "Synthetic panels, churn observed", "left", "observed/",
        f"{_PANELS} Event: the customer leaves within {study.HORIZON} months, of those who are "
        "there at the origin.",
    ),
    Part(
        "silent", "Synthetic panels, churn silent: who has left?", "left_unseen", "silent/",
        f"The same, but nobody says that he leaves. Event: the customer has left by "
        f"{study.HORIZON} months after the origin, of those with an order in the last three; only "
        "the simulation knows. The rivals are told the truth about the past, which they never are.",
    ),
    Part(
        "quiet", "Synthetic panels, churn silent: who will order nothing?", "quiet", "silent/",
        f"The same fits, with an event that everybody can see: no order within {study.HORIZON} "
        "months, of the same customers. The model's probability of it sums over paths of states.",
    ),
    Part(
        "real", "Real invoices: who will order nothing?", "quiet", "real/silent",
        "`or_invoices.csv`, made a panel by `softseg panel` (twelve whole months, "
        f"{study.SEGMENTS} segments, silent churn). Event: no order within "
        f"{study.HORIZON} months, of the customers with an order in the last three. The windows of "
        "the two origins do not overlap; there is no later one.",
    ),
    Part(
        "inactive", "Real invoices: four months without an order", "inactive", "real/inactivity",
        f"The same invoices, churn by definition: {study.AFTER} months without an order. Event: "
        "such a run has begun by the month after the origin, of those whose present run is "
        f"shorter; it is known {study.AFTER} months later, so that a year holds one origin whose "
        "rivals can have learnt anything.",
    ),
)  # fmt: skip


def write(docs: Path) -> None:
    """Write the page and its figures."""
    images = docs / "images" / "migration"
    images.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for part in PARTS:
        parts += _section(part, images)
    (docs / "migration_warning.md").write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")


def _section(part: Part, images: Path) -> list[str]:
    said, outcome, used = study.pooled(part.event, part.which)
    lines = [f"## {part.title}", "", " ".join(part.text.split()), ""]
    if not used:
        return [*lines, "Not run yet.", ""]
    fits = [f for f in map(study.stored, used) if f is not None]
    found = scores(said, outcome)
    lines += [_words(part, found, used, fits), ""]
    lines += _table(said, outcome, found)
    model = calibration(said["model"], outcome)
    name, alt = f"warning-{part.name}.svg", f"Calibration of the warning: {part.title}"
    svg = to_svg(migration_calibration(model), f"warning-{part.name}", alt)
    (images / name).write_text(svg.rstrip() + "\n", encoding="utf-8")
    return [*lines, f"![{alt}](images/migration/{name})", "", _verdict(model, found), ""]


def _words(part: Part, found: xr.Dataset, used: Sequence[str], fits: Sequence[dict]) -> str:
    good = sum(f["gate"] == "good" for f in fits)
    stopped = sorted({name for f in fits for name in f["failed"]})
    origins = sorted({r["origin"] for f in fits for r in f["rounds"] if r["event"] == part.event})
    gate = f"the gate let {good} of them through"
    if stopped:
        gate += f" (failed: {', '.join(stopped)})"
    commits = ", ".join(dict.fromkeys(f["commit"] for f in fits))
    methods = ", ".join(sorted({f["method"] for f in fits}))
    share = found.attrs["events"] / found.attrs["judged"]
    return (
        f"Fits: {len(used)} ({methods}); {gate}. Origins {', '.join(map(str, origins))}: "
        f"{found.attrs['judged']:,} judged, {found.attrs['events']:,} events ({share:.1%}). "
        f"State of the code: commit {commits}."
    )


def _table(said: dict[str, xr.DataArray], outcome: xr.DataArray, found: xr.Dataset) -> list[str]:
    lines = [
        "| rule | Brier | log score | gain of the model | AUC | slope | intercept |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, predicted in said.items():
        row, line = found.sel(rule=name), calibration(predicted, outcome)
        gain = f"{float(row['log_gain']):+.4f} ± {float(row['log_gain_error']):.4f}"
        lines.append(
            f"| {LABELS[name]} | {float(row['brier']):.4f} | {float(row['log_score']):.4f} | "
            f"{'–' if name == 'model' else gain} | {float(row['auc']):.3f} | "
            f"{_band(line, 'slope')} | {_band(line, 'intercept')} |"
        )
    return [*lines, ""]


def _band(line: xr.Dataset, name: str) -> str:
    middle, low, high = (float(line[f"{name}{end}"]) for end in ("", "_lower", "_upper"))
    return f"{middle:.2f} ({low:.2f} to {high:.2f})" if np.isfinite(middle) else "–"


def _verdict(model: xr.Dataset, found: xr.Dataset) -> str:
    """Say in a sentence whether the slope is where it should be and which rule wins."""
    slope, low, high = (float(model[f"slope{end}"]) for end in ("", "_lower", "_upper"))
    where = "inside" if 0.9 <= slope <= 1.1 else "outside"
    also = "" if low <= 1.0 <= high else ", and its interval leaves 1 out"
    best = str(found["rule"].values[int(found["log_score"].values.argmin())])
    return (
        f"**The slope is {where} 0.9 to 1.1{also}; the best log score has the {LABELS[best]}.** "
        "Points: groups of about equal size with exact 90 % bands."
    )
