"""Correlations: what factors imply, what ranks mean, what is repaired, what is refused."""

from typing import Any

import numpy as np
import pytest

from softseg.decisions.inputs.dependence import (
    correlation_matrix,
    dependence_faults,
    nearest_correlation,
    original,
    rank_of,
    related,
    score_correlation,
)
from softseg.decisions.inputs.schema import Assumptions
from softseg.errors import SchemaError
from softseg.wording import say

RANGE = {"role": "saving", "unit": "kEUR", "low": 50.0, "high": 150.0}


def assume(
    *, others: dict[str, dict[str, Any]] | None = None, language: str = "en", **dependence: Any
) -> Assumptions:
    inputs = dict.fromkeys("abcd", RANGE) | (others or {})
    return Assumptions.model_validate(
        {"horizon": 5, "language": language, "inputs": inputs, "dependence": dependence}
    )


def pair(first: str, second: str, rank: float) -> dict[str, Any]:
    return {"between": (first, second), "rank": rank}


def keys(assumptions: Assumptions) -> list[str]:
    return [key for key, *_ in dependence_faults(assumptions)]


def test_factors_imply_correlations():
    assumptions = assume(
        factors={
            "market": {"loads": {"a": 0.8, "b": 0.5}, "factors": {"effort": 0.3}},
            "effort": {"loads": {"b": 0.6, "c": -0.7}},
        }
    )
    found = correlation_matrix(assumptions, "abcd")
    loads = np.array([[0.8, 0.0], [0.5, 0.6], [0.0, -0.7], [0.0, 0.0]])
    expected = loads @ np.array([[1.0, 0.3], [0.3, 1.0]]) @ loads.T
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(found.matrix, expected, atol=1e-15)
    assert found.names == ("a", "b", "c", "d")
    assert found.changes == ()
    assert related(assumptions) == ("a", "b", "c")
    assert dependence_faults(assumptions) == []


def test_single_correlations_replace_what_factors_say():
    factors = {"market": {"loads": {"a": 0.6, "b": 0.6, "c": 0.5}}}
    assumptions = assume(factors=factors, correlations=[pair("b", "a", -0.2), pair("c", "d", 0.4)])
    found = correlation_matrix(assumptions, "abc").matrix
    assert found[0, 1] == found[1, 0] == score_correlation(-0.2)
    assert found[0, 2] == pytest.approx(0.3)


@pytest.mark.parametrize(("rank", "expected"), [(1.0, 1.0), (0.0, 0.0), (-0.5, -0.517638)])
def test_rank_and_score_correlations_belong_together(rank: float, expected: float):
    assert score_correlation(rank) == pytest.approx(expected, abs=1e-6)
    assert rank_of(np.array([expected]))[0] == pytest.approx(rank, abs=1e-6)


def test_nearest_correlation_of_higham():
    matrix = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    found = nearest_correlation(matrix)
    np.testing.assert_allclose(found[[0, 0, 1], [1, 2, 2]], [0.7607, 0.1573, 0.7607], atol=5e-5)
    np.testing.assert_array_equal(np.diag(found), 1.0)
    np.linalg.cholesky(found)


def test_nearest_correlation_is_nearest():
    rng = np.random.default_rng(3)
    matrix = rng.uniform(-1.0, 1.0, (6, 6))
    matrix = (matrix + matrix.T) / 2.0
    np.fill_diagonal(matrix, 1.0)
    found = nearest_correlation(matrix)
    distance = np.linalg.norm(found - matrix)
    for _ in range(200):  # the set is convex: every way into it leads away
        loads = rng.standard_normal((6, 6))
        other = loads @ loads.T
        other /= np.sqrt(np.outer(np.diag(other), np.diag(other)))
        assert np.linalg.norm(found + 0.01 * (other - found) - matrix) >= distance - 1e-8


def test_repair_reports_every_pair_that_moved():
    ranks = [pair("a", "b", 0.9), pair("b", "c", 0.9), pair("a", "c", 0.5), pair("a", "d", 0.1)]
    assumptions = assume(correlations=ranks)
    found = correlation_matrix(assumptions, "abcd")
    assert np.linalg.eigvalsh(found.matrix)[0] > 0.0
    told = {(first, second): (asked, got) for first, second, asked, got in found.changes}
    assert told["a", "c"][0] == pytest.approx(0.5)
    assert told["a", "c"][1] > 0.5
    got = rank_of(found.matrix)
    for i, first in enumerate("abcd"):
        for j, second in list(enumerate("abcd"))[i + 1 :]:
            asked = next((p["rank"] for p in ranks if p["between"] == (first, second)), 0.0)
            assert ((first, second) in told) == (abs(got[i, j] - asked) > 0.005)
    assert dependence_faults(assumptions) == []


def test_correlation_of_one_is_usable_and_not_reported():
    assumptions = assume(correlations=[pair("a", "b", 1.0)])
    found = correlation_matrix(assumptions, "ab")
    np.linalg.cholesky(found.matrix)
    assert found.changes == ()


def test_no_inputs_no_matrix():
    assert correlation_matrix(assume(), ()).matrix.shape == (0, 0)
    assert dependence_faults(assume()) == []


@pytest.mark.parametrize(
    ("dependence", "expected"),
    [
        (
            {"factors": {"f": {"loads": {"x": 0.5}}}},
            ("dependence.load_unknown", None, "dependence.factors.f.loads.x"),
        ),
        (
            {"factors": {"f": {"loads": {"a": 0.5}, "factors": {"g": 0.1}}}},
            ("dependence.factor_unknown", None, "dependence.factors.f.factors.g"),
        ),
        (
            {"factors": {"f": {"loads": {"a": 0.5}, "factors": {"f": 1.0}}}},
            ("dependence.factor_itself", None, "dependence.factors.f.factors.f"),
        ),
        (
            {
                "factors": {
                    "f": {"loads": {"a": 0.5}, "factors": {"g": 0.1}},
                    "g": {"loads": {"b": 0.5}, "factors": {"f": 0.2}},
                }
            },
            ("dependence.factor_twice", None, "dependence.factors.g.factors.f"),
        ),
        (
            {"correlations": [pair("a", "b", 0.1), pair("a", "x", 0.5)]},
            ("dependence.pair_unknown", None, "dependence.correlations.1.between"),
        ),
        (
            {"correlations": [pair("a", "a", 0.5)]},
            ("dependence.pair_itself", None, "dependence.correlations.0.between"),
        ),
        (
            {"correlations": [pair("a", "b", 0.5), pair("b", "a", 0.4)]},
            ("dependence.pair_twice", None, "dependence.correlations.1.rank"),
        ),
        (
            {"correlations": [pair("a", "point", 0.5)]},
            ("dependence.no_spread", "point", "dependence.correlations.0"),
        ),
        (
            {"factors": {"f": {"loads": {"copy": 0.5}}}},
            ("dependence.copy", "copy", "dependence.factors.f.loads.copy"),
        ),
        (
            {"correlations": [pair("a", "drawn", 0.5)]},
            ("dependence.sample_set", "drawn", "dependence.correlations.0"),
        ),
        (
            {"factors": {"f": {"loads": {"a": 0.8}}, "g": {"loads": {"a": 0.7}}}},
            ("dependence.communality", "a", "dependence.factors.f.loads.a"),
        ),
        (
            {"correlations": [pair("a", "b", 0.9), pair("b", "c", 0.9), pair("a", "c", -0.9)]},
            ("dependence.impossible", None, "dependence"),
        ),
    ],
)
def test_faults_say_what_and_where(
    dependence: dict[str, Any], expected: tuple[str, str | None, str]
):
    others = {
        "point": {"role": "saving", "unit": "EUR", "value": 3.0},
        "copy": {"role": "saving", "unit": "EUR", "same_as": "a"},
        "drawn": {"role": "saving", "unit": "EUR", "samples": (1.0, 2.0), "sample_set": "pilot"},
    }
    found = dependence_faults(assume(others=others, **dependence))
    assert [(key, entry, field) for key, _, entry, field in found] == [expected]
    for key, values, *_ in found:
        for language in ("en", "de"):
            assert say(key, language, **values)


def test_the_same_rank_twice_is_no_fault():
    assert keys(assume(correlations=[pair("a", "b", 0.5), pair("b", "a", 0.5)])) == []


def test_faults_come_all_at_once():
    faulty = assume(correlations=[pair("a", "x", 0.5), pair("b", "b", 0.5), pair("y", "z", 0.1)])
    assert keys(faulty) == [
        "dependence.pair_unknown",
        "dependence.pair_itself",
        "dependence.pair_unknown",
        "dependence.pair_unknown",
    ]


def test_communality_counts_correlations_of_factors():
    loads = {"f": {"loads": {"a": 0.7}, "factors": {"g": 0.5}}, "g": {"loads": {"a": 0.7}}}
    ((key, values, *_),) = dependence_faults(assume(factors=loads, language="de"))
    assert key == "dependence.communality"
    assert "147,0\N{NO-BREAK SPACE}%" in say(key, "de", **values)


def test_impossible_correlations_name_the_worst_pair():
    factors = {"market": {"loads": dict.fromkeys("abcd", 0.95)}}
    assumptions = assume(factors=factors, correlations=[pair("a", "c", -0.4)], language="de")
    moved = {
        (first, second): abs(got - asked)
        for first, second, asked, got in correlation_matrix(assumptions, "abcd").changes
    }
    ((key, values, *_),) = dependence_faults(assumptions)
    worst = max(moved, key=lambda names: moved[names])
    assert key == "dependence.impossible"
    assert (values["first"], values["second"]) == worst == ("a", "c")
    assert "Angegeben ist -0,40" in say(key, "de", **values)


def test_a_faulty_range_is_left_to_others():
    others = {"odd": {**RANGE, "low": 9.0, "high": 3.0}}
    assert keys(assume(others=others, correlations=[pair("a", "odd", 0.3)])) == []


def test_copies_lead_to_their_original():
    entry = {"role": "saving", "unit": "EUR"}
    others = {"x": {**entry, "same_as": "y"}, "y": {**entry, "same_as": "a"}}
    assumptions = assume(others=others)
    assert [original(assumptions, name) for name in ("x", "y", "a")] == ["a", "a", "a"]


@pytest.mark.parametrize("source", ["nothing", "x", "y"])
def test_copies_that_lead_to_nothing_are_refused(source: str):
    entry = {"role": "saving", "unit": "EUR"}
    others = {"x": {**entry, "same_as": source}, "y": {**entry, "same_as": "x"}}
    with pytest.raises(SchemaError, match=r"Let same_as of [xy] name an input"):
        original(assume(others=others), "x")
