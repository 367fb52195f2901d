"""All that a study found, in one place, for page, workbook and run folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from softseg.decisions.answers.collect import Answers
from softseg.decisions.segments.fallback import Fallback
from softseg.decisions.segments.ledger import Ledger
from softseg.decisions.segments.programme import Programme
from softseg.decisions.segments.worth import SegmentSimulation


@dataclass(frozen=True)
class Findings:
    """What a study found; what is None or missing was not computed, or may not be shown.

    Attributes
    ----------
    title, language
        Of the study.
    gate, fit
        Status of both verdicts on the fit.
    tree
        Posterior tree of the fit, with everything the report of the segments reads.
    segment_names
        Of all segments, the first one being segment 1.
    programme
        What is done with which segment.
    simulation, answers
        The draws of the money, and what they answer for the whole.
    parts
        Further answers by name: ``by_segment``, ``split``, ``resolve``, ``choices``,
        ``first_customers``, ``regret``, ``number``, ``implied``, ``migrated``.
    ledger
        The table beside the ledger.
    fallback
        What still stands where a verdict failed; None where both are good.
    checklist
        State of the five steps by name: ``prepared``, ``analysed``, ``decided``, ``implemented``,
        ``reviewed``; texts of the study file.
    smallest_cell
        Segments and groups with fewer expected customers are not shown.
    choice, comparison, dendrogram
        As the report of the segments takes them.
    run
        What else fixes the run, for the audit: seed, hashes, versions.
    """

    title: str
    language: str
    gate: str
    fit: str
    tree: xr.DataTree
    segment_names: tuple[str, ...]
    programme: Programme
    simulation: SegmentSimulation | None = None
    answers: Answers | None = None
    parts: Mapping[str, xr.Dataset] = field(default_factory=dict)
    ledger: Ledger | None = None
    fallback: Fallback | None = None
    checklist: Mapping[str, str] = field(default_factory=dict)
    smallest_cell: float = 10.0
    choice: Any = None
    comparison: Any = None
    dendrogram: Any = None
    run: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_panel(self) -> bool:
        """Whether the table followed customers over time, so that some have left since."""
        return "periods" in self.tree.attrs
