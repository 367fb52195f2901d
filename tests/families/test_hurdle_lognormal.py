"""The hurdle is the one family that uses a table and statistics: seen through the kernel."""

import numpy as np
import pytest

from families.cases import frozen, oracle, truth
from softseg.families import family
from softseg.families.base import Observed
from softseg.families.namespace import NUMPY
from softseg.likelihood.kernel import expected_statistics, memberships
from softseg.likelihood.statistics import reduce
from softseg.tables.schema import Frozen, IndicatorSchema, PriorSchema, Schema
from softseg.tables.table import Table

HURDLE = family("hurdle_lognormal")
SHARE = np.array([0.7, 0.3])
COLUMNS = {
    "mixed": [0.0, 12.0, np.nan, 800.0, 0.0, 3e4],
    "zeros only": [0.0, 0.0, 0.0],
    "positive only": [5.0, 7e3],
    "nothing observed": [np.nan, np.nan],
}


def table_of(values):
    trained = frozen(HURDLE, Observed(np.array([0.0, 0.0, 40.0, 900.0, 1e4])))
    coding = trained.coding
    defaults = HURDLE.default_priors(trained)
    priors = {key: PriorSchema.of(prior) for key, prior in defaults.items()}
    entry = IndicatorSchema(
        family=HURDLE.name,
        frozen=Frozen(centre=coding.centre, scale=coding.scale, priors=priors),
    )
    schema = Schema(indicators={"spend": entry})
    return Table(schema, {"spend": values}, {}, np.ones(len(values))), coding


@pytest.mark.parametrize("column", list(COLUMNS))
def test_density_in_a_table_is_the_oracles(column):
    """Also where no row has a positive value, so that no log-partition may be counted."""
    values = np.array(COLUMNS[column])
    table, coding = table_of(values)
    statistics = reduce(table)
    weights = statistics.layout.weights({"spend": truth(HURDLE.name)}, NUMPY)
    membership, log_density = memberships(statistics, weights, SHARE)
    joint = oracle(HURDLE.name, Observed(values, None, coding), truth(HURDLE.name)) + np.log(SHARE)
    exact = np.logaddexp(*joint.T)
    rows = statistics.pattern_of_row
    np.testing.assert_allclose(log_density[rows], exact, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(membership[rows], np.exp(joint - exact[:, None]), rtol=1e-8)


def test_amounts_are_counted_by_positive_values_only():
    values = np.array(COLUMNS["mixed"])
    table, _ = table_of(values)
    statistics = reduce(table)
    weights = statistics.layout.weights({"spend": truth(HURDLE.name)}, NUMPY)
    found = expected_statistics(statistics, weights, SHARE)
    sums = statistics.layout.split(found.dense, found.table, found.sizes)["spend"]
    assert sums.counts.sum(0) == pytest.approx([2.0, 3.0])
    assert sums.measure.sum() == pytest.approx(3.0)
    np.testing.assert_allclose(sums.measure, sums.counts[:, 1])


def test_boundary_probabilities_stay_finite():
    always = {**truth(HURDLE.name), "probability": np.array([0.0, 1.0])}
    table = HURDLE.log_table(always, np.array([[0.0], [1.0]]), table_of(np.zeros(1))[1], NUMPY)
    assert np.all(np.isfinite(table))
    assert table[0, 0] == 0.0
    assert table[1, 1] == 0.0


def test_no_positive_value_keeps_the_amount():
    observed = frozen(HURDLE, Observed(np.zeros(4)))
    assert observed.coding.scale == 1.0
    block = HURDLE.encode(observed)
    assert block.measure is not None
    assert not block.measure.any()
    assert not block.log_base.any()
