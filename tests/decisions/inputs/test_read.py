"""Assumptions are read from TOML, and every fault has its line, in both languages."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softseg.decisions.inputs.lines import toml_lines
from softseg.decisions.inputs.read import read_assumptions
from softseg.errors import FileError, SchemaError
from softseg.tables.document import write_toml

GOOD = """\
# [inputs.revenue] in a comment is no table
title = "Programme = \\"one\\" [inputs.price]"
horizon = 5

[inputs.revenue]
role = "revenue"
unit = "MEUR/year"
value = 50

[inputs]
realisation = { role = "realisation", unit = "%", low = 20, high = 80 }
no_effect.role = "no_effect"
no_effect.unit = "%"
no_effect.value = 25

[inputs."margin"]
role = "contribution_margin"
unit = "%"
low = 25
high = 45
date = 2026-03-31

[inputs.price]
role = "revenue_effect"
effect = "price"
unit = "%"
base = "revenue"
low = 8
high = 15
profile = { start = 2, ramp = [
    0.5,
    1.0,
] }
note = '''
low = 3
'''
"""
BAD = [
    ("horizon = 5", "horizon = 0", "horizon, line 3: Give at least 1, got 0", "Mindestens 1"),
    ("horizon = 5\n", "", "horizon: Add horizon", "horizon ergänzen"),
    ("horizon = 5", "horizon = 5\nhurdel = 1", "line 4: .*Is hurdle meant", "Ist hurdle gemeint"),
    ("horizon = 5", 'horizon = 5\ncurrency = "eur"', "line 4: .*ISO code", "ISO-Code"),
    ("horizon = 5", 'horizon = 5\nzzz = "eur"', "line 4: .*Known are title", "Bekannt sind title"),
    (
        "low = 8",
        "low = 18",
        "price.low, line 28: Swap low and high",
        "Zeile 28: low und high tauschen",
    ),
    (
        "value = 25",
        "value = 125",
        "no_effect.value, line 14: Give a share between 0 and 100 %",
        "Zeile 14",
    ),
    (
        "low = 8",
        'family = "lognormal"\nlow = -8',
        "price.low, line 29: Give a low above 0",
        "Zeile 29",
    ),
    (
        'base = "revenue"\n',
        "",
        "price.base, line 23: Say of what this is a share",
        "Angeben, wovon",
    ),
    (
        'base = "revenue"',
        'base = "revnue"',
        "price.base, line 27: .*Is revenue meant",
        "Ist revenue gemeint",
    ),
    ("MEUR/year", "Mio", "revenue.unit, line 7: Choose a known unit", "Eine bekannte Einheit"),
    (
        "MEUR/year",
        "MUSD/year",
        "revenue.unit, line 7: Convert the amounts to EUR",
        "in EUR umrechnen",
    ),
    (
        "low = 8",
        'low = "8"',
        "price.low, line 28: Give a number without quotes, got 8",
        "Eine Zahl ohne",
    ),
    ("low = 8", "low = nan", "price.low, line 28: Give a finite number", "Eine endliche Zahl"),
    ("low = 8", "low = true", "price.low, line 28: Give a number", "Eine Zahl"),
    (
        "low = 8",
        'low = 8\npublished = "ja"',
        "line 29: Give true or false, got ja",
        "true oder false",
    ),
    (
        "start = 2",
        "start = 1.5",
        "price.profile.start, line 30: Give a whole number",
        "Eine ganze Zahl",
    ),
    ("start = 2", "start = 0", "price.profile.start, line 30: Give at least 1", "Mindestens 1"),
    ("start = 2", "strt = 2", "price.profile.strt, line 30: .*Is start meant", "Ist start gemeint"),
    ("    1.0,", '    "x",', "price.profile.ramp.1, line 32: Give a number", "Eine Zahl"),
    ("low = 8", "low = 8\nsure = 0", "price.sure, line 29: Give more than 0", "Mehr als 0"),
    ("low = 8", "low = 8\nsure = 90", "price.sure, line 29: Give at most 1", "Höchstens 1"),
    (
        '"price"\nunit',
        '"prize"\nunit',
        "line 25: Choose a known word: prize is none. Is price meant",
        "Ist price gemeint",
    ),
    ('"price"\nunit', '"zzz"\nunit', "line 25: Choose one of price, volume", "Eines von price"),
    ("2026-03-31", '"31.03.2026"', "margin.date, line 21: Give a date of the form", "Ein Datum"),
    (
        "[inputs.price]",
        "[inputs.Price]",
        "Price, line 23: Give an id of small letters",
        "Kennung aus kleinen",
    ),
    (
        'unit = "%"\nbase',
        "unit = 3\nbase",
        "price.unit, line 26: Give text in quotes",
        "Text in Anführungszeichen",
    ),
    ('base = "revenue"', "base = 3", "price.base, line 27: Give a list in brackets", "Eine Liste"),
    (
        "profile = { start = 2, ramp = [\n    0.5,\n    1.0,\n] }",
        "profile = 3",
        "price.profile, line 30: Give a table",
        "Eine Tabelle",
    ),
    ('role = "contribution_margin"\n', "", "margin.role, line 16: Add role", "role ergänzen"),
    ("low = 8", "lowest = 8", "price.lowest, line 28: Remove lowest", "lowest entfernen"),
]


def write(folder: Path, text: str) -> Path:
    path = folder / "assumptions.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file(tmp_path: Path) -> None:
    found = read_assumptions(write(tmp_path, GOOD))
    assert found.inputs["price"].base == ("revenue",)
    assert found.inputs["price"].profile.ramp == (0.5, 1.0)
    assert str(found.inputs["margin"].date) == "2026-03-31"
    assert found.inputs["price"].note == "low = 3\n"


@pytest.mark.parametrize(("old", "new", "english", "german"), BAD)
def test_bad_input_has_a_sentence_with_its_line(
    tmp_path: Path, old: str, new: str, english: str, german: str
) -> None:
    assert GOOD.count(old) >= 1
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(SchemaError, match=f"faults found: 1.\n- .*{english}"):
        read_assumptions(path, "en")
    with pytest.raises(SchemaError, match=f"gefundene Fehler: 1.\n- .*{german}"):
        read_assumptions(path, "de")


def test_a_range_is_told_with_a_decimal_comma(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("low = 8", "low = 18.5"))
    with pytest.raises(SchemaError, match=r"low = 18,5 % liegt über high = 15 %"):
        read_assumptions(path, "de")


def test_circles_and_impossible_correlations(tmp_path: Path) -> None:
    circle = '[inputs.a]\nrole = "base"\nunit = "%"\nvalue = 1\nbase = "b"\n'
    circle += circle.replace(".a]", ".b]").replace('"b"', '"a"')
    with pytest.raises(SchemaError, match=r"a.base, line 41: .* circle of bases: a → b → a"):
        read_assumptions(write(tmp_path, GOOD + circle))
    pairs = [("price", "margin", 0.95), ("price", "realisation", 0.95)]
    pairs.append(("margin", "realisation", -0.95))
    lines = [
        f'[[dependence.correlations]]\nbetween = ["{a}", "{b}"]\nrank = {r}' for a, b, r in pairs
    ]
    with pytest.raises(SchemaError, match=r"dependence, line 37: "):
        read_assumptions(write(tmp_path, GOOD + "\n".join(lines)))
    lines[1] = lines[1].replace("0.95", "1.5")
    with pytest.raises(SchemaError, match=r"dependence.correlations.1.rank, line 42: Give at most"):
        read_assumptions(write(tmp_path, GOOD + "\n".join(lines)))


def test_all_faults_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("horizon = 5", "horizon = 0").replace("MEUR", "MUSD")
    text = text.replace('effect = "price"', "").replace("low = 25", "low = 55")
    with pytest.raises(SchemaError) as raised:
        read_assumptions(write(tmp_path, text))
    said = str(raised.value).split("\n")
    assert said[0] == "Mend the assumptions first, faults found: 4."
    assert [line.split(":")[0] for line in said[1:]] == [
        "- horizon, line 3",
        "- revenue.unit, line 7",
        "- margin.low, line 19",
        "- price.effect, line 23",
    ]


def test_the_language_of_the_file_is_the_language_of_its_faults(tmp_path: Path) -> None:
    path = write(tmp_path, 'language = "de"\n' + GOOD.replace("horizon = 5", "horizon = 0"))
    with pytest.raises(SchemaError, match="Zuerst die Annahmen"):
        read_assumptions(path)


@pytest.mark.parametrize("inputs", ["inputs = 3", "inputs = { a = 3 }", "[inputs]"])
def test_inputs_that_are_none(tmp_path: Path, inputs: str) -> None:
    with pytest.raises(SchemaError, match=r"- (inputs|a), line 2: "):
        read_assumptions(write(tmp_path, f"horizon = 1\n{inputs}\n"))


def test_wrong_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"Give the assumptions as TOML or Excel: .* got a\.csv"):
        read_assumptions(tmp_path / "a.csv")
    with pytest.raises(FileError, match=r"Den Pfad der Annahmen prüfen: Die Datei a\.toml"):
        read_assumptions(tmp_path / "a.toml", "de")
    with pytest.raises(SchemaError, match=r"Mend the TOML of assumptions\.toml, line 1"):
        read_assumptions(write(tmp_path, "horizon = "))
    (tmp_path / "latin.toml").write_bytes('title = "Händler"'.encode("latin-1"))
    with pytest.raises(FileError, match=r"Save latin\.toml as UTF-8"):
        read_assumptions(tmp_path / "latin.toml")
    broken = tmp_path / "a.xlsx"
    broken.write_text("no workbook")
    with pytest.raises(FileError, match=r"Save 'a\.xlsx' as \.xlsx anew"):
        read_assumptions(broken)
    shutil.copy(write(tmp_path, GOOD), tmp_path / "B.TOML")
    assert read_assumptions(tmp_path / "B.TOML").horizon == 5


@pytest.mark.parametrize("depth", [300, 5000])
@pytest.mark.parametrize("head", ["title =", "[inputs.a]\nlow ="])
def test_deeply_nested_lists_are_refused(tmp_path: Path, depth: int, head: str) -> None:
    path = write(tmp_path, f"horizon = 5\n{head} {'[' * depth}{']' * depth}\n")
    with pytest.raises(SchemaError, match="Take lists out of lists"):
        read_assumptions(path)


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ("low = 8", "low = 8,5", 28, "low = 8,5"),
        ('role = "no_effect"', "role = no_effect", 12, "no_effect.role = no_effect"),
        ("low = 8", "low = 8\nlow = 9", 29, "low = 9"),
        ("[inputs.price]\nrole", "[inputs.margin]\nrole", 23, r"\[inputs.margin\]"),
        ('role = "no_effect"', 'role = "no_effect', 12, 'no_effect.role = "no_effect'),
        ("[inputs.price]\nrole", '[inputs.price]\nnote = """\nrole', 37, "'''"),
    ],
)
def test_a_slip_in_the_toml_is_said_in_both_languages(
    tmp_path: Path, old: str, new: str, line: int, text: str
) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SchemaError, match=rf"Mend the TOML of .*, line {line}, which reads {text}"):
        read_assumptions(path, "en")
    with pytest.raises(SchemaError, match=rf"berichtigen, Zeile {line} mit dem Text {text}: In"):
        read_assumptions(path, "de")


def test_the_language_of_a_file_that_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"berichtigen, Zeile 2 mit dem Text horizon = 0,5"):
        read_assumptions(write(tmp_path, 'language = "de"\nhorizon = 0,5\n'))
    with pytest.raises(SchemaError, match=r"berichtigen, Zeile 2 mit dem Text ="):
        read_assumptions(write(tmp_path, "\n="), "de")


def test_lines_of_arrays_inline_tables_and_strings() -> None:
    text = (
        'a."b.c" = 1 # x = 2\n'
        '[[t]]\nk = """\n[no]\n\\"""\\\n""" # c\n'
        "[[t]]\nk = [ { z = 'a#]' }, # c, ]\n  { z = 2, y.x = 3 } ]\n"
        "[t.sub]\nw = 1979-05-27T07:32:00Z\n[\"q\\u0041\"]\n'l' = '''\n'''''\nm = 1\n"
    )
    assert toml_lines(text.replace("\n", "\r\n")) == toml_lines(text) == {
        ("a",): 1, ("a", "b.c"): 1, ("t",): 2, ("t", "0"): 2, ("t", "0", "k"): 3,
        ("t", "1"): 7, ("t", "1", "k"): 8, ("t", "1", "k", "0"): 8, ("t", "1", "k", "0", "z"): 8,
        ("t", "1", "k", "1"): 9, ("t", "1", "k", "1", "z"): 9, ("t", "1", "k", "1", "y"): 9,
        ("t", "1", "k", "1", "y", "x"): 9, ("t", "1", "sub"): 10, ("t", "1", "sub", "w"): 11,
        ("qA",): 12, ("qA", "l"): 13, ("qA", "m"): 15,
    }  # fmt: skip


values = st.recursive(
    st.integers() | st.text() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_every_key_of_any_document_has_a_line(data: dict[str, Any]) -> None:
    def keys(value: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        found = [path] if path else []
        if isinstance(value, dict | list):
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            for key, part in parts:
                found += keys(part, (*path, str(key)))
        return found

    text = write_toml(data, {})
    lines = toml_lines(text)
    assert set(lines) == set(keys(data, ()))
    assert max(lines.values(), default=0) <= text.count("\n") + 1
