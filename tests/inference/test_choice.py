"""Numbers of segments side by side: which one is taken, and why, in words."""

import numpy as np
import pytest

from softseg.errors import UsageError
from softseg.inference.choice import Choice, numbers_of, picture_shift, recommend
from softseg.inference.evidence import Evidence
from softseg.inference.loo import LooResult
from softseg.inference.second_opinions import second_opinions
from softseg.inference.telescoping import Occupied
from softseg.wording import LANGUAGES


class _Stub:
    """What `recommend` reads of a candidate, with numbers of our choosing."""

    @property
    def compared(self) -> bool:
        return self.usable and self.evidence.usable

    def __init__(self, k: int, elpd: float, bic: float, picture: float, *, refused: bool = False):
        n = 100
        self.n_segments, self.bic, self.icl, self.usable = k, bic, bic, not refused
        pointwise = np.full(n, elpd / n) + 0.01 * np.sin(np.arange(n) * k)
        self.count = count = np.ones(n)
        self.loo = LooResult(elpd, 1.0, 1.0, np.zeros(n), 0.0, pointwise, count)
        self.picture = np.full((n, 2), picture)
        self.top = np.arange(n) % k
        self.evidence = Evidence(bic * -0.5, 0.1, "separated", 0.0)
        self.fit_status, self.passed = "good", True


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


def test_a_number_whose_model_describes_nobody_is_passed_over() -> None:
    """The picture settles at two, whose fit is poor; prediction supports three."""
    stubs = [_Stub(k, e, -e, 0.05 * k) for k, e in {2: 0.0, 3: 50.0, 4: 50.05}.items()]
    assert _keys(*stubs)[0] == 2
    stubs[0].fit_status = "poor"
    k, keys = _keys(*stubs)
    assert k == 3
    assert keys[:2] == ["choose.recommended", "choose.described"]
    said = recommend(stubs).text("de")  # type: ignore[arg-type]
    assert "Mit 2 Segmenten beschreibt das Modell die Kunden nicht (Passung: schlecht)" in said[1]
    stubs[1].fit_status = "poor"  # prediction does not support four
    assert _keys(*stubs)[0] == 2


def test_a_number_taken_before_it_passes_every_check_says_so() -> None:
    stubs = [_Stub(k, e, -e, 3.0 * k) for k, e in {1: 0.0, 2: 50.0, 3: 50.05}.items()]
    assert "choose.slow" not in _keys(*stubs)[1]
    stubs[1].passed = False
    assert "choose.slow" in _keys(*stubs)[1]


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


def _opinions(occupied_at: int, *, settled: bool = True, error: float = 0.1):
    stubs = [_Stub(k, e, -e, 3.0 * k) for k, e in {1: 0.0, 2: 50.0, 3: 50.05}.items()]
    for stub in stubs:
        stub.evidence = Evidence(stub.evidence.log, error, "separated", 0.0)
    draws = np.full((2, 40), occupied_at)
    level = np.random.default_rng(1).normal(size=(2, 40)) + (0 if settled else [[0.0], [50.0]])
    occupied = Occupied(draws, draws, np.ones((2, 40)), level)
    return dict(second_opinions(stubs, {"loo": 2.0}, occupied))  # type: ignore[arg-type]


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
    found = dict(second_opinions(stubs, {"loo": 2.0}, None))  # type: ignore[arg-type]
    assert found["choose.evidence"]["k"] == 2.0
    assert found["choose.evidence_refused"] == {"k3": 3.0}
    texts = _spoken_text("choose.evidence_refused", found["choose.evidence_refused"])
    assert all(text.endswith(": 3.") for text in texts)


def _spoken_text(key, values):
    return [Choice((), None, ((key, values),), ()).text(language)[0] for language in LANGUAGES]


@pytest.mark.parametrize(
    ("rhat", "said"), [(1.5, "1.50"), (float("inf"), "∞"), (float("nan"), "–")]
)
def test_an_r_hat_of_any_kind_is_said(rhat: float, said: str):
    english, _ = _spoken_text("choose.occupied_unsettled", {"rhat": rhat})
    assert f"R-hat {said}" in english


def test_one_known_evidence_favours_nothing():
    stubs = [_Stub(k, e, -e, 3.0 * k) for k, e in {1: 0.0, 2: 50.0}.items()]
    stubs[0].evidence = Evidence(float("nan"), float("inf"), "unknown", float("nan"))
    found = dict(second_opinions(stubs, {"loo": 2.0}, None))  # type: ignore[arg-type]
    assert set(found) == {"choose.no_evidence"}


def test_numbers_are_tried_in_order_and_once():
    assert numbers_of([3, 1, 3]) == [1, 3]
    with pytest.raises(UsageError, match="Give at least one number of segments"):
        numbers_of([])
    with pytest.raises(UsageError, match="n_segments"):
        numbers_of([0])


# --- panels


def _panel(*stubs: _Stub) -> Choice:
    for stub in stubs:
        stub.icl = None  # type: ignore[assignment]
        # as many below the mean as above it: the spread of the pictures is their height
        height = stub.picture[0, 0] * np.where(np.arange(100) % 2, 1.0, -1.0)
        stub.picture = np.stack([height, height], axis=1)
    few = (("choose.few_rows", {"k9": 9.0}),)
    return recommend(stubs, panel=True, left_out=few)  # type: ignore[arg-type]


def test_in_a_panel_the_picture_is_measured_by_the_spread_of_pictures():
    """Small beside what is observed, but all that tells segments apart."""
    pictures = {1: 0.0, 2: 0.06, 3: 0.12, 4: 0.121}
    stubs = [_Stub(k, 100.0 * k, -100.0 * k, p) for k, p in pictures.items()]
    assert _keys(*stubs)[0] == 1
    found = _panel(*stubs)
    assert found.recommended == 3
    assert found.shifts == pytest.approx([1.0, 0.5, 1 / 121])
    assert picture_shift(stubs[0], stubs[1]) == pytest.approx(0.06)  # type: ignore[arg-type]
    keys = [key for key, _ in found.reasons]
    assert {"choose.settled_panel", "choose.never_turns_panel", "choose.few_rows"} <= set(keys)
    assert "choose.bic" not in keys


def test_in_a_panel_bic_takes_part_in_the_disagreement():
    stubs = [_Stub(k, e, -e, 3.0 * k) for k, e in {1: 0.0, 2: 50.0, 3: 50.05}.items()]
    stubs[2].evidence = Evidence(-100.0, 0.1, "separated", 0.0)
    found = dict(_panel(*stubs).reasons)
    assert found["choose.disagree_panel"] == {"loo": 2.0, "bic": 3.0, "evidence": 2.0}
    stubs[2].bic = 0.0
    assert "choose.agree_panel" in dict(_panel(*stubs).reasons)


def test_a_refused_number_that_predicts_better_is_named():
    stubs = [_Stub(k, 50.0 * k, -k, 3.0 * k, refused=k > 2) for k in (1, 2, 3, 4)]
    found = _panel(*stubs)
    assert found.recommended == 2
    assert dict(found.reasons)["choose.refused_better"] == {"k": 4.0}
    assert all(text.endswith(".") and "{" not in text for text in found.text("de"))
    stubs = [_Stub(k, min(k, 2) * 50.0, -k, 3.0 * k, refused=k > 2) for k in (1, 2, 3)]
    assert "choose.refused_better" not in dict(_panel(*stubs).reasons)


def test_pictures_that_are_flat_do_not_move():
    one, two = (_Stub(k, 0.0, 0.0, 1e-9 * k) for k in (1, 2))
    assert picture_shift(one, two, relative=True) == 0.0  # type: ignore[arg-type]


def test_no_usable_number_of_a_panel_recommends_none():
    found = _panel(_Stub(1, 0.0, 0.0, 0.0, refused=True))
    assert found.recommended is None
    assert [key for key, _ in found.reasons] == ["choose.none_panel", "choose.few_rows"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_panel_is_said(language: str):
    one = _panel(_Stub(1, 0.0, 0.0, 0.0), _Stub(2, 0.0, 9.0, 0.0))
    pictures = {1: 0.0, 2: 0.06, 3: 0.12, 4: 0.121}
    many = _panel(*(_Stub(k, 100.0 * k, -100.0 * k, p) for k, p in pictures.items()))
    apart = _panel(*(_Stub(k, 50.0 - k, -k, 3.0 * k, refused=k == 2) for k in (1, 2, 3)))
    none = _panel(_Stub(1, 0.0, 0.0, 0.0, refused=True))
    every = (one, many, apart, none)
    said = [text for found in every for text in found.text(language)]
    assert all(text.endswith(".") and "{" not in text for text in said)
    assert {key for found in every for key, _ in found.reasons} >= {
        f"{key}_panel"
        for key in (
            "choose.one", "choose.none", "choose.refused", "choose.settled", "choose.never_turns",
            "choose.agree", "choose.disagree",
        )
    }  # fmt: skip
