"""What became of last quarter's segments: pairs, drift or noise, names."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from builders import frame_of, schema_of, truth
from results.worlds import scattered
from softseg.errors import UsageError
from softseg.inference.gibbs import gibbs
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values, specify
from softseg.results.continuity import Continuity, continuity
from softseg.results.tree import posterior_tree
from softseg.tables.prepare import prepare
from softseg.wording import LANGUAGES

KINDS = {"x": "gaussian", "orders": "poisson", "online": "bernoulli", "industry": "categorical"}
NAMES = ["Regulars", "Bargain", "Rare"]


def fitted(
    frame: pd.DataFrame, start: Values, seed: int, names: list[str] | None = None
) -> xr.DataTree:
    """Return a posterior tree whose draws are those of Gibbs sampling from a good start."""
    table = prepare(frame, schema_of(KINDS, segment_names=names or []))
    k = len(start.share)
    draws, _ = gibbs(
        reduce(table), specify(table.schema, k), [start] * 2, n_draws=150, n_tune=30,
        rngs=np.random.default_rng(seed).spawn(2),
    )  # fmt: skip
    return posterior_tree(draws.values, table.schema)


def customers(seed: int, known: Values, n: int = 400) -> pd.DataFrame:
    return frame_of(KINDS, known, n, np.random.default_rng(seed), missing=0.05)[0]


@pytest.fixture(scope="module")
def known() -> Values:
    return truth(KINDS, (0.5, 0.3, 0.2))


@pytest.fixture(scope="module")
def before(known) -> xr.DataTree:
    return fitted(customers(1, known), known, 1, NAMES)


def test_the_same_truth_is_noise_and_names_move_along(known, before):
    frame = customers(2, known)
    order = np.array([2, 0, 1])
    found = continuity(before, fitted(frame, known.permuted(order), 2), frame)
    assert [link.previous for link in found.links] == [3, 1, 2]
    assert found.names() == ["Rare", "Regulars", "Bargain"]
    assert found.verdict == "noise"
    assert found.lower <= found.agreement <= found.upper
    assert found.agreement > 0.95


def test_a_segment_that_moved_has_drifted_and_says_by_what(known, before):
    moved = {**known.indicators, "orders": {"rate": np.array([1.0, 11.0, 20.0])}}
    frame = customers(3, Values(known.share, moved))
    found = continuity(before, fitted(frame, Values(known.share, moved), 3), frame)
    assert found.verdict == "drift"
    assert [link.verdict for link in found.links] == ["noise", "drift", "noise"]
    move = found.links[1].moves[0]
    assert (move.indicator, move.measure) == ("orders", "rate")
    assert move.before == pytest.approx(6.0, abs=1.0)
    assert move.after == pytest.approx(11.0, abs=1.0)
    assert any("orders" in line for line in found.text())


def test_a_new_segment_and_one_that_is_gone_are_named(known, before):
    indicators = {
        **known.indicators,
        "x": {"mean": np.array([-4.0, 0.0, 40.0]), "sd": np.ones(3)},
        "orders": {"rate": np.array([1.0, 6.0, 0.2])},
    }
    other = Values(known.share, indicators)
    frame = customers(4, other)
    found = continuity(before, fitted(frame, other, 4), frame)
    verdicts = [link.verdict for link in found.links]
    assert "gone" in verdicts or "drift" in verdicts
    smaller = truth(KINDS, (0.6, 0.4))
    frame = customers(5, smaller)
    found = continuity(before, fitted(frame, smaller, 5), frame)
    assert [link.verdict for link in found.links][-1] == "gone"
    assert found.links[-1].name == "Rare"
    assert found.names() == ["Regulars", "Bargain"]
    back = continuity(fitted(frame, smaller, 5, NAMES[:2]), before, frame)
    assert [link.verdict for link in back.links if link.segment == 3] == ["new"]
    assert back.names("de")[2] == "Neu 1"


def test_nameless_segments_carry_no_names_but_their_numbers_are_said(known):
    frame = customers(2, known)
    first = fitted(frame, known, 1)
    found = continuity(first, fitted(frame, known.permuted(np.array([1, 0, 2])), 2), frame)
    assert found.names() == []
    assert sum("earlier run" in line for line in found.text()) >= 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_in_sentences_and_kept_as_json(known, before, language):
    moved = {**known.indicators, "orders": {"rate": np.array([1.0, 11.0, 20.0])}}
    frame = customers(3, Values(known.share, moved))
    found = continuity(before, fitted(frame, Values(known.share, moved), 3), frame)
    text = found.text(language)
    assert all(line.endswith(".") and "{" not in line for line in text)
    assert Continuity.from_json(found.to_json()) == found


def test_false_alarms_are_rare(known):
    """Twenty pairs of tables of one truth: about one in twenty may be called drift."""
    alarms = 0
    for seed in range(20):
        then, now = customers(1000 + seed, known, 250), customers(2000 + seed, known, 250)
        found = continuity(fitted(then, known, seed), fitted(now, known, seed + 500), now)
        alarms += found.verdict == "drift"
    assert alarms <= 3


def test_levels_that_only_one_run_has_count_as_share_zero(known, before):
    frame = customers(2, known)
    frame["industry"] = frame["industry"].replace({"c": "d"})
    found = continuity(before, fitted(frame, known, 2), frame)
    moved = {move.level for link in found.links for move in link.moves}
    assert {"c", "d"} <= moved


def test_runs_without_a_common_indicator_are_refused(known):
    frame = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0) ** 2})
    rng = np.random.default_rng(1)
    trees = []
    for name in ("x", "y"):
        kinds = {name: "gaussian"}
        table = prepare(frame, schema_of(kinds))
        trees.append(
            posterior_tree(scattered(truth(kinds, (0.6, 0.4)), kinds, rng, (1, 5)), table.schema)
        )
    with pytest.raises(UsageError, match="Compare runs with the same indicators"):
        continuity(trees[0], trees[1], frame)
