"""``softseg roi``: the default command and those below it, what they say, and their exit codes."""

import datetime
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from roi_builders import UNIFORM
from small_roi import EXAMPLE, QUICK, stand_ins
from softseg.cli import app
from softseg.cli.console import fail
from softseg.cli.roi import check
from softseg.cli.roi_found import findings
from softseg.decisions.answers.collect import collect
from softseg.decisions.inputs.read import read_assumptions
from softseg.decisions.inputs.schema import Assumptions
from softseg.decisions.inputs.write import to_toml
from softseg.decisions.model.simulate import RoiModel
from softseg.runs.lock import locked
from softseg.runs.roi import run_roi

RUNNER = CliRunner()
FEW = ("--draws", "32", "--replicates", "2")


def call(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Return what a command says on its two streams, after looking at its exit code."""
    result = RUNNER.invoke(app, ["roi", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.stdout, result.stderr


@pytest.fixture
def quick() -> Iterator[None]:
    """Stand-ins for what takes long, and for the sentences that need all answers."""
    with stand_ins(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("softseg.cli.roi_found.findings", lambda *_: ["Found."])
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(to_toml(EXAMPLE), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli_roi") / "run"
    with stand_ins():
        run_roi(EXAMPLE, path, QUICK)
    return path


@pytest.fixture
def folder(made: Path, tmp_path: Path, quick: None) -> Path:
    """A folder of one's own."""
    return Path(shutil.copytree(made, tmp_path / "run"))


# --- help and usage


def test_help_shows_options_and_commands() -> None:
    for arguments in (("--help",), ("-h",), ("plan.toml", "--help")):
        said, _ = call(*arguments)
        assert said.startswith("Usage: softseg roi [OPTIONS] FILE\n       softseg roi COMMAND")
        assert "--example" in said
        assert "by default FILE-roi" in said
        commands = ("template", "check", "rerun", "freeze", "verify", "diff")
        assert all(f"\n  {command} " in said for command in commands)
        assert "\n  run " not in said
    assert "--approver" in call("freeze", "--help")[0]


def test_neither_file_nor_example_is_a_usage_error() -> None:
    assert "Give a file of assumptions, or --example" in call(code=2)[1]
    assert "Eine Datei mit Annahmen angeben" in call("--language", "de", code=2)[1]


def test_both_file_and_example_are_a_usage_error(file: Path) -> None:
    assert "got plan.toml and --example" in call(file, "--example", code=2)[1]


def test_unknown_options_name_the_group(file: Path) -> None:
    _, said = call(file, "--bogus", code=2)
    assert "Usage: softseg roi [OPTIONS] [FILE]" in said
    assert "No such option" in said
    assert "unexpected extra argument" in call(file, "second", code=2)[1]


def test_a_slip_in_a_command_is_named(file: Path) -> None:
    assert "There is no command 'chekc'. Did you mean 'check'?" in call("chekc", file, code=2)[1]
    assert "Commands are template, check, rerun" in call("look", file, code=2)[1]
    assert "got look" in call("look", "--seed", 2, code=4)[1]


def test_a_reader_that_leaves_ends_a_command_quietly(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        with pytest.raises(typer.Exit) as left:
            check(file)
        assert left.value.exit_code == 141
        print("what comes after goes nowhere", flush=True)
        with pytest.raises(typer.Exit):
            err_to_nobody(monkeypatch)


def err_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write an error to a stream that nobody reads."""
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "w") as stream, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        fail("said to nobody", 3)


def test_draws_are_a_power_of_two(file: Path) -> None:
    assert "such as 512 / 1024: got 1000" in call(file, "--draws", 1000, code=2)[1]


# --- the calculation


def test_a_file_becomes_a_folder(file: Path, tmp_path: Path, quick: None) -> None:
    said, _ = call(file, *FEW, "--seed", 7, "--language", "de", "--out", tmp_path / "run")
    assert said.startswith("Found.\nBericht: ")
    assert said.rstrip().endswith("report.html")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["options"] == {"replicates": 2, "draws": 32, "seed": 7, "language": "de"}


def test_the_folder_is_named_after_the_file(
    file: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call(file, *FEW)
    assert (tmp_path / "plan-roi" / "roi.nc").is_file()
    call("--example", *FEW, "--language", "de")
    text = (tmp_path / "roi-example" / "assumptions.toml").read_text(encoding="utf-8")
    assert "Umsatz heute" in text


def test_a_file_named_like_a_command_needs_its_path(
    file: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(file, "check.toml")
    assert "Found." in call("./check.toml", *FEW)[0]


def test_faults_are_data_errors(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("low = 75000", "low = 750000"), encoding="utf-8")
    for arguments in ((file,), ("check", file)):
        _, said = call(*arguments, code=3)
        assert "savings" in said
        assert "line" in said
    assert not (tmp_path / "plan-roi").exists()


def test_missing_files_and_locked_folders(file: Path, tmp_path: Path, quick: None) -> None:
    assert "there is no file" in call(tmp_path / "none.toml", code=4)[1]
    with locked(tmp_path / "run"):
        assert "another run" in call(file, *FEW, "--out", tmp_path / "run", code=5)[1]
    assert "plan.toml is a file" in call(file, *FEW, "--out", file, code=2)[1]


# --- template and check


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_toml_template_is_the_example(tmp_path: Path, language: str) -> None:
    path = tmp_path / "plan.toml"
    said, _ = call("template", path, "--language", language)
    assert f"softseg roi check {path}" in said
    assert path.read_text(encoding="utf-8").startswith("# ")
    said, _ = call("check", path)
    assert ("14 Annahmen, davon 11" if language == "de" else "14 assumptions, 11 of them") in said


def test_the_workbook_template_has_to_be_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "plan.xlsx"
    call("template", path)
    assert "G2" in call("check", path, code=3)[1]


def test_the_workbook_template_filled_in_is_the_example(tmp_path: Path) -> None:
    path = tmp_path / "beispiel.xlsx"
    call("template", path, "--example", "--language", "de")
    found, example = read_assumptions(path), RoiModel.example("de").assumptions
    assert (found.inputs, found.dependence) == (example.inputs, example.dependence)


def test_templates_replace_nothing_unasked(file: Path, tmp_path: Path) -> None:
    before = file.read_text(encoding="utf-8")
    assert "replace the file with --force" in call("template", file, code=2)[1]
    assert file.read_text(encoding="utf-8") == before
    call("template", file, "--force")
    assert file.read_text(encoding="utf-8") != before
    assert "ends in .xlsx or .toml" in call("template", tmp_path / "plan.csv", code=2)[1]


def test_check_names_repairs_and_what_has_no_source(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    contradiction = "".join(
        f'\n[[dependence.correlations]]\nbetween = ["{a}", "{b}"]\nrank = {rank}\n'
        for a, b, rank in (
            ("savings", "learning", 0.9),
            ("savings", "margin_uplift", 0.9),
            ("learning", "margin_uplift", 0.6),
        )
    )
    text = text[: text.index("[dependence")] + contradiction
    file.write_text(text.replace("note =", "owner ="), encoding="utf-8")
    said, beside = call("check", file)
    assert "Ready to calculate" in said
    assert "Without a source: contribution_margin" in said
    assert "! The rank correlations contradict each other; instead of" in beside


# --- rerun


def test_rerun_says_whether_the_draws_are_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, _ = call("rerun", folder / "manifest.json")
    assert said.startswith("The same draws, bit for bit.")
    assert (folder.parent / "run-rerun" / "roi.nc").is_file()
    monkeypatch.setattr("softseg.runs.roi_repeat._same_draws", lambda old, new: False)
    said, _ = call("rerun", folder, "--out", folder.parent / "x", "--language", "de", code=3)
    assert "Die Ziehungen sind nicht dieselben." in said
    assert f"{folder.parent.name} is none" in call("rerun", folder.parent, code=4)[1]
    itself = ("rerun", folder, "--out", folder, "--language")
    assert "Choose another folder" in call(*itself, "en", code=2)[1]
    assert "einen anderen Ordner wählen" in call(*itself, "de", code=2)[1]


# --- sign-off


def test_freeze_and_verify(folder: Path) -> None:
    said, _ = call("freeze", folder, "--approver", "M. Beispiel", "--note", "agreed")
    assert f"Signed off by M. Beispiel on {datetime.date.today().isoformat()}: 6 files" in said
    assert "Signed numbers: mean net present value €" in said
    assert "Nothing has changed since M. Beispiel" in call("verify", folder)[0]
    assert "Use --again" in call("freeze", folder, "--approver", "X", code=2)[1]
    (folder / "roi.csv").write_text("other")
    _, said = call("verify", folder, "--language", "de", code=3)
    assert "geändert: roi.csv" in said
    assert "before signing" in call("freeze", folder, "--approver", "X", "--again", code=4)[1]
    (folder / "manifest.json").unlink()
    assert "missing: manifest.json" in call("verify", folder, code=3)[1]
    assert "Sign off first" in call("verify", folder.parent, code=4)[1]
    assert "there is no nowhere" in call("verify", folder / "nowhere", code=4)[1]
    assert "there is no nowhere" in call("freeze", "nowhere", "--approver", "X", code=4)[1]
    assert "Missing option '--approver'" in call("freeze", folder, code=2)[1]


def test_a_signed_folder_stays(file: Path, folder: Path) -> None:
    call("freeze", folder, "--approver", "M. Beispiel")
    assert "is signed off" in call(file, *FEW, "--out", folder, code=2)[1]


# --- diff


def test_diff_prints_steps_that_add_up(file: Path, folder: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("high = 250000", "high = 500000")
    file.write_text(text.replace("horizon = 5", "horizon = 6"), encoding="utf-8")
    other = tmp_path / "other"
    call(file, *FEW, "--out", other, "--language", "de")
    said, _ = call("diff", folder, other, "--out", tmp_path / "steps.csv", "--language", "en")
    for text in ("Horizon", "6 years", "95,000 – 500,000 EUR", "± ", "order of the file"):
        assert text in said
    lines = (tmp_path / "steps.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "kind,name,label,before,after,change,change_error,value"
    assert len(lines) == 3
    said, _ = call("diff", folder, other)
    assert "Zeithorizont" in said
    assert "Erste Rechnung" in said


def test_diff_of_equal_folders(folder: Path) -> None:
    assert "No number has changed" in call("diff", folder, folder)[0]
    assert "Give a folder that softseg roi" in call("diff", folder, folder.parent, code=4)[1]


def test_diff_names_what_changed_in_words_only(file: Path, folder: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("Revenue today", "Revenue")
    file.write_text(text, encoding="utf-8")
    call(file, *FEW, "--out", tmp_path / "other")
    said, _ = call("diff", folder, tmp_path / "other")
    assert "Only texts, units or the evidence grade changed, no number, of: revenue." in said


# --- what was found


def test_five_lines_say_what_was_found() -> None:
    simulation = RoiModel.example().simulate(2, 64)
    answers = collect(simulation)
    lines = findings(simulation, answers, "en")
    assert len(lines) == 5
    starts = ("Net present value over 5 years: ", "It pays in ", "ROI (net present value per ")
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=False))
    assert "in 90 of 100 cases" in lines[0]
    assert "If it surely worked" in lines[0]
    assert "Counted the published way" in lines[2]
    assert all(lines)
    german = findings(simulation, answers, "de")
    assert german[0].startswith("Kapitalwert über 5 Jahre: ")
    assert "\N{NO-BREAK SPACE}€" in german[0]


def test_a_programme_beside_a_uniform_one_says_so_first() -> None:
    campaign = UNIFORM["campaign"] | {"base": ()}
    beside = Assumptions.model_validate(
        EXAMPLE.model_dump()
        | {"counterfactual": "uniform"}
        | {"inputs": EXAMPLE.model_dump()["inputs"] | {"campaign": campaign}}
    )
    simulation = RoiModel(beside).simulate(2, 64)
    lines = findings(simulation, collect(simulation), "de")
    assert len(lines) == 6
    assert lines[0].startswith("Maßstab ist das beste Programm ohne Segmente")


def test_points_have_no_band() -> None:
    fixed = {"value": 1.0, "low": None, "high": None, "likely": None, "family": None}
    inputs = {
        name: entry.model_copy(update=fixed) if entry.value is None else entry
        for name, entry in EXAMPLE.inputs.items()
    }
    inputs["no_effect"] = inputs["no_effect"].model_copy(update={"value": 0.0})
    plain = EXAMPLE.model_copy(update={"inputs": inputs, "dependence": type(EXAMPLE.dependence)()})
    simulation = RoiModel(plain.model_copy(update={"scenarios": {}})).simulate(2, 2)
    lines = findings(simulation, collect(simulation), "en")
    assert "in 90 of 100 cases" not in lines[0]
    assert lines[2].startswith("ROI (net present value per amount spent): ")
    free = {n: e.model_copy(update={"value": 0.0}) if "cost" in e.role else e
            for n, e in inputs.items()}  # fmt: skip
    simulation = RoiModel(plain.model_copy(update={"inputs": free, "scenarios": {}})).simulate(2, 2)
    assert findings(simulation, collect(simulation), "en")[2].startswith("There is no ROI")
