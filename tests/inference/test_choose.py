"""How many segments of a table: criteria in order, recommendation in words."""

import numpy as np
import pytest

from builders import frame_of, schema_of, truth
from softseg.inference.choice import picture_shift
from softseg.inference.choose import choose
from softseg.tables.prepare import prepare
from softseg.wording import LANGUAGES

KINDS = {"x": "gaussian", "n": "poisson", "c": "categorical", "v": "lognormal"}


@pytest.fixture(scope="module")
def choice():
    frame, _ = frame_of(KINDS, truth(KINDS, (0.5, 0.3, 0.2)), 300, np.random.default_rng(4))
    table = prepare(frame, schema_of(KINDS))
    return choose(table, range(1, 6), n_draws=150, n_tune=50, n_starts=5, seed=1)


def test_the_true_number_is_recommended(choice):
    assert choice.recommended == 3


def test_the_table_has_one_row_per_number(choice):
    table = choice.table
    assert table["n_segments"].tolist() == [1, 2, 3, 4, 5]
    assert table["bic"].idxmin() == 2
    assert table["gate_status"].isin(["good", "failed"]).all()
    assert (table["hit_rate"] > 0).all()
    assert table["entropy_r2"].iloc[1:].between(0, 1).all()
    assert table["elpd_loo"].iloc[2] > table["elpd_loo"].iloc[0]


def test_log_likelihood_is_that_of_one_segment_in_closed_form(choice):
    assert choice.table["smallest_segment"].iloc[0] == pytest.approx(300.0)


def test_the_picture_moves_much_until_the_true_number_and_little_after(choice):
    assert choice.shifts[1] > 2 * choice.shifts[2]
    first = choice.candidates[0]
    assert picture_shift(first, first) == 0.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_recommendation_is_said_in_sentences(choice, language):
    text = choice.text(language)
    assert "3" in text[0]
    assert all(sentence.endswith(".") for sentence in text)
    assert not any("{" in sentence for sentence in text)


def test_evidence_and_occupied_segments_stand_beside_prediction(choice):
    table = choice.table.set_index("n_segments")
    assert table["log_evidence"].idxmax() == 3
    assert table["p_k"].sum() == pytest.approx(1.0)
    assert table.loc[3, "p_k"] > 0.9
    assert table["p_occupied"].idxmax() == 3
    assert (table["log_evidence_se"] < 0.5).all()
    keys = [key for key, _ in choice.reasons]
    assert {"choose.evidence", "choose.occupied", "choose.agree"} <= set(keys)


def test_flows_say_who_goes_where_and_which_segments_stay(choice):
    assert [f.shape for f in choice.flows] == [(1, 2), (2, 3), (3, 4), (4, 5)]
    assert all(f.sum() == pytest.approx(300.0) for f in choice.flows)
    found = dict(choice.reasons)
    assert ("choose.survive" in found) or ("choose.survive_none" in found)
