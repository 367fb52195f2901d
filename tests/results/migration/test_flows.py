"""Flows add up to the customers before and after each step."""

import numpy as np
import pytest

from migration_chains import drawn, matrix, vector
from softseg.errors import UsageError
from softseg.results.migration.expected import expected
from softseg.results.migration.flows import flows

NOW = vector([300.0, 500.0, 200.0, 0.0])


def test_flows_add_up_on_both_sides():
    draws = drawn(np.random.default_rng(1), 20)
    found = flows(draws, NOW, horizon=4)["mean"]
    customers = expected(draws, NOW, horizon=4).mean("sample")
    np.testing.assert_allclose(found.sum("state_to"), customers[:4])
    np.testing.assert_allclose(found.sum("state"), customers[1:])


def test_no_step_is_no_flow():
    with pytest.raises(UsageError, match="Give the horizon as a whole number of at least 1"):
        flows(matrix(np.eye(4)), NOW, horizon=0)
