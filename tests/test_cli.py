"""The command line: the way from a file nobody prepared to a run folder, and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from small_run import QUICK_FLAGS, small_frame, write_small
from softseg.cli import app
from softseg.cli.console import harmless
from softseg.runs.lock import locked
from softseg.wording import say

RUNNER = CliRunner()


def call(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Return what a command says on its two streams, after looking at its exit code."""
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.stdout, result.stderr


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write_small(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A run folder and what `softseg segment` said."""
    folder = tmp_path_factory.mktemp("cli")
    table, schema = write_small(folder)
    flags = ("--schema", schema, *QUICK_FLAGS, "--out", folder / "run")
    said = call("segment", table, *flags, "--names", "[/] A,Müller [b]")
    return folder / "run", *said


# --- help


def test_help_is_light() -> None:
    code = (
        "import sys\nsys.argv = ['softseg', '--help']\nfrom softseg.cli import main\n"
        "try:\n    main()\nexcept SystemExit as left:\n    assert not left.code\n"
        "heavy = {'pymc', 'arviz', 'matplotlib', 'numpy', 'pandas', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    commands = ("init", "check", "choose", "segment", "score", "report", "rerun", "demo")
    assert all(f"  {command} " in done.stdout for command in commands)


def test_version_and_unknown_option() -> None:
    assert call("--version")[0].startswith("0.")
    assert "No such option" in call("segment", "--bogus", code=2)[1]


# --- init and check


def test_init_check_and_back(tmp_path: Path) -> None:
    table, _ = write_small(tmp_path, small_frame().rename(columns={"margin": "margin [/] %"}))
    schema = tmp_path / "schema.toml"
    said, _ = call("init", table, "--out", schema)
    assert "margin [/] %" in said
    assert schema.read_text(encoding="utf-8").startswith("#")
    said, _ = call("check", table, "--schema", schema)
    assert "Ready to fit: 120 customers" in said
    assert "margin [/] % (gaussian)" in said


def test_init_replaces_nothing_unasked(files: tuple[Path, Path]) -> None:
    table, schema = files
    before = schema.read_text(encoding="utf-8")
    assert "replace the file with --force" in call("init", table, "--out", schema, code=2)[1]
    assert schema.read_text(encoding="utf-8") == before
    call("init", table, "--out", schema, "--force", "--language", "de")
    assert 'language = "de"' in schema.read_text(encoding="utf-8")


def test_a_basis_may_be_shortened(files: tuple[Path, Path], tmp_path: Path) -> None:
    call("init", files[0], "--basis", "behaviour", "--out", tmp_path / "b.toml")
    assert "[indicators.orders]" in (tmp_path / "b.toml").read_text(encoding="utf-8")
    _, said = call("init", files[0], "--basis", "x", "--out", tmp_path / "x.toml", code=2)
    assert "Choose a basis out of value, behavioural, needs, technographic, got x" in said


def test_check_names_all_faults_at_once(tmp_path: Path) -> None:
    frame = small_frame().astype({"orders": object})
    frame.loc[2, "orders"] = "many"
    frame.loc[5, "customer"] = "KD-00004"
    table, schema = write_small(tmp_path, frame)
    _, said = call("check", table, "--schema", schema, code=3)
    assert 'Error: Write plain numbers into the column "orders"' in said
    assert "Keep one row per customer" in said
    assert "Not ready to fit, errors: 2." in said
    assert "KD-" not in said
    _, said = call("check", table, "--schema", schema, "--language", "de", code=3)
    assert "So nicht zu schätzen, Fehler: 2." in said


def test_check_proposes_a_schema_where_none_is_given(files: tuple[Path, Path]) -> None:
    said, beside = call("check", files[0])
    assert "one was proposed" in beside
    assert "Ready to fit" in said


# --- exit codes


def test_missing_files_and_bad_schemas(files: tuple[Path, Path], tmp_path: Path) -> None:
    table, schema = files
    nowhere = tmp_path / "none.csv"
    assert "there is no file" in call("check", nowhere, "--schema", schema, code=4)[1]
    assert "Check the schema file" in call("check", table, "--schema", nowhere, code=4)[1]
    schema.write_text("version = 1\n[indicators]\norders = 'poison'\n", encoding="utf-8")
    assert "poison" in call("check", table, "--schema", schema, code=3)[1]


@pytest.mark.parametrize("given", ["0", "four", "2.5", "-1"])
def test_a_strange_number_of_segments(files: tuple[Path, Path], given: str) -> None:
    _, said = call("segment", files[0], "--schema", files[1], "--segments", given, code=2)
    assert f"got {given}" in said


def test_names_have_to_fit(files: tuple[Path, Path]) -> None:
    table, schema = files
    flags = ("--schema", schema, "--segments", 3, "--names", "A,B")
    assert "Give 3 different names" in call("segment", table, *flags, code=2)[1]


def test_a_locked_folder(files: tuple[Path, Path], tmp_path: Path) -> None:
    table, schema = files
    with locked(tmp_path / "run"):
        flags = ("--schema", schema, *QUICK_FLAGS, "--out", tmp_path / "run")
        assert "another run" in call("segment", table, *flags, code=5)[1]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Interrupted"),
        (ZeroDivisionError("secret KD-00001"), 1, "An unexpected error (ZeroDivisionError)"),
        (MemoryError(), 1, "Use a machine with more memory"),
        (OSError(28, "No space left on device"), 4, "No space left on device"),
    ],
)
def test_other_errors_are_one_sentence(
    files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    words: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.delenv("SOFTSEG_DEBUG", raising=False)
    monkeypatch.setattr("softseg.tables.check.check", fail)
    _, said = call("check", files[0], "--schema", files[1], code=code)
    assert words in said
    assert "Traceback" not in said
    assert "KD-" not in said
    assert len(said.splitlines()) == 1


def test_debug_shows_where_an_error_came_from(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("here")

    monkeypatch.setenv("SOFTSEG_DEBUG", "1")
    monkeypatch.setattr("softseg.tables.check.check", fail)
    result = RUNNER.invoke(app, ["check", str(files[0]), "--schema", str(files[1])])
    assert isinstance(result.exception, ZeroDivisionError)


# --- the way through


def test_segment_says_what_it_found(made: tuple[Path, str, str]) -> None:
    folder, said, log = made
    assert "120 customers fall into 2 segments" in said
    assert f"Report: {folder / 'report.html'}" in said
    assert "[/] A" in said
    assert "read and check the table" in log
    assert log.splitlines()[-1].endswith("s: done")
    assert "\x1b" not in said + log
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["options"]["names"] == ["[/] A", "Müller [b]"]
    assert manifest["options"]["seed"] == 1


def test_report_in_german(made: tuple[Path, str, str]) -> None:
    folder = made[0]
    said, _ = call("report", folder, "--language", "de")
    assert said == f"Bericht: {folder / 'report.html'}\n"
    assert '<html lang="de">' in (folder / "report.html").read_text(encoding="utf-8")
    call("report", folder, "--language", "en")


def test_score(made: tuple[Path, str, str], tmp_path: Path) -> None:
    folder = made[0]
    table, _ = write_small(tmp_path, small_frame()[:7])
    said, _ = call("score", folder, table)
    assert said.startswith("7 customers: ")
    assert (folder / "scores-customers.parquet").is_file()
    changed, _ = write_small(tmp_path, small_frame()[:7].assign(online="maybe"))
    assert "maybe" in call("score", folder, changed, code=3)[1]
    _, said = call("score", folder, changed, "--unseen", "missing", "--language", "de")
    assert 'Die Spalte "online" hat Zellen' in said
    assert "cannot be read" in call("score", tmp_path, table, code=4)[1]


def test_rerun(made: tuple[Path, str, str], tmp_path: Path) -> None:
    said, _ = call("rerun", made[0] / "manifest.json", "--out", tmp_path / "again")
    assert said.startswith("The same draws and memberships, bit for bit.\nFolder: ")
    fewer, _ = write_small(tmp_path, small_frame()[:100])
    said, _ = call("rerun", made[0], "--out", tmp_path / "again", "--table", fewer, code=3)
    assert "The data have changed" in said


def test_a_failed_gate_leaves_the_folder_and_says_so(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema = files
    monkeypatch.chdir(table.parent)
    flags = ("--schema", schema, "--segments", 2, "--draws", 10, "--tune", 20, "--starts", 2)
    said, log = call("segment", table, *flags, code=6)
    folder = Path("customers-segments")
    assert f"Report: {folder / 'report.html'}" in said
    assert (folder / "memberships.parquet").is_file()
    assert say("report.withheld") in log
    _, log = call("score", folder, table, code=6)
    assert "the gate refused the fit" in log


@pytest.mark.slow
def test_choose_then_segment(files: tuple[Path, Path], tmp_path: Path) -> None:
    table, schema = files
    flags = ("--schema", schema, "--out", tmp_path / "run")
    few = ("--draws", 400, "--tune", 100, "--starts", 4)
    said, _ = call("choose", table, *flags, *few, "--to", 2)
    assert "Take 2 segments." in said
    assert (tmp_path / "run" / "choice.csv").is_file()
    assert (tmp_path / "run" / "figures" / "choice.svg").is_file()
    assert (tmp_path / "run" / "figures" / "alluvial.svg").is_file()
    assert "marginal likelihood favours 2" in said
    call("segment", table, *flags, *QUICK_FLAGS)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert {"choice.csv", "choice.json", "figures/choice.svg"} <= set(manifest["files"])
    said, _ = call(
        "segment", table, "--schema", schema, *QUICK_FLAGS, "--out", tmp_path / "next",
        "--previous", tmp_path / "run",
    )  # fmt: skip
    assert "what differs is noise" in said
    assert "Take 2 segments." in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    _, said = call("choose", table, *flags, "--from", 4, "--to", 2, code=2)
    assert "--from 4 is greater than --to 2" in said


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_any_console(files: tuple[Path, Path], encoding: str) -> None:
    table, schema = files
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for arguments in (["check", table, "--schema", schema], ["init", table, "--force"]):
        command = [sys.executable, "-c", "from softseg.cli import main; main()", *arguments]
        done = subprocess.run(
            [*map(str, command), "--language", "de"],
            capture_output=True,
            check=False,
            env=environment,
            cwd=table.parent,
        )
        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stdout + done.stderr


def test_control_characters_are_not_printed() -> None:
    assert harmless("a\x1b[31mb\x07\n\tc\x9b") == "a[31mb\n\tc"


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    said, log = call("demo", "--out", tmp_path / "demo")
    lines = said.splitlines()
    assert lines[0].startswith("1,200 customers fall into 4 segments")
    assert len(lines) == 6
    assert lines[-1] == f"Report: {tmp_path / 'demo' / 'report.html'}"
    assert (tmp_path / "demo" / "customers.csv").is_file()
    assert "write the example" in log
