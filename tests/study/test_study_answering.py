"""The answers of a study as tables: the customers to begin with, and every number with its unit."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from small_study import done_study, frame


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of a study that has been done stand, beside its folder."""
    return done_study(tmp_path_factory).folder.parent


def test_the_customers_to_begin_with(done: Path) -> None:
    first = pd.read_csv(done / "run" / "customers_first.csv")
    table = frame().set_index("customer")
    assert first["rank"].tolist() == [*range(1, len(first) + 1)]
    assert np.allclose(first["amount"], table.loc[first["customer"], "revenue"])
    assert set(first["segment_name"]) <= {"Quiet", "Busy"}
    assert first["net"].is_monotonic_decreasing


def test_the_long_table(done: Path) -> None:
    found = pd.read_csv(done / "run" / "study.csv")
    assert {"headline", "choices", "split", "number", "by_segment"} <= set(found["answer"])
    assert "first_customers" not in set(found["answer"])
    assert set(found.loc[found["quantity"] == "mean_npv", "unit"]) == {"EUR"}


@pytest.mark.parametrize(
    ("answer", "quantity", "unit"),
    [
        ("implied", "stated_uplift", "share"),
        ("implied", "segment_uplift", "share"),
        ("choices", "treat", "flag"),
        ("choices", "mean_rank", "rank"),
        ("choices", "best_mean_npv", "EUR"),
        ("number", "recommended", "segments"),
        ("regret", "segment_of_group", "segment"),
        ("split", "variance", "EUR²"),
        ("split", "share", "share"),
    ],
)
def test_the_long_table_says_what_its_numbers_are(
    done: Path, answer: str, quantity: str, unit: str
) -> None:
    found = pd.read_csv(done / "run" / "study.csv")
    rows = found[(found["answer"] == answer) & (found["quantity"] == quantity)]
    assert set(rows["unit"]) == {unit}
