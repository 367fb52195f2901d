"""The synthetic panel has the figures it claims, and its truth stays out of the frame."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from softseg.errors import UsageError
from softseg.tables.panel.panel import ANY, CHURNED
from softseg.tables.panel.prepare import prepare_panel
from softseg.tables.panel.synthetic import TRANSITION, panel_schema, synthetic_panel
from softseg.tables.synthetic import SHARE

pytestmark = pytest.mark.filterwarnings("ignore::softseg.tables.prepare.TableWarning")


def test_about_eight_per_cent_leave_in_a_year() -> None:
    states = synthetic_panel(1, 20_000).truth.states
    there = (states[:, :-1] >= 0) & (states[:, :-1] < 4)
    monthly = np.mean(states[:, 1:][there] == 4)
    assert 0.07 < 1 - (1 - monthly) ** 12 < 0.09
    assert np.all(states[:, 1:][states[:, :-1] == 4] == 4)


def test_customers_move_as_stated() -> None:
    made = synthetic_panel(2, 20_000)
    states = made.truth.states
    before, after = states[:, :-1].ravel(), states[:, 1:].ravel()
    for segment in range(4):
        counts = np.bincount(after[before == segment], minlength=5)
        expected = np.array(TRANSITION[segment])
        error = np.sqrt(expected * (1 - expected) / counts.sum())
        np.testing.assert_array_less(np.abs(counts / counts.sum() - expected), 4 * error)
    entered = states[np.arange(len(states)), (states >= 0).argmax(axis=1)]
    np.testing.assert_allclose(np.bincount(entered) / len(states), SHARE, atol=0.015)
    assert np.mean(states[:, 0] < 0) == pytest.approx(0.35, abs=0.015)


@pytest.mark.parametrize("churn", ["none", "observed", "interval", "silent", "inactivity"])
def test_the_panel_agrees_with_the_truth(churn: Any) -> None:
    made = synthetic_panel(3, 300, 24, churn)
    panel = prepare_panel(made.frame, made.schema)
    history = np.repeat(panel.customer, np.diff(panel.start))
    place = {customer: number for number, customer in enumerate(made.truth.customers)}
    customer = np.array([place[text] for text in panel.customers or ()])[history]
    truth = made.truth.states[customer, panel.period]
    if churn == "inactivity":
        assert panel.notes.churned > 0
        return
    assert np.all((truth >= 0) & (truth < 4) | (panel.may != 0))
    if churn in ("observed", "interval"):
        assert np.all(truth[panel.may == CHURNED] == 4)
        assert np.sum(panel.may == CHURNED) == panel.notes.churned > 10
        told = np.isin(np.flatnonzero((made.truth.states == 4).any(axis=1)), customer)
        assert panel.notes.churned == told.sum()
    if churn == "silent":
        assert np.mean(truth[panel.may == ANY] == 4) > 0.2


def test_the_same_seed_gives_the_same_panel() -> None:
    one, two = synthetic_panel(5, 50), synthetic_panel(np.random.default_rng(5), 50)
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert not one.frame.equals(synthetic_panel(6, 50).frame)
    assert "segment" not in one.frame.columns


def test_labels_are_in_the_language_asked_for() -> None:
    labels = {name: entry.label for name, entry in panel_schema("silent", "de").indicators.items()}
    assert labels["late_payment"] == "Verspätete Zahlung"
    assert None not in labels.values()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_customers": 0}, "Give n_customers"),
        ({"n_periods": 1}, "Give n_periods"),
        ({"churn": "soon"}, "Choose churn out of"),
        ({"late": 2}, "Give late as a number from 0 to 1"),
        ({"gaps": -1}, "Give gaps"),
        ({"initial": [1.0]}, "Give initial with 4 shares"),
        ({"initial": [0.5, 0.5, 0.5, 0.5]}, "add up to 1 in every row"),
        ({"rng": -1}, "Give rng as a whole number"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        synthetic_panel(**arguments)
