"""The report: one offline HTML file for readers who have never heard of R-hat."""

from pathlib import Path
from typing import Any

from softseg.inference.verdicts import explain
from softseg.report import style, tables
from softseg.report.amounts import cell, customers
from softseg.report.facts import Band, Facts, clean, say_measure
from softseg.report.templating import template
from softseg.report.text import findings, value_origin
from softseg.results.files import replace_file
from softseg.wording import percent

MAX_PANELS = 12
"""Indicators in the figure of the page; the table below it has all."""
GLOSSARY = ("customer", "indicator", "segment", "membership", "share", "interval", "p_top",
            "verdict", "base", "power", "draw", "gate", "rhat", "ess")  # fmt: skip


def write_report(
    tree: Any,
    path: Path | str,
    language: str = "en",
    choice: Any = None,
    continuity: Any = None,
    comparison: Any = None,
    dendrogram: Any = None,
    figures: dict[str, str] | None = None,
) -> Path:
    """Write the report of a fit as one HTML file and return its path.

    Parameters
    ----------
    tree
        Posterior tree.
    path
        File to write; it is replaced at once or not at all.
    language
        ``en`` or ``de``.
    choice
        Result of `choose`, or its table as a frame.
    comparison
        Hard clusterings at the same number of segments: method (``kmeans``, ``ward``) to a mapping
        with ``ari`` and ``vi`` (bits), each with ``mean, lower, upper``, and the numbers of
        customers ``torn``, ``forced`` and ``customers``; see `Comparison.summary`.
    dendrogram
        Linkage matrix and top segments of a sample of customers, as `figures.dendrogram` takes.
    figures
        Takes the figures of the page as SVG by name, for files of their own.

    Raises
    ------
    FileError
        Where the file cannot be written.
    """
    page = render(tree, language, choice, continuity, comparison, dendrogram, figures)
    replace_file(path, page.encode("utf-8"), language)
    return Path(path)


def render(
    tree: Any,
    language: str = "en",
    choice: Any = None,
    continuity: Any = None,
    comparison: Any = None,
    dendrogram: Any = None,
    figures: dict[str, str] | None = None,
) -> str:
    """Return the report as HTML; see `write_report`."""
    facts = Facts(tree, language)
    context: dict[str, Any] = {
        "language": language,
        "say": facts.say,
        "facts": facts,
        "passed": facts.passed,
        "findings": findings(tree, language),
        "fonts": style.PAGE_FONTS,
        "glossary": [(facts.say(f"report.glossary.{g}.term"),
                      facts.say(f"report.glossary.{g}.text")) for g in GLOSSARY],
    }  # fmt: skip
    context |= _judgement(facts) | _data(facts)
    shown = facts.passed and facts.n_segments > 1
    context["comparison"] = _comparison(facts, comparison) if shown else []
    context["dendrogram"] = _dendrogram(facts, dendrogram) if shown else ""
    if facts.passed:
        context |= _segments(facts) | _fit(facts)
    context["continuity"] = _continuity(facts, continuity) if facts.passed else {}
    context |= _choice(facts, choice)
    context |= _appendix(facts)
    if figures is not None:
        figures.update(_drawn(context))
    return template("report.html").render(context)


def _drawn(context: dict[str, Any]) -> dict[str, str]:
    """Return the figures of a page by name."""
    found = {key: value for key, value in context.items() if key.endswith("_figure")}
    found["dendrogram"] = context["dendrogram"]
    return {key.removesuffix("_figure"): str(svg) for key, svg in found.items() if svg}


def _judgement(facts: Facts) -> dict[str, Any]:
    failed = facts.diagnosis.failed if facts.diagnosis is not None else ()
    boxes = [explain(check, facts.language, facts.labels()) for check in failed]
    warnings = facts.diagnosis.warnings(facts.language) if facts.diagnosis is not None else []
    return {"failed": boxes, "warnings": warnings, "gate": tables.gate_rows(facts)}


def _segments(facts: Facts) -> dict[str, Any]:
    from softseg.report.figures.certainty import certainty
    from softseg.report.figures.profiles import profiles
    from softseg.report.figures.sizes import concentration, sizes

    tree, language = facts.tree, facts.language
    several = facts.n_segments > 1
    context: dict[str, Any] = {
        "cards": tables.cards(facts),
        "profile": tables.profile_rows(facts),
        "values": tables.value_rows(facts),
        "value_origin": value_origin(facts),
        "verdicts": tables.verdict_labels(facts),
        "certainty_rows": tables.certainty_rows(facts) if several else [],
        "sizes_figure": _svg(facts, sizes(tree, language), "sizes") if several else "",
        "certainty_figure": _svg(facts, certainty(tree, language), "certainty") if several else "",
        "profiles_figure": _svg(facts, profiles(tree, language, limit=MAX_PANELS), "profiles"),
    }
    curve = concentration(tree, language)
    context["concentration_figure"] = _svg(facts, curve, "concentration") if curve else ""
    return context


def _fit(facts: Facts) -> dict[str, Any]:
    verdict = facts.fit_verdict
    if verdict is None:
        return {}
    names = list(facts.segment_names)
    return {
        "fit_text": verdict.text(facts.language),
        "advice": verdict.advice(facts.language, names, facts.labels()),
    }


def _choice(facts: Facts, choice: Any) -> dict[str, Any]:
    if choice is None:
        return {}
    from softseg.report.figures.choice import choice as draw

    table = getattr(choice, "table", choice)
    recommended = getattr(choice, "recommended", None)
    text = choice.text(facts.language) if hasattr(choice, "text") else []
    head, rows = tables.choice_rows(table, facts.language)
    figure = draw(table, facts.language, recommended)
    flows = getattr(choice, "flows", ())
    ways = {}
    if len(flows):
        from softseg.report.figures.alluvial import alluvial

        tried = [int(k) for k in table["n_segments"]]
        drawn = alluvial(flows, tried, facts.language, recommended)
        ways["alluvial_figure"] = _svg(facts, drawn, "alluvial")
    return {
        **ways,
        "choice_text": text,
        "choice_head": head,
        "choice_rows": rows,
        "choice_figure": _svg(facts, figure, "choice"),
    }


def _continuity(facts: Facts, found: Any) -> dict[str, Any]:
    """Return what became of an earlier run's segments: sentences, and a row per segment."""
    if found is None:
        return {}
    rows = [
        {
            "segment": clean(facts.segment_names[link.segment - 1]) if link.segment else "–",
            "before": clean(link.name) if link.previous else "–",
            "overlap": percent(link.overlap, facts.language, 0),
            "verdict": facts.say(f"report.continuity.{link.verdict}"),
        }
        for link in found.links
    ]
    return {"text": found.text(facts.language), "rows": rows}


def _comparison(facts: Facts, comparison: Any) -> list[dict[str, str]]:
    rows = []
    for method, found in (comparison or {}).items():
        row = {"method": say_measure(f"report.method.{method}", method, facts.language)}
        for name in ("ari", "vi"):
            if name in found:
                parts = [found[name][part] for part in ("mean", "lower", "upper")]
                mean, inside = cell(Band(*parts), facts.language)
                row[name], row[f"{name}_interval"] = mean, inside
        for name in ("torn", "forced", "customers"):
            if name in found:
                row[name] = customers(float(found[name]), facts.language)
        rows.append(row)
    return rows


def _dendrogram(facts: Facts, dendrogram: Any) -> str:
    if dendrogram is None:
        return ""
    from softseg.report.figures.dendrogram import dendrogram as draw

    linkage, segments = dendrogram
    figure = draw(linkage, segments, facts.numbered_names, facts.language)
    return _svg(facts, figure, "dendrogram")


def _data(facts: Facts) -> dict[str, Any]:
    dropped = facts.attribute("dropped_columns") or {}
    n = customers(facts.total_customers, facts.language)
    return {
        "title": facts.say("report.title"),
        "subtitle": facts.say(
            "report.subtitle",
            customers=n,
            segments=facts.n_segments,
            indicators=len(facts.indicators),
        ),
        "data_line": facts.say(
            "report.data.customers", customers=n, indicators=len(facts.indicators)
        ),
        "distinct_line": facts.say(
            "report.data.distinct", count=customers(facts.n_distinct, facts.language)
        )
        if facts.n_distinct
        else "",
        "gaps": tables.gap_rows(facts),
        "gap_sentences": tables.gap_sentences(facts),
        "dropped": [(facts.label(k), clean(v)) for k, v in dropped.items()],
    }


def _appendix(facts: Facts) -> dict[str, Any]:
    from softseg.report.figures.ranks import ranks

    versions = facts.attribute("versions") or {}
    chains, draws = (facts.posterior.sizes[d] for d in ("chain", "draw"))
    return {
        "ranks_figure": _svg(facts, ranks(facts.tree, facts.language), "ranks"),
        "priors": tables.prior_rows(facts),
        "versions": sorted((clean(k), clean(v)) for k, v in versions.items()),
        "seed": clean(facts.tree.attrs.get("seed", "–")),
        "method": clean(facts.tree.attrs.get("method", "–")),
        "reason": _reason(facts),
        "data_hash": clean(facts.tree.attrs.get("data_hash", "–")),
        "draws_line": facts.say(
            "report.draws_line", chains=chains, draws=customers(draws, facts.language)
        ),
    }


def _reason(facts: Facts) -> str:
    reason = facts.attribute("method_reason")
    if isinstance(reason, dict) and "key" in reason:
        values = {"method": facts.tree.attrs.get("method", ""), **reason.get("values", {})}
        return clean(facts.say(reason["key"], **values))
    return clean(reason) if reason else ""


def _svg(facts: Facts, figure: Any, key: str) -> Any:
    from markupsafe import Markup

    # Matplotlib escapes the texts of a figure itself, and `to_svg` has parsed the result.
    return Markup(style.to_svg(figure, key, facts.say(f"report.alt.{key}")))  # noqa: S704
