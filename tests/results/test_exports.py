import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.worlds import World
from softseg.errors import UsageError
from softseg.results.exports import (
    harmless,
    memberships_frame,
    profile_frame,
    write_csv,
    write_memberships,
    write_profiles,
)
from softseg.results.files import sha256


def ids(n: int) -> tuple[str, ...]:
    return tuple(f"K{i:03d}" for i in range(n))


def test_memberships_are_written_with_their_ids(mixed: World, tmp_path):
    membership = mixed.tree["membership"].to_dataset()
    path = tmp_path / "memberships.parquet"
    digest = write_memberships(path, membership, ids(80), id_column="kunde")
    assert digest == sha256(path)
    back = pq.read_table(path).to_pandas()
    assert back["kunde"].tolist() == list(ids(80))
    assert back["row"].tolist() == list(range(1, 81))
    np.testing.assert_array_equal(back["membership_2"], membership["mean"][:, 1])
    np.testing.assert_array_equal(back["membership_2_lower"], membership["lower"][:, 1])
    assert set(back["top_name"]) <= {"Größte", "Mittlere", "Übrige"}
    assert (back["needs_review"] == (back["verdict"] != "clear")).all()


def test_without_ids_rows_are_named_by_their_number(mixed: World):
    frame = memberships_frame(mixed.tree["membership"].to_dataset())
    assert frame.columns[0] == "row"


def test_memberships_as_csv_on_request(mixed: World, tmp_path):
    path = tmp_path / "memberships.csv"
    write_memberships(path, mixed.tree["membership"].to_dataset(), ("=1+1", *ids(79)))
    back = pd.read_csv(path, encoding="utf-8-sig")
    assert back["customer"][0] == "'=1+1"
    np.testing.assert_allclose(back["p_top"], mixed.tree["membership"]["p_top"], rtol=1e-12)


def test_the_wrong_number_of_ids_is_refused(mixed: World):
    with pytest.raises(UsageError, match="Give one id per customer: expected 80, got 2"):
        memberships_frame(mixed.tree["membership"].to_dataset(), ids(2))


def test_profiles_have_a_row_per_line_and_segment(mixed: World, tmp_path):
    profile = mixed.tree["profile"].to_dataset()
    frame = profile_frame(profile)
    assert len(frame) == profile.sizes["line"] * 3
    chosen = frame[(frame["indicator"] == "orders") & (frame["segment"] == 2)]
    line = int(np.flatnonzero(profile["line_indicator"].values == "orders")[0])
    assert chosen["mean"].item() == profile["mean"].values[line, 1]
    assert chosen["segment_name"].item() == "Mittlere"
    path = tmp_path / "profiles.csv"
    assert write_profiles(path, profile) == sha256(path)
    back = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=True)
    np.testing.assert_allclose(back["lift_upper"], frame["lift_upper"], rtol=1e-12)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")


PAYLOADS = [
    start + rest
    for start in ("=", "+", "-", "@", "\t", "\r", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    for rest in ("", "1+1", "cmd|' /C calc'!A0", 'HYPERLINK("http://x")', "SUM(A1)", "x,y", "ü\n")
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_texts_are_no_formulas(payload: str):
    assert harmless(payload) == "'" + payload


def test_numbers_stay_numbers(tmp_path):
    frame = pd.DataFrame({"=x": [-3.5, 2.0], "text": ["-3.5", "plain"], "mixed": [None, "@a"]})
    path = tmp_path / "a.csv"
    write_csv(path, frame)
    back = pd.read_csv(io.BytesIO(path.read_bytes()), encoding="utf-8-sig")
    assert list(back.columns) == ["'=x", "text", "mixed"]
    assert back["'=x"].tolist() == [-3.5, 2.0]
    assert back["text"].tolist() == ["'-3.5", "plain"]
    assert back["mixed"][1] == "'@a"


@given(st.text(min_size=1).filter(lambda t: t[0].isalnum()))
def test_other_texts_are_left_alone(text: str):
    assert harmless(text) == text
