"""What ``softseg run`` says in the end: a few lines for controllers, with the report's numbers."""

from typing import TYPE_CHECKING, Final

import numpy as np

from softseg.report.roi.facts import HIGH, LOW, MIDDLE, RoiFacts
from softseg.runs.folder import REPORT
from softseg.study.manifest import SEGMENTS, STUDY_XLSX
from softseg.wording import percent, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import xarray as xr

    from softseg.decisions.segments.findings import Findings
    from softseg.report.study.facts import StudyFacts
    from softseg.study.result import StudyResult

BLOCKS: Final = ("judgement", "membership", "parameters")
WORD_JOINER: Final = "\N{WORD JOINER}"
"""Keeps minus signs on the line in a browser; terminals may draw it."""


def summary(result: "StudyResult") -> list[str]:
    """Return what the programme is worth, whom to treat, what drives it, and where the report is.

    Without money (the gate failed, or the study stopped before) only what there is.
    """
    language, found = result.study.language, result.findings
    lines: list[str] = []
    if found is not None:
        if found.fallback is not None:
            lines.append(f"! {found.fallback.title}")
        if found.ledger is not None:
            lines.append(found.ledger.message(language))
        if found.simulation is not None and found.answers is not None:
            lines += _money(found)
        else:
            lines += [_segments(found)]
            lines += found.fallback.todo if found.fallback is not None else ()
    lines.append(_ran(result))
    if result.pending:
        stages = _named(result.pending, language)
        lines.append(say("study_run.pending", language, stages=stages))
    lines = [line for line in lines if line]
    return lines + [say(key, language, path=str(path)) for key, path in _files(result)]


def _files(result: "StudyResult") -> "Iterator[tuple[str, Path]]":
    """Find what there is to read: the study's report, or that of the segments before it."""
    folder = result.folder
    if "report" in result.pending:
        folder = folder / SEGMENTS
    for key, name in (("cli.report", REPORT), ("study_run.book", STUDY_XLSX)):
        if (folder / name).is_file():
            yield key, folder / name


def _money(found: "Findings") -> list[str]:
    """Return the lines about money; segments that are too small to be shown are left out."""
    from softseg.report.study import text
    from softseg.report.study.facts import StudyFacts

    facts = StudyFacts(found)
    lines = [_worth(facts.roi, facts.plug_in), _pays(facts.roi)]
    lines += [text.treat(facts).replace(WORD_JOINER, ""), text.withheld_note(facts)]
    split = facts.part("split")
    if split is not None:
        lines.append(_band(split, facts))
    lines.append(text.resolve(facts))
    return lines


def _worth(facts: RoiFacts, plug_in: bool) -> str:
    low, middle, high = (facts.headline("npv", quantile=q) for q in (LOW, MIDDLE, HIGH))
    less = ".less" if middle[0] < 0.0 else ""
    line = say(
        f"study_run.worth.{facts.assumptions.counterfactual}{less}",
        facts.language,
        years=facts.assumptions.horizon,
        middle=facts.money(abs(middle[0]), middle[1]),
        low=facts.money(*low),
        high=facts.money(*high),
    )
    return f"{line} {say('study_run.plug_in', facts.language)}" if plug_in else line


def _pays(facts: RoiFacts) -> str:
    cases = facts.cases(facts.headline("p_npv_positive")[0])
    return say("study_run.pays", facts.language, cases=cases)


def _band(split: "xr.Dataset", facts: "StudyFacts") -> str:
    blocks = [str(name) for name in split["block"].values]
    shares = {name: float(split["share"].sel(block=name)) for name in blocks}
    if not np.isfinite(list(shares.values())).all():
        return say("study_run.no_band", facts.language)
    said = {
        name: facts.roi.share(np.clip(share, 0.0, 1.0), split["share_error"].sel(block=name))
        for name, share in shares.items()
    }
    key = "study_run.band" if len(blocks) == len(BLOCKS) else "study_run.band_moves"
    return say(key, facts.language, **said)


def _segments(found: "Findings") -> str:
    """Return how many segments there are and how large, the small ones left out."""
    from softseg.report.study.facts import StudyFacts

    facts = StudyFacts(found)
    if not facts.passed:
        return ""
    share, language = facts.every.size("share").mean, facts.language
    named = [
        say("study_run.segment", language, name=facts.name(k), share=percent(s, language, 0))
        for k, s in enumerate(map(float, share), start=1)
        if facts.is_shown(k)
    ]
    return say("study_run.segments", language, n=len(share), named=", ".join(named))


def _ran(result: "StudyResult") -> str:
    language = result.study.language
    none = "study_run.stage.none_so_far" if result.pending else "study_run.stage.none"
    stages = _named(result.ran, language) or say(none, language)
    return say("study_run.ran", language, stages=stages)


def _named(stages: "Sequence[str]", language: str) -> str:
    return ", ".join(say(f"study_run.stage.{stage}", language) for stage in stages)
