"""``softseg run``: what it says, in both languages, and its exit codes."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner

from small_study import TOO_SHORT, TOTAL, copied, done_study, stand_ins, write_study
from softseg.cli import app
from softseg.cli.study_found import summary
from softseg.runs.lock import locked
from softseg.study.file import Study
from softseg.study.result import StudyResult
from softseg.tables.schema import Schema

RUNNER = CliRunner()


def call(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Return what the command says on its two streams, after looking at its exit code."""
    result = RUNNER.invoke(app, ["run", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A study that the command has done but for the fit, and what it said."""
    base = tmp_path_factory.mktemp("cli_study")
    copied(done_study(tmp_path_factory), base, fitted_only=True)
    with stand_ins(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("softseg.report.study.text.resolve", lambda _: "Resolve it.")
        said, _ = call(base / "study.toml", "--out", base / "run")
        yield base, said


@pytest.fixture
def result(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> StudyResult:
    """The study as it comes back in Python."""
    monkeypatch.setattr("softseg.report.study.text.resolve", lambda _: "Resolve it.")
    return done_study(tmp_path_factory)


def with_choices(result: StudyResult, **changes: object) -> StudyResult:
    """Return a result in which something else was found about whom to treat."""
    assert result.findings is not None
    choices: xr.Dataset = result.findings.parts["choices"].assign(changes)
    parts = {**result.findings.parts, "choices": choices}
    return replace(result, findings=replace(result.findings, parts=parts))


def test_help_names_the_stages() -> None:
    said, _ = call("--help")
    assert "--until" in said
    assert "--example" in said


def test_the_summary_is_for_controllers(done: tuple[Path, str]) -> None:
    base, said = done
    lines = said.splitlines()
    assert 5 <= len(lines) <= 9
    assert "The segment programme is worth" in said
    assert "in 90 of 100 cases" in said
    assert "It pays in" in said
    assert "Busy (" in said
    assert "The range comes from judgement on effects and costs (" in said
    assert "Resolve it." in said
    assert "Done just now: value, money, report." in said
    assert lines[-2] == f"Report: {base / 'run' / 'report.html'}"
    assert lines[-1] == f"Workbook: {base / 'run' / 'study.xlsx'}"


def test_whom_to_treat_is_said_as_on_the_page(result: StudyResult) -> None:
    said = "\n".join(summary(with_choices(result, treat=("segment", [True, False]), pays=True)))
    assert "Treat as planned: Quiet (" in said
    assert "Do not treat as planned: Busy (" in said
    assert "\N{WORD JOINER}" not in said


def test_nobody_is_to_be_treated_where_the_best_choice_does_not_pay(result: StudyResult) -> None:
    changes = {"treat": ("segment", [True, False]), "pays": False, "best_mean_npv": -900.0}
    said = "\n".join(summary(with_choices(result, **changes)))
    assert "Treat" not in said
    assert "Worth more than their own costs: Quiet (" in said
    assert "Yet even the best choice of segments is not expected to pay" in said
    assert "−€900 on average" in said


def test_segments_that_are_too_small_are_not_told(result: StudyResult) -> None:
    assert result.findings is not None
    told = "\n".join(summary(result))
    assert "Busy (" in told
    small = replace(result, findings=replace(result.findings, smallest_cell=1000.0))
    said = "\n".join(summary(small))
    assert "The segment programme is worth" in said
    amounts = [line for line in said.splitlines() if "Busy" in line or "Quiet" in line]
    assert not any("€" in line for line in amounts)


@pytest.mark.slow
def test_names_and_language_can_be_given(done: tuple[Path, str]) -> None:
    base, _ = done
    said, _ = call(
        base / "study.toml", "--out", base / "run", "--language", "de", "--names", "Klein,Groß"
    )
    assert "Das Segmentprogramm ist über 3 Jahre" in said
    assert "Groß (" in said
    assert "Soeben ausgeführt: Bericht." in said
    page = (base / "run" / "report.html").read_text(encoding="utf-8")
    assert "lang=de" in page
    assert "Klein" in page
    assert "nothing, for nothing has changed" not in said


def test_stages_can_be_named(done: tuple[Path, str]) -> None:
    base, _ = done
    said, _ = call(
        base / "study.toml", "--out", base / "run", "--only", "money", "--names", "Small,Large"
    )
    assert "nothing, for up to there nothing has changed" in said
    assert "Not done yet with the present files: report." in said
    assert str(base / "run" / "segments" / "report.html") in said
    assert "study.xlsx" not in said
    assert "not one of 'segments', 'value'" in call(base / "study.toml", "--only", "x", code=2)[1]


def test_before_the_money_the_segments_are_told(result: StudyResult) -> None:
    assert result.findings is not None
    no_money = replace(result.findings, simulation=None, answers=None)
    said = summary(replace(result, findings=no_money, pending=("value", "money", "report")))
    line = next(line for line in said if line.startswith("Segments found: 2"))
    shares = [int(share) for share in re.findall(r"\((\d+)%\)", line)]
    assert "Quiet (" in line
    assert "Busy (" in line
    assert abs(sum(shares) - 100) <= 1
    small = replace(no_money, smallest_cell=1000.0)
    told = "\n".join(summary(replace(result, findings=small)))
    assert "Quiet (" not in told
    refused = replace(no_money, gate="failed")
    assert "Segments found" not in "\n".join(summary(replace(result, findings=refused)))


def test_usage_errors(tmp_path: Path) -> None:
    assert "Give a study file, or --example" in call(code=2)[1]
    assert "Eine Studiendatei angeben" in call("--language", "de", code=2)[1]
    path = write_study(tmp_path)
    assert "got study.toml and --example" in call(path, "--example", code=2)[1]
    assert "Give 2 different names" in call(path, "--names", "One", code=2)[1]


def test_faults_and_missing_files(tmp_path: Path) -> None:
    path = write_study(tmp_path, {"number = 2": "number = 1"})
    assert "line 9: Give at least 2 segments" in call(path, code=3)[1]
    assert "there is no file none.toml" in call(tmp_path / "none.toml", code=4)[1]


def test_the_ledger_and_the_lock_stop_it(tmp_path: Path) -> None:
    path = write_study(tmp_path, {f"total = {TOTAL}"[:8]: "total = 1"})
    assert not call(path, "--out", tmp_path / "run", code=3)[0]
    with locked(tmp_path / "run"):
        assert "another run" in call(path, "--out", tmp_path / "run", code=5)[1]


def test_a_failed_gate_says_what_still_stands(tmp_path: Path) -> None:
    path = write_study(tmp_path, TOO_SHORT)
    with stand_ins():
        said, beside = call(path, "--out", tmp_path / "run", code=6)
    assert not said
    assert beside.count("! ") >= 1
    assert "Report: " in beside
    assert "worth" not in beside


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Study, Path]]:
    """Which studies the command would do from an empty folder, and where to."""
    found: list[tuple[Study, Path]] = []

    def record(study: Study, folder: Path, **options: object) -> None:
        found.append((study, folder))
        raise KeyboardInterrupt

    monkeypatch.setattr("softseg.study.run.run_study", record)
    monkeypatch.chdir(tmp_path)
    return found


def test_the_example_needs_no_file(asked: list[tuple[Study, Path]]) -> None:
    _, said = call("--example", "--language", "de", code=130)
    assert "Derselbe Befehl macht nach der letzten fertigen Stufe weiter." in said
    study, folder = asked[0]
    assert folder == Path("softseg-study")
    assert study.language == "de"
    assert (Path("softseg-study") / "input" / "customers.csv").is_file()


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_example_with_a_panel(asked: list[tuple[Study, Path]], language: str) -> None:
    call("--example", "--panel", "--language", language, code=130)
    study, folder = asked[0]
    assert folder == Path("softseg-study-panel")
    assert study.language == language
    assert Schema.from_toml(study.schema_path).migration is not None
    names = {path.name for path in (folder / "input").iterdir()}
    assert names == {"panel.csv", "schema.toml", "assumptions.toml", "study.toml"}


def test_a_panel_of_ones_own_is_not_asked_for(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    assert "Give --panel together with --example" in call(path, "--panel", code=2)[1]
    said = call("--panel", "--language", "de", code=2)[1]
    assert "--panel zusammen mit --example angeben" in said
