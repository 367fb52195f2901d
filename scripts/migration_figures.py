"""Figures of docs/migration.md, drawn from a run folder that `softseg migrate` has written.

python scripts/migration_figures.py moves
"""

import sys
from pathlib import Path

from softseg.report.figures.migration_fan import migration_fan
from softseg.report.figures.migration_transitions import transition_map
from softseg.report.style import to_svg
from softseg.runs.folder import open_run
from softseg.runs.migrate import model_of

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images" / "migration"
HORIZON = 12


def main(folder: str) -> int:
    """Write both figures."""
    model = model_of(open_run(Path(folder), "en"))
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, figure, title in (
        ("transitions", transition_map(model.transitions()), "Where customers go in a month"),
        ("fan", migration_fan(model.projection(HORIZON)), "Customers per state, a year ahead"),
    ):
        svg = to_svg(figure, f"migration-{name}", title)
        (IMAGES / f"{name}.svg").write_text(svg.rstrip() + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
