"""Every method meets the reference posteriors within 4 Monte Carlo errors."""

import pytest

import calibration_references
from oracles.reference_cases import (
    CASES,
    ERRORS,
    distances,
    fingerprint,
    frozen,
    low_dim_reference,
    low_dim_table,
    table_of_case,
)


@pytest.mark.parametrize("name", CASES)
def test_the_tables_are_those_of_the_long_runs(name):
    expected = frozen()[name]["fingerprint"]
    assert fingerprint(table_of_case(name)) == pytest.approx(expected, rel=1e-12), (
        "the table has changed: freeze its reference anew"
    )


@pytest.mark.parametrize("method", ["gibbs", "laplace", "nuts"])
@pytest.mark.parametrize("name", CASES)
def test_methods_meet_our_long_runs(name, method):
    table = table_of_case(name)
    found, _ = calibration_references.fitted(table, len(CASES[name].share), method)
    apart = distances(found, frozen()[name]["quantities"])
    assert max(apart.values()) < ERRORS, apart


@pytest.mark.parametrize("method", ["laplace", "nuts"])
def test_methods_meet_low_dim_gauss_mix(method, reference_data):
    found, status = calibration_references.fitted(low_dim_table(reference_data), 2, method)
    apart = distances(found, low_dim_reference(reference_data))
    assert status == "good"
    assert max(apart.values()) < ERRORS, apart


def test_a_shifted_posterior_is_found_out():
    found = frozen()["lca"]["quantities"]
    moved = {name: {**row, "mean": row["mean"] + 6.0 * row["error"]} for name, row in found.items()}
    assert min(distances(moved, found).values()) > ERRORS
