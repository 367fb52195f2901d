"""What ``softseg run`` says in the end: a few lines for controllers, with the report's numbers."""

from typing import TYPE_CHECKING, Final

import numpy as np

from softseg.report.roi.facts import HIGH, LOW, MIDDLE, RoiFacts
from softseg.runs.folder import REPORT
from softseg.study.manifest import STUDY_XLSX
from softseg.wording import percent, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from softseg.study.result import StudyResult

BLOCKS: Final = ("judgement", "membership", "parameters")


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
            facts = RoiFacts(found.simulation.whole, found.answers, language)
            lines += _money(facts, found.parts, found.simulation.plug_in)
        elif found.fallback is not None:
            lines += found.fallback.todo
    lines.append(say("study_run.ran", language, stages=_stages(result)))
    for key, name in (("cli.report", REPORT), ("study_run.book", STUDY_XLSX)):
        path = result.folder / name
        if path.is_file():
            lines.append(say(key, language, path=str(path)))
    return lines


def _money(facts: RoiFacts, parts: "Mapping[str, xr.Dataset]", plug_in: bool) -> list[str]:
    lines = [_worth(facts, plug_in), _pays(facts)]
    if "choices" in parts:
        lines.append(_treat(facts, parts["choices"]))
    if "split" in parts:
        lines.append(_band(parts["split"], facts.language))
    if "resolve" in parts:
        from softseg.decisions.segments.resolve import sentence

        lines.append(sentence(parts["resolve"], facts.language))
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


def _treat(facts: RoiFacts, choices: "xr.Dataset") -> str:
    """Return which segments to treat, the best first, and which not, with what each is worth."""
    worth, error = choices["mean_npv"].to_numpy(), choices["mean_npv_error"].to_numpy()
    names, treat = choices["segment_name"].to_numpy(), choices["treat"].to_numpy().astype(bool)

    def said(which: "np.ndarray") -> str:
        order = [k for k in np.argsort(-worth, kind="stable") if which[k]]
        return "; ".join(f"{names[k]} ({facts.money(worth[k], error[k])})" for k in order)

    language = facts.language
    if not treat.any():
        return say("study_run.treat_none", language, leave=said(~treat))
    if treat.all():
        return say("study_run.treat_all", language, treat=said(treat))
    return say("study_run.treat", language, treat=said(treat), leave=said(~treat))


def _band(split: "xr.Dataset", language: str) -> str:
    shares = {name: float(split["share"].sel(block=name)) for name in BLOCKS}
    if not np.isfinite(list(shares.values())).all():
        return say("study_run.no_band", language)
    said = {name: percent(share, language, 0) for name, share in shares.items()}
    return say("study_run.band", language, **said)


def _stages(result: "StudyResult") -> str:
    language = result.study.language
    names = [say(f"study_run.stage.{stage}", language) for stage in result.ran]
    return ", ".join(names) or say("study_run.stage.none", language)
