"""How many segments: criteria in order, recommendation in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from builders import frame_of, schema_of, truth
from softseg.inference.choose import Choice, choose, picture_shift, recommend
from softseg.inference.evidence import Evidence
from softseg.inference.loo import LooResult
from softseg.inference.second_opinions import second_opinions
from softseg.inference.telescoping import Occupied
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

    @property
    def compared(self) -> bool:
        return self.usable and self.evidence.usable

    def __init__(self, k: int, elpd: float, bic: float, picture: float, *, refused: bool = False):
        n = 100
        self.n_segments, self.bic, self.icl, self.usable = k, bic, bic, not refused
        pointwise = np.full(n, elpd / n) + 0.01 * np.sin(np.arange(n) * k)
        count = np.ones(n)
        self.loo = LooResult(elpd, 1.0, 1.0, np.zeros(n), 0.0, pointwise, count)
        self.picture = np.full((n, 2), picture)
        self.top = np.arange(n) % k
        self.evidence = Evidence(bic * -0.5, 0.1, "separated", 0.0)
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


def _opinions(occupied_at: int, *, settled: bool = True, error: float = 0.1):
    stubs = [_Stub(k, e, -e, 3.0 * k) for k, e in {1: 0.0, 2: 50.0, 3: 50.05}.items()]
    for stub in stubs:
        stub.evidence = Evidence(stub.evidence.log, error, "separated", 0.0)
    draws = np.full((2, 40), occupied_at)
    level = np.random.default_rng(1).normal(size=(2, 40)) + (0 if settled else [[0.0], [50.0]])
    occupied = Occupied(draws, draws, np.ones((2, 40)), level)
    return dict(second_opinions(stubs, 2, occupied))  # type: ignore[arg-type]


def test_disagreement_is_said_in_words():
    found = _opinions(3)
    assert found["choose.disagree"] == {"loo": 2.0, "evidence": 3.0, "occupied": 3.0}
    texts = _spoken_text("choose.disagree", found["choose.disagree"])
    assert "2" in texts[0]
    assert all(text.endswith(".") and "{" not in text for text in texts)


def test_what_is_not_known_well_enough_is_not_used():
    found = _opinions(2, settled=False, error=0.9)
    assert set(found) == {"choose.no_evidence", "choose.occupied_unsettled"}


def test_the_evidence_of_fits_that_failed_is_left_out_and_said():
    stubs = [_Stub(k, e, -e, 3.0, refused=k == 3) for k, e in {1: 0.0, 2: 50.0, 3: 90.0}.items()]
    found = dict(second_opinions(stubs, 2, None))  # type: ignore[arg-type]
    assert found["choose.evidence"]["k"] == 2.0
    assert found["choose.evidence_refused"] == {"k3": 3.0}
    texts = _spoken_text("choose.evidence_refused", found["choose.evidence_refused"])
    assert all("3" in text and "{" not in text for text in texts)


def _spoken_text(key, values):
    return [Choice((), None, ((key, values),), ()).text(language)[0] for language in LANGUAGES]
