"""The first stage: a number that is chosen, and names that have to fit."""

from pathlib import Path
from typing import Any

import pytest

from small_study import NAMES, TOO_SHORT, read
from softseg.errors import DataError, NotConverged, UsageError
from softseg.runs.choice import StoredChoice
from softseg.runs.folder import open_run
from softseg.study.names import by_number, names_of

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


def test_names_have_to_be_as_many_as_segments(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Give 3 different names"):
        names_of(read(tmp_path), 3)


def test_segments_are_numbered_where_they_have_no_name(tmp_path: Path) -> None:
    bare = {f"names = {NAMES}\n": "", '"Busy"\nst': '"2"\nst', '"Quiet"\n\n[pro': '"1"\n\n[pro'}
    study = read(tmp_path, bare)
    assert names_of(study, 2) == ("1", "2")
    assert by_number(study, ("1", "2")) == study
