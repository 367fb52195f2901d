"""How many segments: criteria in order, recommendation in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from builders import frame_of, schema_of, truth
from softseg.inference.choose import choose, picture_shift, recommend
from softseg.inference.loo import LooResult
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


class _Stub:
    """What `recommend` reads of a candidate, with numbers of our choosing."""

    def __init__(self, k: int, elpd: float, bic: float, picture: float, *, refused: bool = False):
        n = 100
        self.n_segments, self.bic, self.icl, self.usable = k, bic, bic, not refused
        pointwise = np.full(n, elpd / n) + 0.01 * np.sin(np.arange(n) * k)
        count = np.ones(n)
        self.loo = LooResult(elpd, 1.0, 1.0, np.zeros(n), 0.0, pointwise, count)
        self.picture = np.full((n, 2), picture)
        self.fit = SimpleNamespace(statistics=SimpleNamespace(count=count))


def _keys(*stubs: _Stub) -> tuple[int | None, list[str]]:
    found = recommend(stubs)  # type: ignore[arg-type]
    return found.recommended, [key for key, _ in found.reasons]


def test_criteria_that_never_turn_leave_the_choice_to_the_picture():
    """Prediction improves for ever, the picture of the customers settles at three."""
    pictures = {1: 0.0, 2: 1.0, 3: 2.0, 4: 2.03, 5: 2.05}
    stubs = [_Stub(k, 100.0 * k, -100.0 * k, p) for k, p in pictures.items()]
    k, keys = _keys(*stubs)
    assert k == 3
    assert "choose.settled" in keys
    assert "choose.never_turns" in keys


def test_prediction_that_stops_improving_decides():
    stubs = [_Stub(k, e, -e, 3.0 * k) for k, e in {1: 0.0, 2: 50.0, 3: 50.05}.items()]
    k, keys = _keys(*stubs)
    assert k == 2
    assert "choose.loo" in keys
    assert "choose.never_turns" not in keys


def test_the_largest_usable_number_claims_nothing_beyond_itself():
    stubs = [_Stub(k, 50.0 * k, -50.0 * k, 3.0 * k, refused=k == 4) for k in (1, 2, 3, 4)]
    k, keys = _keys(*stubs)
    assert k == 3
    assert "choose.refused" in keys
    assert not {"choose.loo", "choose.settled"} & set(keys)


def test_no_usable_number_recommends_none():
    assert _keys(_Stub(1, 0.0, 0.0, 0.0, refused=True)) == (None, ["choose.none"])


def test_more_than_eight_are_warned_about():
    stubs = [_Stub(k, 50.0 * k, -50.0 * k, 3.0 * k) for k in range(1, 10)]
    k, keys = _keys(*stubs)
    assert k == 9
    assert "choose.too_many" in keys
