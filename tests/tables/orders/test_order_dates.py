"""Days: ISO, German, packed; 03/04/2011 only where something settles it; zones never mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softseg.tables.orders.dates import Dates, read_dates
from softseg.tables.schema import ReadingSchema


def read(cells: Sequence[Any], **stated: Any) -> Dates:
    return read_dates(pd.Series(cells), ReadingSchema(), **stated)


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["2011-04-03", "2011-4-3"], ["2011-04-03", "2011-04-03"]),
        (["2011-04-03 08:26:00", "2011-04-03T23:59:59.5"], ["2011-04-03", "2011-04-03"]),
        (["2011/04/03"], ["2011-04-03"]),
        (["3.4.2011", "03.04.2011 8:26"], ["2011-04-03", "2011-04-03"]),
        (["19970101", "20110403"], ["1997-01-01", "2011-04-03"]),
        ([19970101, 20110403], ["1997-01-01", "2011-04-03"]),
        (["03/04/2011", "13/04/2011"], ["2011-04-03", "2011-04-13"]),
        (["03/04/2011", "03/13/2011"], ["2011-03-04", "2011-03-13"]),
        (["2011-04-03T23:30:00Z"], ["2011-04-03"]),
        (["2011-04-03", None, ""], ["2011-04-03", "NaT", "NaT"]),
    ],
)
def test_days(cells: list[Any], days: list[str]) -> None:
    dates = read(cells)
    np.testing.assert_array_equal(dates.days, np.array(days, dtype="datetime64[D]"))
    np.testing.assert_array_equal(dates.missing, np.isnat(dates.days))
    for mask in (dates.bad, dates.ambiguous, dates.mixed, dates.zones):
        assert not mask.any()


def test_columns_of_times() -> None:
    stamps = pd.Series(pd.to_datetime(["2011-04-03 23:30", None]))
    assert str(read_dates(stamps, ReadingSchema()).days[0]) == "2011-04-03"
    utc = stamps.dt.tz_localize("UTC")
    assert str(read_dates(utc, ReadingSchema()).days[0]) == "2011-04-03"
    berlin = read_dates(utc, ReadingSchema(), time_zone="Europe/Berlin")
    assert str(berlin.days[0]) == "2011-04-04"


@pytest.mark.parametrize(
    "cell", ["2011-02-30", "31.4.2011", "01.02.11", "1/2/11", "April", "40636", "2011-13-01", "0"]
)
def test_what_is_no_date(cell: str) -> None:
    dates = read(["2011-04-03", "2011-04-04", cell])
    assert (dates.bad | dates.mixed).tolist() == [False, False, True]
    assert np.isnat(dates.days[2])


def test_two_readings_are_refused_unless_something_settles_them() -> None:
    assert read(["03/04/2011", "05/06/2011"]).ambiguous.all()
    assert read(["13/04/2011", "04/13/2011", "1/1/2011"]).ambiguous.all()
    stated = read(["03/04/2011"], order="month-first")
    assert str(stated.days[0]) == "2011-03-04"
    wrong = read(["03/04/2011", "13/04/2011"], order="month-first")
    assert wrong.bad.tolist() == [False, True]


def test_two_ways_of_writing_are_named() -> None:
    assert read(["2011-04-03", "2011-04-03", "3.4.2011"]).mixed.tolist() == [False, False, True]


def test_zones_are_not_mixed() -> None:
    summer = ["2011-01-03T23:30+01:00", "2011-01-04T23:30+01:00", "2011-07-03T23:30+02:00"]
    assert read(summer).zones.tolist() == [False, False, True]
    assert read([*summer[:2], "2011-07-03T23:30"]).zones.tolist() == [False, False, True]
    assert read(summer[:2]).zone == "+01:00"
    berlin = read(summer, time_zone="Europe/Berlin")
    assert not berlin.zones.any()
    assert str(berlin.days[2]) == "2011-07-03"
    assert str(read(["2011-07-03T23:30Z"], time_zone="Europe/Berlin").days[0]) == "2011-07-04"
    assert read(["2011-07-03T23:30"], time_zone="Europe/Berlin").zones.all()


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d"]))
def test_what_is_written_is_read(day: Any, form: str) -> None:
    text = day.strftime(form)
    if not text.startswith(f"{day.year:04d}") and f"{day.year:04d}" not in text:
        return  # years below 1000 lose their zeros on some systems
    assert read([text]).days[0] == np.datetime64(day, "D")
