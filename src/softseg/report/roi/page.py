"""The ROI report: one offline HTML file for controllers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from softseg.decisions.answers.collect import Answers
from softseg.decisions.model.simulate import Simulation
from softseg.report import style
from softseg.report.facts import clean
from softseg.report.roi import assumptions, pictures, tables, text
from softseg.report.roi.facts import RoiFacts
from softseg.report.templating import template
from softseg.results.files import replace_file


def write_roi_report(
    simulation: Simulation,
    answers: Answers,
    path: Path | str,
    language: str = "en",
    figures: dict[str, str] | None = None,
    run: Mapping[str, str] | None = None,
) -> Path:
    """Write the ROI report as one HTML file and return its path.

    Parameters
    ----------
    simulation
        The draws.
    answers
        What `collect` found in them.
    path
        File to write; it is replaced at once or not at all.
    language
        ``en`` or ``de``.
    figures
        Takes the figures of the page as SVG by name, for files of their own.
    run
        What else fixes the run, for its last table: for instance ``seed``, ``hash``.

    Raises
    ------
    FileError
        Where the file cannot be written.
    """
    page = render(simulation, answers, language, figures, run)
    replace_file(path, page.encode("utf-8"), language)
    return Path(path)


def render(
    simulation: Simulation,
    answers: Answers,
    language: str = "en",
    figures: dict[str, str] | None = None,
    run: Mapping[str, str] | None = None,
) -> str:
    """Return the ROI report as HTML; see `write_roi_report`."""
    facts = RoiFacts(simulation, answers, language)
    drawn = pictures.all_of(facts)
    if figures is not None:
        figures.update({name: str(svg) for name, svg in drawn.items() if svg})
    title = simulation.assumptions.title
    return template("roi.html").render(
        language=language,
        say=facts.say,
        fonts=style.PAGE_FONTS,
        figures=drawn,
        title=clean(title) if title.strip() else facts.say("title"),
        subtitle=facts.say(
            f"subtitle.{simulation.assumptions.counterfactual}",
            horizon=facts.horizon,
            currency=facts.currency,
        ),
        **_results(facts),
        **_audit(facts, run),
    )


def _results(facts: RoiFacts) -> dict[str, Any]:
    lead, lines = text.reading(facts)
    year_head, years = tables.year_rows(facts)
    varies = text.varies(facts)
    return {
        "findings": text.findings(facts),
        "headline": tables.headline_rows(facts),
        "programmes": tables.programme_rows(facts),
        "programme_names": tables.programme_names(facts),
        "bridge_lead": text.bridge_lead(facts),
        "bridge": tables.bridge_rows(facts),
        "reading_lead": lead,
        "reading": lines,
        "year_head": year_head,
        "years": years,
        "captions": text.captions(facts),
        "density_told": text.density_told(facts),
        "density_note": facts.say("density.same" if facts.draws("roi").size else "density.none"),
        "scenarios": tables.scenario_rows(facts),
        "tails": tables.tail_rows(facts),
        "break_even": text.break_even_lines(facts),
        "break_even_rows": tables.break_even_rows(facts),
        "frontier_lines": text.frontier_lines(facts),
        "driver_lines": text.driver_lines(facts),
        "drivers": tables.driver_rows(facts) if varies else [],
        "sobol": tables.sobol_rows(facts) if varies else [],
        "sobol_note": tables.sobol_note(facts) if varies else "",
        "information_lead": text.information_lead(facts),
        "information_sentence": text.information_sentence(facts),
        "information": tables.information_rows(facts) if varies else [],
    }


def _audit(facts: RoiFacts, run: Mapping[str, str] | None) -> dict[str, Any]:
    scenario_head, scenario_values = assumptions.scenario_table(facts)
    return {
        "assumptions": assumptions.assumption_rows(facts),
        "unowned": assumptions.unowned(facts),
        "dependence": assumptions.dependence_lines(facts),
        "repairs": assumptions.repair_rows(facts),
        "overlaps": assumptions.overlap_lines(facts),
        "scenario_head": scenario_head,
        "scenario_values": scenario_values,
        "method": assumptions.method_lines(facts),
        "errors": tables.error_rows(facts),
        "record": assumptions.record_rows(facts, run),
        "glossary": assumptions.glossary(facts),
    }
