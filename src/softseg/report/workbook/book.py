"""The whole workbook: results, assumptions, scenarios, draws and audit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from softseg.decisions.answers.scenarios import centre, scenario_values
from softseg.decisions.inputs.dependence import original
from softseg.decisions.inputs.units import read_unit
from softseg.decisions.model.simulate import Simulation
from softseg.report.workbook import draws_sheet, results_sheet
from softseg.report.workbook.audit_sheet import write_audit
from softseg.report.workbook.cells import Book
from softseg.report.workbook.draws_sheet import write_draws
from softseg.report.workbook.inputs_sheet import write_assumptions
from softseg.report.workbook.results_sheet import HasHeadline, write_results, write_stress
from softseg.report.workbook.scenario_sheet import write_scenarios
from softseg.results.files import replace_file

CENTRAL: Final = "central"
"""The scenario in which every input has its central value."""
DRAWS: Final = 2000


def write_workbook(
    simulation: Simulation,
    answers: HasHeadline,
    path: Path | str,
    language: str = "en",
    *,
    n_draws: int = DRAWS,
    seed: int | None = None,
    versions: Mapping[str, str] | None = None,
) -> str:
    """Write the workbook and return the file's SHA-256.

    Parameters
    ----------
    simulation
        What was drawn.
    answers
        What it says; the headline is read.
    path
        Where to; an existing file is replaced at once, or left as it is if anything fails.
    language
        ``en`` or ``de``.
    n_draws
        Draws to show, evenly from the first ones of every replicate.
    seed, versions
        Of the draws, for the audit sheet.

    Raises
    ------
    FileError
        Where the file cannot be written.
    """
    content = workbook_bytes(
        simulation, answers, language, n_draws=n_draws, seed=seed, versions=versions
    )
    return replace_file(path, content, language)


def workbook_bytes(
    simulation: Simulation,
    answers: HasHeadline,
    language: str = "en",
    *,
    n_draws: int = DRAWS,
    seed: int | None = None,
    versions: Mapping[str, str] | None = None,
) -> bytes:
    """Return the content of the file that `write_workbook` writes."""
    assumptions = simulation.assumptions
    book = Book(language, assumptions.currency)
    front = book.sheet("results")
    stress = write_stress(front, assumptions.title)
    given = write_assumptions(book, assumptions, scenario_cells(simulation))
    results = write_scenarios(book, assumptions, given)
    drawn = book.sheet("draws")
    columns = write_draws(drawn, simulation, stress, n_draws)
    n_replicates, n_each = simulation.shape
    write_results(front, results, columns, answers, stress, given.hurdle, n_replicates * n_each)
    values = {
        scenario: {name: cell.value for name, cell in cells.items()}
        for scenario, cells in given.values.items()
    }
    n_shown = len(columns["npv"].values)
    same = write_audit(book, simulation, results, values, seed, versions, n_shown)
    drawn.state(draws_sheet.STATE, 0, same)
    front.state(results_sheet.STATE, 0, same)
    return book.close()


def scenario_cells(simulation: Simulation) -> dict[str, dict[str, float]]:
    """Return every input in use by scenario and id, in its own unit.

    Inputs that a scenario does not set have their central values; copies follow their originals.
    """
    assumptions = simulation.assumptions
    named = {CENTRAL: {}, **scenario_values(simulation)}
    found: dict[str, dict[str, float]] = {}
    for scenario, pinned in named.items():
        found[scenario] = {}
        for name in simulation.draws.values:
            base = pinned.get(name, pinned.get(original(assumptions, name)))
            base = centre(simulation, name) if base is None else base
            own = base / read_unit(assumptions.inputs[name].unit).scale
            # 0.29 / 0.01 is 28.999999999999996: fifteen digits are what was entered.
            found[scenario][name] = float(f"{own:.15g}")
    return found
