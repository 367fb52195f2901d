"""The page docs/money.md: whether bands of money cover what programmes bring, in tables."""

from collections.abc import Mapping, Sequence
from typing import Any

NOMINAL = 0.9
WIDTHS = {
    "measured": "±5 % (measured)",
    "pilot": "±20 % (own pilot)",
    "published": "±60 % (published)",
}
BANDS = {
    "draws": "draws",
    "plug_in": "plug-in",
    "top_segment": "top segment as truth",
    "kmeans": "k-means as truth",
}
SERIES = {
    "right": "The model is right",
    "value": "The value differs between segments beyond the indicators",
    "family": "Indicators of other families than the model assumes",
    "dependence": "Indicators that move together inside a segment",
}
NOTES = {
    "right": "Parameters from the prior, customers from the parameters: the nominal case.",
    "value": "Every segment's revenue is multiplied by a factor of its own, log-normal with a "
    "spread of 0.5, that no indicator shows. Put the value among the indicators where segments "
    "may differ in it.",
    "family": "One indicator with the tails of a t with 3 degrees of freedom instead of a normal, "
    "and counts with twice the variance of a Poisson and more.",
    "dependence": "Three of six indicators with a correlation of 0.6 inside every segment.",
}

HEAD = """# Does the band cover what the programme brings?

Written by `make calibrate`; do not edit.

A company is drawn: parameters of three segments from the frozen prior, 300 customers from the
parameters, effects and costs of a programme from their stated ranges. Its table is fitted as a
user's would be, customers are treated by their top segment, and the 90 % band of the net present
value is set against what the programme really brings: effects on the customers who are treated as
a segment and do belong to it, at the cost of all who are treated. Segments lie about as far apart
as the customers of one segment do; the top segment is right for some nine customers of ten.

Four bands, each judged by what its own programme brings:

- **draws**: what softseg prints, one index of draws from the table to the money;
- **plug-in**: the same with the values of the segments at their means;
- **top segment as truth**: every customer counts as a member of the top segment;
- **k-means as truth**: the same with k-means labels, matched to the segments.

How much that matters depends on how well effects and costs are known, so every band stands for
three widths of their 90 % ranges. In brackets: distance from 90 % in standard errors. *By order*:
segments are numbered by their mean of the first indicator, in the truth and in every draw; for
draws that are right 90 % is exact, whatever the gate says. *Passed*: labels as the package
delivers them, matched once to the true segments; only companies that the gate let through, which
are the ones that get a table.

What to read from it: draws keep their promise where the model is right. Means in their place fall
short the more, the better effects and costs are known; where judgement is wide it hides the rest.
Over all companies they fall short at every width. Among those that passed, whose segments are
known best, they do so only where effects and costs are measured; from ±20 % on, 175 companies do
not tell them from 90 %. Labels taken for the truth promise too much, because customers who do not
belong to their group are counted with the full effect. K-means labels fall short at every width,
the top segment too, except among the passed at ±60 %, where judgement hides it as well.

No draws repair a model that is wrong. Where families are wrong or indicators depend on each other
inside a segment, the band fails the more, the narrower judgement is. That the gate let a fit
through is no help against it, for it judges the calculation and not the model: with wrong families
the passed do worse than all. The fit verdict, which judges the model, stands before any amount in a
study; how often it warns is not counted here.
"""


def page(companies: Mapping[str, Any]) -> str:
    """Return the page as Markdown, from the results by unit (series/seed)."""
    parts = [HEAD]
    for series, title in SERIES.items():
        found = [result for unit, result in companies.items() if unit.split("/")[0] == series]
        if found:
            parts += _series(series, title, found)
    return "\n".join(parts).rstrip() + "\n"


def _series(series: str, title: str, found: Sequence[Mapping[str, Any]]) -> list[str]:
    passed = [company for company in found if company["status"] == "good"]
    right = sum(company["ordered"]["right_label"] for company in found) / len(found)
    return [
        f"## {title}",
        "",
        f"{NOTES[series]} {len(found)} companies, {len(passed)} of them passed; the top segment "
        f"is right for {right:.0%} of the customers.",
        "",
        *_table("by order", found, "ordered"),
        *_table("passed", passed, "delivered"),
    ]


def _table(name: str, found: Sequence[Mapping[str, Any]], how: str) -> list[str]:
    if len(found) < 2:
        return []
    lines = [f"| {name}: effects and costs | " + " | ".join(BANDS.values()) + " |"]
    lines.append("|---" * (1 + len(BANDS)) + "|")
    for width, label in WIDTHS.items():
        cells = [_cell([company[how][width][band] for company in found]) for band in BANDS]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _cell(bands: Sequence[Sequence[float]]) -> str:
    inside = sum(low <= true <= high for low, true, high in bands)
    n = len(bands)
    z = (inside / n - NOMINAL) / (NOMINAL * (1 - NOMINAL) / n) ** 0.5
    return f"{inside / n:.1%} ({z:+.1f})"
