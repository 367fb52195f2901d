"""The study file: what it says, and every fault of it at once."""

from pathlib import Path

import pytest

from small_study import NAMES, TOTAL, read, write_study
from softseg.errors import FileError, SchemaError, UsageError
from softseg.study.demo import write_example_study
from softseg.study.file import Study
from softseg.study.reporting import moved, to_toml

SEVERAL = {"number = 2": 'number = "several"\nseveral = [2, 3]\nreference = 2'}
ONE_NUMBER = {"compare = [1, 2, 3]\n": ""}


def faults(folder: Path, changes: dict[str, str]) -> str:
    with pytest.raises(SchemaError, match="Mend the study first") as caught:
        Study.from_toml(write_study(folder, changes))
    return str(caught.value)


def test_a_study_says_what_the_file_says(tmp_path: Path) -> None:
    study = read(tmp_path)
    assert study.segments.fixed == 2
    assert study.ledger.total == TOTAL
    assert study.table_path == tmp_path / "customers.csv"
    assert study.inputs[0] == tmp_path / "study.toml"
    assert [entry.segment for entry in study.programme.segments] == ["Busy", "Quiet"]
    assert study.programme.segments[0].inputs["visit"].per == "customer"
    assert study.checklist.prepared == "2026-03-02"
    assert not study.plug_in


def test_paths_are_seen_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_study(tmp_path / "deep")
    monkeypatch.chdir(tmp_path)
    assert Study.from_toml("deep/study.toml").schema_path == Path("deep/given.toml")


def test_the_study_as_used_reads_back(tmp_path: Path) -> None:
    study = moved(read(tmp_path / "a"), tmp_path / "b")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "study.toml").write_text(to_toml(study), encoding="utf-8")
    again = Study.from_toml(tmp_path / "b" / "study.toml")
    assert again == study
    assert again.table == "../a/customers.csv"


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_example_is_without_faults(tmp_path: Path, language: str) -> None:
    study = Study.from_toml(write_example_study(tmp_path, language))
    assert study.language == language
    assert len(study.programme.segments) == study.segments.fixed == 4
    assert all(e.owner and e.watch and e.strategy for e in study.programme.segments)
    assert all(
        lever.source and lever.evidence == "expert"
        for entry in study.programme.segments
        for lever in entry.inputs.values()
    )


def test_both_examples_calculate_the_same(tmp_path: Path) -> None:
    def numbers(language: str) -> object:
        study = Study.from_toml(write_example_study(tmp_path / language, language))
        return [
            {
                name: lever.model_dump(exclude={"label", "source", "note"})
                for name, lever in entry.inputs.items()
            }
            for entry in study.programme.segments
        ]

    assert numbers("en") == numbers("de")


def test_all_faults_come_at_once_with_their_lines(tmp_path: Path) -> None:
    said = faults(
        tmp_path,
        {
            "number = 2": "number = 1",
            "handling = 10.0": "handling = -1.0",
            "tolerance = 0.05": "tolerance = 1.5",
            "[checklist]": "[checklist]\npreparde = 1",
        },
    )
    assert "faults found: 3" in said
    assert "- segments.handling, line 12: Give at least 0, got -1." in said
    assert "- ledger.tolerance, line 17: Give at most 1, got 1.5." in said
    assert "checklist.preparde, line 53: Remove preparde" in said
    assert "Is prepared meant?" in said


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"number = 2": "number = 1"}, "segments.number, line 9: Give at least 2 segments, got 1"),
        ({"number = 2": 'number = "som"'}, 'or as "choose" or "several", got som'),
        ({"number = 2": "number = 2.5"}, 'or as "choose" or "several", got 2.5'),
        ({"number = 2": "number = true"}, 'or as "choose" or "several", got true'),
        ({"number = 2": 'number = "several"'}, "reference, the number of segments"),
        ({"number = 2": 'number = "several"'}, "List at least two different numbers"),
        (SEVERAL, "Remove compare"),
        (SEVERAL | {"reference = 2": "reference = 4"}, "Choose the reference out of 2, 3, got 4"),
        ({"number = 2": "number = 2\nseveral = [2, 3]"}, 'Set number = "several"'),
        ({NAMES: '["A", "B", "C"]'}, "expected 2, got 3"),
        ({NAMES: '["A", "A"]'}, "Give each segment its own name, got A, A"),
        ({'segment = "Busy"': 'segment = "Buzy"'}, "programme, Buzy, segment, line 23: Name a"),
        ({'segment = "Busy"': "segment = 3"}, "out of Quiet, Busy, or give its number, got 3"),
        ({'segment = "Busy"': "segment = 1"}, "Put everything for Quiet into one entry"),
        ({'value = "revenue"': 'value = "turnover"'}, "got turnover. Known are revenue"),
        ({"customers.csv": "none.csv"}, "table, line 3: Check this path"),
        ({"given.toml": "none.toml"}, "schema, line 4: Check this path"),
        ({"company.toml": "none.toml"}, "assumptions, line 5: Check this path"),
        ({"low = 2.0": "low = 9.0"}, "programme, Busy, inputs.cross.low, line"),
        ({'effect = "price"': 'effect = "prize"'}, "Is price meant?"),
        ({'unit = "EUR/year"': 'unit = "USD/year"'}, "Convert the amounts to EUR"),
        ({"per =": "pre ="}, "Remove pre: there is no such entry here. Is per meant?"),
        ({"inputs.visit]": "inputs.Visit]"}, "Give an id of small letters"),
        ({"compare = [1, 2, 3]": "compare = [0]"}, "Give at least 1, got 0"),
        ({"total = ": "total = -"}, "Give more than 0"),
        ({'language = "en"': 'language = "fr"'}, "Choose one of en, de, got fr"),
        ({"seed = 5": 'seed = 5\nplug_in = "yes"'}, "plug_in, line 7: Give true or false, got yes"),
        ({'per = "customer"': 'base = "nothing"'}, "nothing"),
    ],
)
def test_faults_between_the_parts(tmp_path: Path, changes: dict[str, str], expected: str) -> None:
    assert expected in faults(tmp_path, changes)


def test_a_chosen_number_takes_segments_by_number(tmp_path: Path) -> None:
    chosen = {"number = 2": 'number = "choose"', f"names = {NAMES}\n": ""}
    assert "Give the segment by its number" in faults(tmp_path, chosen)
    numbered = {'segment = "Busy"': "segment = 2", 'segment = "Quiet"': 'segment = "1"'}
    assert read(tmp_path, chosen | numbered).segments.fixed is None


def test_a_study_needs_a_programme(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    text = path.read_text(encoding="utf-8")
    cut = text[: text.index("[[programme")] + text[text.index("[checklist]") :]
    path.write_text(cut, encoding="utf-8")
    with pytest.raises(SchemaError, match="Write a programme for at least one segment"):
        Study.from_toml(path)


def test_faults_of_the_other_files_are_listed_too(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    company = tmp_path / "company.toml"
    text = company.read_text(encoding="utf-8")
    company.write_text(text.replace("low = 20.0", "low = 50.0"), encoding="utf-8")
    (tmp_path / "given.toml").write_text("version = 1\n[indicators]\n", encoding="utf-8")
    with pytest.raises(SchemaError, match="faults found: 2") as caught:
        Study.from_toml(path)
    assert "company.toml: contribution_margin.low, line" in str(caught.value)
    assert "given.toml: Name at least one indicator" in str(caught.value)


def test_one_currency(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    schema = tmp_path / "given.toml"
    text = schema.read_text(encoding="utf-8")
    schema.write_text(text.replace("EUR", "CHF"), encoding="utf-8")
    with pytest.raises(SchemaError, match="the value column is in CHF"):
        Study.from_toml(path)


def test_faults_in_german(tmp_path: Path) -> None:
    path = write_study(tmp_path, {"number = 2": "number = 1", 'language = "en"': 'language = "de"'})
    with pytest.raises(SchemaError, match="Zeile 9: Mindestens 2 Segmente angeben"):
        Study.from_toml(path)
    with pytest.raises(SchemaError, match="line 9: Give at least 2 segments"):
        Study.from_toml(path, "en")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"there is no file none\.toml"):
        Study.from_toml(tmp_path / "none.toml")
    deep = tmp_path / "deep.toml"
    deep.write_text("a = " + "[" * 5000 + "]" * 5000, encoding="utf-8")
    with pytest.raises(SchemaError, match="nested too deeply"):
        Study.from_toml(deep)


def test_names_may_change_and_the_programme_follows(tmp_path: Path) -> None:
    study = read(tmp_path).renamed(("Klein", "Groß"))
    assert study.segments.names == ("Klein", "Groß")
    assert [entry.segment for entry in study.programme.segments] == ["Groß", "Klein"]
    with pytest.raises(UsageError, match="Give 2 different names"):
        study.renamed(("Klein",))
    with pytest.raises(UsageError, match="Give 2 different names"):
        study.renamed(("Klein", "Klein"))
