"""The mixture without a sampler: parameters, priors, permutations."""

import numpy as np
import pytest

from builders import mixed_table
from softseg.errors import SchemaError
from softseg.models.mixture import specify
from softseg.tables.schema import PriorSchema


@pytest.fixture(scope="module")
def table():
    return mixed_table(120)[0]


def test_the_number_of_parameters_counts_what_is_free(table):
    mixture = specify(table.schema, 3)
    per_segment = 2 + 2 + 2 + 2 + 1 + 2 + 1 + 3 + 2
    assert mixture.n_parameters == 3 * per_segment + 2


def test_prior_draws_have_their_shapes_and_a_finite_density(table):
    mixture = specify(table.schema, 3)
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = mixture.draw_prior(rng)
        assert values.share.shape == (3,)
        assert values.indicators["industry"]["probability"].shape == (3, 3)
        assert np.isfinite(mixture.log_prior(values))


def test_permuting_segments_keeps_the_prior_density(table):
    mixture = specify(table.schema, 3)
    values = mixture.draw_prior(np.random.default_rng(1))
    moved = values.permuted(np.array([2, 0, 1]))
    assert mixture.exchangeable
    assert mixture.log_prior(moved) == pytest.approx(mixture.log_prior(values), rel=1e-12)
    np.testing.assert_array_equal(moved.share, values.share[[2, 0, 1]])
    np.testing.assert_array_equal(
        moved.indicators["industry"]["probability"],
        values.indicators["industry"]["probability"][[2, 0, 1]],
    )


def test_every_draw_can_have_its_own_permutation(table):
    mixture = specify(table.schema, 3)
    rng = np.random.default_rng(1)
    from softseg.inference.gibbs import stack

    draws = stack([mixture.draw_prior(rng) for _ in range(2)])
    moved = draws.permuted(np.array([[1, 0, 2], [2, 1, 0]]))
    np.testing.assert_array_equal(
        moved.indicators["industry"]["probability"][1],
        draws.indicators["industry"]["probability"][1][[2, 1, 0]],
    )
    np.testing.assert_array_equal(moved.share[0], draws.share[0][[1, 0, 2]])


def _with(table, **fields):
    entry = table.schema.indicators["amount"]
    changed = entry.model_copy(update=fields)
    return table.schema.model_copy(
        update={"indicators": {**table.schema.indicators, "amount": changed}}
    )


def test_priors_per_segment_make_labels_meaningful(table):
    priors = [PriorSchema(distribution="Normal", mu=m, sigma=1.0) for m in (-4.0, 0.0, 5.0)]
    mixture = specify(_with(table, priors={"mean": priors}), 3)
    assert not mixture.exchangeable


def test_fixed_values_are_not_counted(table):
    fixed = PriorSchema(distribution="Fixed", value=1.0)
    mixture = specify(_with(table, priors={"sd": fixed}), 3)
    assert mixture.n_parameters == specify(table.schema, 3).n_parameters - 3
    np.testing.assert_array_equal(
        mixture.draw_prior(np.random.default_rng(1)).indicators["amount"]["sd"], 1.0
    )


def test_a_prior_without_update_is_named(table):
    half = PriorSchema(distribution="HalfNormal", sigma=2.0)
    assert specify(_with(table, priors={"sd": half}), 3).not_updatable() == ["amount"]


def test_shares_can_be_fixed(table):
    share = PriorSchema(distribution="Fixed", value=[0.5, 0.25, 0.25])
    mixture = specify(table.schema.model_copy(update={"share": share}), 3)
    np.testing.assert_array_equal(
        mixture.draw_prior(np.random.default_rng(1)).share, [0.5, 0.25, 0.25]
    )
    assert not mixture.exchangeable


def test_shares_need_a_dirichlet(table):
    share = PriorSchema(distribution="Beta", alpha=1.0, beta=1.0)
    with pytest.raises(SchemaError, match=r"Give the shares a Dirichlet prior .* got 'Beta'"):
        specify(table.schema.model_copy(update={"share": share}), 3)
