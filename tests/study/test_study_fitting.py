"""The first stage: a number that is chosen, and names that have to fit."""

from pathlib import Path
from typing import Any

import pytest

from small_run import QUICK, write_small
from small_study import NAMES, TOO_SHORT, read
from softseg.errors import DataError, NotConverged, UsageError
from softseg.runs.choice import StoredChoice
from softseg.runs.folder import open_run
from softseg.runs.segment import segment
from softseg.study.fitted import FITTED, Fitted
from softseg.study.names import by_number, names_of
from softseg.tables.schema import Schema

CHOOSE = {"number = 2": 'number = "choose"'}


def chosen(number: int | None) -> Any:
    """Return a choice that is made at once."""

    def choose(*_: Any, **__: Any) -> StoredChoice:
        rows = ({"n_segments": 2, "bic": 1.0}, {"n_segments": 3, "bic": 2.0})
        return StoredChoice("", number, (("choose.recommended", {"k": 2.0}),), rows)

    return choose


@pytest.mark.parametrize(
    ("number", "error", "expected"),
    [
        (None, NotConverged, "with no number up to 8 do the segments hold"),
        (1, DataError, "the table speaks for one segment"),
        (3, DataError, "Write the programme for 3 segments, or set the number to 2"),
    ],
)
def test_a_choice_that_does_not_fit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int | None,
    error: type[Exception],
    expected: str,
) -> None:
    monkeypatch.setattr("softseg.runs.choosing.choose_file", chosen(number))
    with pytest.raises(error, match=expected):
        read(tmp_path, CHOOSE).run(tmp_path / "run")


def test_a_chosen_number_is_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softseg.runs.choosing.choose_file", chosen(2))
    found = read(tmp_path, CHOOSE | TOO_SHORT).run(tmp_path / "run", until="segments")
    assert found.ran == ("segments",)
    run = open_run(tmp_path / "run" / "segments")
    assert run.manifest.options.segments == 2
    assert run.manifest.options.names == ("Quiet", "Busy")
    assert (run.folder / "choice.csv").is_file()


def test_numbers_that_were_fitted_are_not_fitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from softseg.runs import segment as runs

    several = {"number = 2": 'number = "several"\nseveral = [2, 3]\nreference = 3'}
    several |= {f"names = {NAMES}\n": "", "compare = [1, 2, 3]\n": ""}
    several |= {'"Busy"\nst': '"2"\nst', '"Quiet"\n\n[pro': '"1"\n\n[pro'}
    fit, fitted = runs.segment, []

    def segment(*given: Any, **more: Any) -> Any:
        fitted.append(given[2].segments)
        if len(fitted) == 2:
            raise OSError("the power is gone")
        return fit(*given, **more)

    monkeypatch.setattr(runs, "segment", segment)
    folder = tmp_path / "run"
    study = read(tmp_path, several | TOO_SHORT)
    with pytest.raises(OSError, match="the power is gone"):
        study.run(folder, until="segments")
    study.run(folder, until="segments")
    assert fitted == [2, 3, 3]
    assert not (folder / FITTED).exists()


RARE = ("file", "manifest", "note", "list", "text")


@pytest.mark.parametrize(
    "change", ["key", "options", *(pytest.param(change, marks=pytest.mark.slow) for change in RARE)]
)
def test_only_what_the_same_study_has_fitted_counts(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "segments-2"
    table, schema = write_small(tmp_path)
    run = segment(table, Schema.from_toml(schema), QUICK, folder, cores=1).run
    fitted = Fitted(tmp_path, "a key")
    assert not fitted.has(folder, QUICK)
    fitted.add(folder)
    assert fitted.has(folder, QUICK)
    options = QUICK
    if change == "key":
        fitted = Fitted(tmp_path, "another key")
    elif change == "options":
        options = QUICK.model_copy(update={"draws": 401})
    elif change == "file":
        (folder / "report.html").write_text("", encoding="utf-8")
    elif change == "manifest":
        manifest = run.manifest.model_copy(update={"table": "other.csv"})
        (folder / "manifest.json").write_bytes(manifest.to_bytes())
    else:
        content = {"note": "{", "list": "[]", "text": '{"key": "a key", "manifests": "x"}'}
        (tmp_path / FITTED).write_text(content[change], encoding="utf-8")
    assert not fitted.has(folder, options)


def test_names_have_to_be_as_many_as_segments(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Give 3 different names"):
        names_of(read(tmp_path), 3)


def test_segments_are_numbered_where_they_have_no_name(tmp_path: Path) -> None:
    bare = {f"names = {NAMES}\n": "", '"Busy"\nst': '"2"\nst', '"Quiet"\n\n[pro': '"1"\n\n[pro'}
    study = read(tmp_path, bare)
    assert names_of(study, 2) == ("1", "2")
    assert by_number(study, ("1", "2")) == study
