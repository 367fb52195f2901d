"""Records beside a run that are read again: the choice of K, and the earlier run."""

from pathlib import Path

import pytest

from softseg.errors import FileError
from softseg.runs.choice import StoredChoice, read_choice
from softseg.runs.continuing import read_continuity

CHOICE = StoredChoice(
    "abc",
    2,
    (("choose.recommended", {"k": 2}), ("choose.bic", {"bic": 2, "icl": 2})),
    ({"n_segments": 1, "bic": 10.5}, {"n_segments": 2, "bic": 9.25}),
    ([[70.0, 50.0]],),
)


def test_a_choice_reads_back(tmp_path: Path) -> None:
    CHOICE.write(tmp_path)
    assert read_choice(tmp_path, "abc") == CHOICE
    assert read_choice(tmp_path, "other data") is None
    assert read_choice(tmp_path / "nowhere", "abc") is None
    assert CHOICE.text()[0] == "Take 2 segments."
    assert list(CHOICE.table["bic"]) == [10.5, 9.25]


@pytest.mark.parametrize("content", ["{", "[]", '{"data_hash": "abc"}'])
def test_a_damaged_choice_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "choice.json").write_text(content)
    with pytest.raises(FileError, match=r"Remove choice\.json"):
        read_choice(tmp_path, "abc")


def test_a_damaged_record_of_an_earlier_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "continuity.json").write_text('{"links": [1]}')
    with pytest.raises(FileError, match=r"continuity\.json"):
        read_continuity(tmp_path)
    assert read_continuity(tmp_path / "nowhere") is None
