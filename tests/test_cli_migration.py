"""`softseg migrate`, `project` and `warn`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from small_migration import small_synthetic
from softseg.cli import app
from softseg.names import CHURNED
from softseg.results.exports import write_csv
from softseg.runs.folder import open_run
from softseg.runs.migrate import renamed
from softseg.tables.schema import ValueSchema

FLAGS = ["--segments", "3", "--draws", "300", "--tune", "100", "--starts", "4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a panel, its schema, and the run made from them."""
    where = tmp_path_factory.mktemp("migration")
    found = small_synthetic()
    frame = found.frame.assign(revenue=found.frame["orders"] * 10.0)
    frame.to_csv(where / "panel.csv", index=False)
    schema = found.schema.model_copy(update={"value": {"revenue": ValueSchema(currency="EUR")}})
    (where / "panel.toml").write_text(schema.to_toml(), encoding="utf-8")
    result = run("migrate", where / "panel.csv", "--schema", where / "panel.toml", *FLAGS,
                 "--out", where / "run")  # fmt: skip
    assert result.exit_code == 0, result.output
    return where


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_a_run_folder_holds_what_was_found(folder: Path) -> None:
    names = {path.name for path in (folder / "run").iterdir()}
    assert {"manifest.json", "posterior.nc", "schema.toml", "states.csv", "transitions.csv",
            "profiles.csv"} <= names  # fmt: skip
    moves = pd.read_csv(folder / "run" / "transitions.csv")
    sums = moves.groupby("state")["mean"].sum()
    assert sums.to_numpy() == pytest.approx(1.0)
    states = pd.read_csv(folder / "run" / "states.csv")
    assert len(states) == small_synthetic().frame["customer"].nunique()


def test_the_same_run_writes_the_same_draws(folder: Path, tmp_path: Path) -> None:
    result = run("migrate", folder / "panel.csv", "--schema", folder / "panel.toml", *FLAGS,
                 "--out", tmp_path / "again", "--cores", "1")  # fmt: skip
    assert result.exit_code == 0
    for name in ("transitions.csv", "states.csv", "profiles.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / "run" / name).read_bytes()


@pytest.mark.parametrize("language", ["en", "de"])
def test_projection(folder: Path, tmp_path: Path, language: str) -> None:
    target = tmp_path / "ahead.csv"
    result = run("project", folder / "run", "--horizon", 5, "--inflow", "--out", target,
                 "--language", language)  # fmt: skip
    assert result.exit_code == 0
    assert ("New customers come" if language == "en" else "Neue Kunden kommen") in result.output
    found = pd.read_csv(target)
    assert len(found) == 6 * 4
    assert (found["customers_lower"] <= found["customers_upper"]).all()


def test_warning_of_churn_names_customers_in_the_file_alone(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "list.csv"
    result = run("warn", folder / "run", folder / "panel.csv", "--most", 12, "--out", target)
    assert result.exit_code == 0
    listed = pd.read_csv(target)
    assert len(listed) == 12
    assert listed["probability_mean"].is_monotonic_decreasing
    assert not any(name in result.output for name in listed["customer"])


def test_money_asked_for_is_shown(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "ahead.csv"
    result = run("project", folder / "run", "--horizon", 2, "--value", "revenue", "--out", target)
    assert result.exit_code == 0
    assert "revenue (EUR), all states" in result.output
    last = pd.read_csv(target).query("horizon == 2")
    assert set(last["currency"]) == {"EUR"}
    assert f"{last['money_mean'].sum():,.0f} (" in result.output


def test_a_warning_of_unseen_churn_says_who_may_have_gone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "list.csv"
    arguments = ("warn", folder / "run", folder / "panel.csv", "--out", target)
    assert "the column churned" not in run(*arguments).output
    monkeypatch.setattr("softseg.cli.migration.UNSEEN", ("observed",))
    assert "the column churned" in run(*arguments).output
    assert pd.read_csv(target)["churned"].between(0.0, 1.0).all()


def test_warning_of_downgrade_needs_an_order(folder: Path) -> None:
    result = run("warn", folder / "run", folder / "panel.csv", "--of", "downgrade")
    assert result.exit_code == 2
    assert "Give --order with all segments" in result.output
    result = run("warn", folder / "run", folder / "panel.csv", "--of", "downgrade", "--order",
                 "1,3,2")  # fmt: skip
    assert result.exit_code == 0
    assert (folder / "run" / "warning-downgrade.csv").exists()


def test_faults_of_a_panel_are_named_in_words(folder: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(folder / "panel.csv")
    pd.concat([frame, frame.iloc[:2]]).to_csv(tmp_path / "twice.csv", index=False)
    result = run("migrate", tmp_path / "twice.csv", "--schema", folder / "panel.toml", *FLAGS)
    assert result.exit_code == 3
    assert not any(name in result.output for name in frame["customer"].unique()[:5])


def test_a_folder_of_another_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    result = run("project", tmp_path, "--horizon", 3)
    assert result.exit_code == 4
    assert CHURNED not in result.output


def test_inputs_are_not_overwritten(folder: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(folder / "panel.csv")
    frame.to_csv(tmp_path / "states.csv", index=False)
    result = run("migrate", tmp_path / "states.csv", "--schema", folder / "panel.toml", *FLAGS,
                 "--out", tmp_path)  # fmt: skip
    assert result.exit_code == 2
    assert (tmp_path / "states.csv").read_text().startswith("customer")


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder with the choice for a tiny panel, which stands beside it, and what was said."""
    where = tmp_path_factory.mktemp("choice")
    rng, rows = np.random.default_rng(7), []
    for customer in range(40):
        much = customer % 4 == 0
        for month in range(5):
            rows.append((f"C{customer:03}", month, rng.poisson(14 if much else 1)))
            much ^= rng.random() < 0.08
    frame = pd.DataFrame(rows, columns=["customer", "month", "orders"])
    frame.to_csv(where / "tiny.csv", index=False)
    (where / "tiny.toml").write_text(
        'id = "customer"\nperiod = "month"\n[indicators]\norders = "poisson"\n'
        '[migration]\nchurn = "none"\n'
    )
    result = run("choose", where / "tiny.csv", "--schema", where / "tiny.toml", "--to", 3,
                 "--method", "laplace", "--starts", 4, "--out", where / "run")  # fmt: skip
    return where, result


def test_the_number_of_segments_is_chosen_in_words(chosen: tuple[Path, Result]) -> None:
    where, result = chosen
    assert result.exit_code == 0, result.output
    assert "Take 2 segments." in result.output
    assert "ICL" not in result.output
    assert "occupied" not in result.output
    assert "Table and figure" in result.output
    names = {path.relative_to(where / "run").as_posix() for path in (where / "run").rglob("*.*")}
    assert names == {"choice.csv", "choice.json", "figures/choice.svg", "figures/alluvial.svg"}
    table = pd.read_csv(where / "run" / "choice.csv")
    assert table["n_segments"].tolist() == [1, 2, 3]
    assert not {"icl", "p_occupied"} & set(table)


def test_it_is_chosen_in_german(chosen: tuple[Path, Result]) -> None:
    where, english = chosen
    result = run("choose", where / "tiny.csv", "--schema", where / "tiny.toml", "--to", 2,
                 "--method", "laplace", "--starts", 4, "--language", "de")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "2 Segmente nehmen." in result.output
    assert "widersprechen Vorhersage, BIC und marginale Likelihood einander nicht" in result.output
    assert "prediction, BIC and marginal likelihood do not contradict" in english.output


def test_a_range_the_wrong_way_round_and_a_refused_number(chosen: tuple[Path, Result]) -> None:
    where, _ = chosen
    asked = ("choose", where / "tiny.csv", "--schema", where / "tiny.toml", "--draws", 20,
             "--method", "laplace", "--starts", 2)  # fmt: skip
    result = run(*asked, "--from", 4, "--to", 2)
    assert result.exit_code == 2
    assert "--from 4 is greater than --to 2" in result.output
    result = run(*asked, "--from", 1, "--to", 1)  # 80 draws are worth fewer than 400
    assert result.exit_code == 6
    assert "no number of segments passes the gate" in result.output


def test_a_choice_stays_beside_the_run(chosen: tuple[Path, Result]) -> None:
    where, _ = chosen
    result = run("migrate", where / "tiny.csv", "--schema", where / "tiny.toml", "--segments", 2,
                 "--method", "laplace", "--starts", 4, "--out", where / "run")  # fmt: skip
    assert result.exit_code == 0, result.output
    files = {"choice.csv", "choice.json", "figures/choice.svg", "figures/alluvial.svg"}
    assert files <= set(open_run(where / "run").manifest.files)
    before = (where / "run" / "choice.json").read_bytes()
    result = run("report", where / "run", "--language", "de")
    assert result.exit_code == 0, result.output
    assert (where / "run" / "choice.json").read_bytes() == before
    assert "Vorhersage" in (where / "run" / "figures" / "choice.svg").read_text(encoding="utf-8")
    result = run("rerun", where / "run", "--out", where / "again")
    assert result.exit_code == 0, result.output
    assert files <= set(open_run(where / "again").manifest.files)


@pytest.mark.slow
def test_a_folder_is_repeated_and_written_again(folder: Path, tmp_path: Path) -> None:
    result = run("rerun", folder / "run", "--out", tmp_path / "again")
    assert result.exit_code == 0, result.output
    assert "bit for bit" in result.output
    result = run("report", tmp_path / "again", "--language", "de", "--names", "Klein,Mittel,Groß")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "again" / "report.html").read_text(encoding="utf-8")
    assert "Wohin Kunden gehen" in page
    assert "Mittel" in page
    states = pd.read_csv(tmp_path / "again" / "states.csv")
    assert "Groß mean" in states.columns
    assert set(states["top"]) <= {"Klein", "Mittel", "Groß", CHURNED}


def test_other_names_leave_ids_and_figures_as_they_are(tmp_path: Path) -> None:
    text = "id,top,p_top,1 mean,2 mean\n007,2,1.0,0.1,0.9\nNA,1,0.75,0.30000000000000004,0.7\n"
    (tmp_path / "states.csv").write_text(text, encoding="utf-8-sig")
    write_csv(tmp_path / "again.csv", renamed(tmp_path / "states.csv", {"1": "2", "2": "B"}))
    again = (tmp_path / "again.csv").read_text(encoding="utf-8-sig")
    assert again == text.replace("2 mean", "B mean").replace("1 mean", "2 mean").replace(
        "007,2,", "007,B,"
    ).replace("NA,1,", "NA,2,")  # fmt: skip


def test_commands_for_tables_say_what_to_use(folder: Path, tmp_path: Path) -> None:
    result = run("score", folder / "run", folder / "panel.csv")
    assert result.exit_code == 2
    assert "Use softseg warn" in result.output
    result = run("segment", folder / "panel.csv", "--schema", folder / "panel.toml",
                 "--segments", 2, "--out", tmp_path / "run")  # fmt: skip
    assert result.exit_code == 2
    assert "Use softseg migrate" in result.output
