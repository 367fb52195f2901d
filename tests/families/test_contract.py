"""What every family of the folder promises, whatever it is."""

import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from families.cases import (
    CASES,
    N_SEGMENTS,
    NAMES,
    default_priors,
    drawn,
    family_log_density,
    from_line,
    frozen,
    no_customers,
    objective,
    oracle,
    sums_of,
    to_line,
    total_log_density,
    truth,
)
from softseg.errors import SchemaError
from softseg.families import families, family
from softseg.families.base import Coding, Observed
from softseg.priors import DISTRIBUTIONS, Prior

each_family = pytest.mark.parametrize("name", NAMES)


def subset(observed, rows):
    exposure = None if observed.exposure is None else observed.exposure[rows]
    return Observed(observed.values[rows], exposure, observed.coding)


def with_gaps(observed, rows):
    values = observed.values.copy()
    values[rows] = np.nan
    return replace(observed, values=values)


def test_every_family_of_the_folder_has_a_case():
    assert set(CASES) == set(NAMES)


def test_unknown_family_is_refused():
    with pytest.raises(SchemaError, match="Choose a family out of"):
        family("tweedie")


@each_family
def test_families_without_cells_have_no_table(name):
    member, case = family(name), CASES[name]
    observed = Observed(np.array([case.one]), None, Coding(levels=case.levels))
    block = member.encode(frozen(member, observed))
    if block.codes is None:
        with pytest.raises(TypeError, match="Do not ask"):
            member.log_table(truth(name), block.cells, Coding(), _numpy())
    else:
        table = member.log_table(truth(name), block.cells, Coding(), _numpy())
        assert table.shape[-1] == len(block.cells)


@each_family
def test_names_and_priors_fit_together(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 50)
    priors = member.default_priors(observed)
    assert list(priors) == [p.name for p in member.parameters] == list(CASES[name].truth)
    for p in member.parameters:
        assert DISTRIBUTIONS[priors[p.name].name].support == p.support
        assert not p.updates or priors[p.name].name in p.updates
    assert member.updatable(default_priors(name, observed, 3))


@each_family
def test_drawn_values_are_legal(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 500)
    assert np.all(member.legal(observed.values))
    assert member.legal(np.array([CASES[name].one])).all()


@each_family
def test_draws_from_wide_priors_are_legal_and_finite(name, rng):
    """What the predictive check and the calibration do with empty segments."""
    member = family(name)
    observed, _ = drawn(name, rng, 50)
    priors = default_priors(name, observed, 400)
    parameters = {key: prior.draw(rng) for key, prior in priors.items()}
    values = member.draw(rng, parameters, np.arange(400), None, observed.coding)
    assert np.all(np.isfinite(values))
    assert np.all(member.legal(values))


@each_family
def test_illegal_values_are_told_apart(name):
    illegal = np.array(CASES[name].illegal)
    assert not family(name).legal(illegal).any()


@each_family
def test_density_is_scipys(name, rng):
    observed, _ = drawn(name, rng, 300)
    ours = family_log_density(family(name), observed, truth(name))
    np.testing.assert_allclose(ours, oracle(name, observed, truth(name)), rtol=1e-10, atol=1e-9)


@each_family
def test_density_does_not_depend_on_the_frozen_shift_and_unit(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 100)
    coding = observed.coding
    moved = replace(coding, centre=1.7 * coding.centre + 0.3, scale=3.1 * coding.scale)
    np.testing.assert_allclose(
        family_log_density(member, replace(observed, coding=moved), truth(name)),
        family_log_density(member, observed, truth(name)),
        rtol=1e-9,
    )


@each_family
def test_exposure_of_one_is_no_exposure(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 100, exposed=False)
    ones = replace(observed, exposure=np.ones(100))
    np.testing.assert_array_equal(
        family_log_density(member, ones, truth(name)),
        family_log_density(member, observed, truth(name)),
    )


@each_family
def test_missing_cells_drop_out(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 60)
    gaps = rng.random(60) < 0.4
    holed = with_gaps(observed, gaps)
    density = family_log_density(member, holed, truth(name))
    assert np.all(density[gaps] == 0.0)
    full = family_log_density(member, observed, truth(name))
    np.testing.assert_allclose(density[~gaps], full[~gaps], rtol=1e-12)
    block = member.encode(holed)
    assert np.all(block.statistics[:, gaps] == 0.0)
    assert np.all(block.log_base[gaps] == 0.0)


@each_family
def test_sums_add_up_over_rows(name, rng):
    """The log-likelihood of a table is the one of its parts added, through sums alone."""
    member = family(name)
    observed, _ = drawn(name, rng, 90)
    observed = with_gaps(observed, rng.random(90) < 0.2)
    weights = rng.dirichlet(np.ones(N_SEGMENTS), size=90)
    parts = [np.arange(0, 31), np.arange(31, 90)]

    def total(rows):
        block = member.encode(subset(observed, rows))
        sums = sums_of(block, weights[rows])
        likelihood = total_log_density(member, sums, truth(name), observed.coding)
        return likelihood + block.log_base @ weights[rows].sum(1)

    whole = total(np.arange(90))
    assert whole == pytest.approx(sum(total(rows) for rows in parts), rel=1e-11)
    by_row = (oracle(name, observed, truth(name)) * weights).sum()
    assert whole == pytest.approx(by_row, rel=1e-10)


@each_family
def test_every_part_of_a_block_has_its_shape(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 40)
    block = member.encode(observed)
    assert block.statistics.shape == (
        len(member.natural(truth(name), observed.coding, _numpy())),
        40,
    )
    assert block.log_base.shape == (40,)
    assert (block.measure is None) == (len(block.statistics) == 0)
    if block.codes is not None:
        assert block.codes.dtype == np.int32
        assert block.codes.max() < len(block.cells)
        table = member.log_table(truth(name), block.cells, observed.coding, _numpy())
        assert table.shape == (N_SEGMENTS, len(block.cells))
    stacked = {key: np.stack([value] * 3) for key, value in truth(name).items()}
    for eta in member.natural(stacked, observed.coding, _numpy()):
        assert eta.shape == (3, N_SEGMENTS)
    for line in member.profile(stacked, observed.coding):
        assert line.values.shape[:2] == (3, N_SEGMENTS)
        assert np.all(np.isfinite(line.values))


@each_family
def test_profile_means_are_the_means_of_draws(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 50)
    segment = np.repeat(np.arange(N_SEGMENTS), 40_000)
    values = member.draw(rng, truth(name), segment, None, observed.coding).reshape(N_SEGMENTS, -1)
    checks = {
        "mean": lambda v: v.mean(1),
        "rate": lambda v: v.mean(1),
        "median": lambda v: np.median(v, 1),
        "sd": lambda v: v.std(1),
        "log_sd": lambda v: np.log(v).std(1),
        "share_positive": lambda v: (v > 0).mean(1),
        "median_positive": lambda v: np.array([np.median(row[row > 0]) for row in v]),
        "share": lambda v: (
            v.mean(1)
            if name == "bernoulli"
            else np.stack([(v == level).mean(1) for level in range(3)], axis=1)
        ),
    }
    for line in member.profile(truth(name), observed.coding):
        tolerance = 0.35 if (name, line.name) == ("asinh_normal", "sd") else 0.06
        np.testing.assert_allclose(
            checks[line.name](values), line.values, rtol=tolerance, err_msg=line.name
        )


@each_family
def test_default_priors_ignore_the_order_of_the_rows(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 501)
    observed = frozen(member, with_gaps(observed, rng.random(501) < 0.1))
    shuffled = subset(observed, rng.permutation(501))
    assert member.coding(shuffled) == member.coding(observed)
    assert member.default_priors(frozen(member, shuffled)) == member.default_priors(observed)


@each_family
@pytest.mark.parametrize("values", ["equal", "one row", "missing", "huge", "tiny"])
def test_degenerate_tables_have_finite_priors(name, rng, values):
    member, one = family(name), CASES[name].one
    column = {
        "equal": np.full(5, one),
        "one row": np.array([one]),
        "missing": np.full(4, np.nan),
        "huge": np.array([one, 1e12]) if not member.levelled else np.array([one, one]),
        "tiny": np.array([one, 1e-12]) if not member.discrete else np.array([one, 0.0]),
    }[values]
    observed = frozen(member, Observed(column, None, Coding(levels=CASES[name].levels)))
    priors = default_priors(name, observed, N_SEGMENTS)
    start = {key: prior.draw(rng) for key, prior in priors.items()}
    assert all(np.isfinite(prior.log_density(start[key])).all() for key, prior in priors.items())
    sums = sums_of(member.encode(observed), np.full((len(column), N_SEGMENTS), 0.5))
    for found in (
        member.update(rng, sums, start, priors, observed.coding),
        member.maximise(sums, start, priors, observed.coding),
        member.maximise(sums, start, None, observed.coding),
    ):
        assert all(np.isfinite(value).all() for value in found.values())
        assert np.isfinite(family_log_density(member, observed, found)).all()


@each_family
def test_gradient_is_the_finite_difference(name, rng):
    """The formulas written for NumPy, differentiated by PyTensor."""
    member = family(name)
    observed, _ = drawn(name, rng, 40)
    sums = sums_of(member.encode(observed), rng.dirichlet(np.ones(N_SEGMENTS), size=40))
    value, gradient = _pytensor_gradient(member, sums, observed.coding, truth(name))
    assert value == pytest.approx(total_log_density(member, sums, truth(name), observed.coding))
    for key, start in truth(name).items():
        for index in np.ndindex(start.shape):
            step = 1e-6 * max(1.0, abs(start[index]))
            moved = []
            for sign in (1.0, -1.0):
                parameters = {k: v.copy() for k, v in truth(name).items()}
                parameters[key][index] += sign * step
                moved.append(total_log_density(member, sums, parameters, observed.coding))
            slope = (moved[0] - moved[1]) / (2.0 * step)
            assert gradient[key][index] == pytest.approx(slope, rel=1e-4, abs=1e-4)


@each_family
@pytest.mark.parametrize("with_priors", [False, True])
def test_maximise_ascends_to_the_top(name, rng, with_priors):
    member = family(name)
    observed, _ = drawn(name, rng, 80)
    observed = with_gaps(observed, rng.random(80) < 0.1)
    weights = rng.dirichlet(np.ones(N_SEGMENTS), size=80)
    sums = sums_of(member.encode(observed), weights)
    other = CASES[name].other
    priors = default_priors(name, observed, N_SEGMENTS, **other) if with_priors else None
    start = default_priors(name, observed, N_SEGMENTS)
    for _ in range(5):
        parameters = {key: prior.draw(rng) for key, prior in start.items()}
        height = objective(name, observed, weights, parameters, priors)
        for _ in range(12):
            parameters = member.maximise(sums, parameters, priors, observed.coding)
            before, height = height, objective(name, observed, weights, parameters, priors)
            assert np.all(height >= before - 1e-8 * np.abs(before))
    line = to_line(member, parameters)
    for scale in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(10):
            moved, _ = from_line(member, line + scale * rng.standard_normal(line.shape), 3)
            assert np.all(objective(name, observed, weights, moved, priors) <= height + 1e-6)


@each_family
def test_maximise_keeps_a_segment_without_customers(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 30)
    sums = no_customers(member.encode(observed), N_SEGMENTS)
    kept = member.maximise(sums, truth(name), None, observed.coding)
    for key, value in truth(name).items():
        np.testing.assert_allclose(kept[key], value, rtol=1e-12)


@each_family
def test_fixed_values_are_held(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 60)
    sums = sums_of(member.encode(observed), rng.dirichlet(np.ones(N_SEGMENTS), size=60))
    free = member.default_priors(observed)
    for p in member.parameters:
        value = truth(name)[p.name][0]
        pinned = Prior("Fixed", value=tuple(value) if p.per_level else float(value))
        given = {**free, p.name: [free[p.name], pinned]}
        priors = member.segment_priors(given, N_SEGMENTS, observed.coding)
        assert member.updatable(priors)
        start = {key: priors[key].hold(array) for key, array in truth(name).items()}
        for found in (
            member.update(rng, sums, start, priors, observed.coding),
            member.maximise(sums, start, priors, observed.coding),
        ):
            np.testing.assert_allclose(found[p.name][1], value, rtol=1e-12)
            assert not np.allclose(found[p.name][0], truth(name)[p.name][0], rtol=1e-9)
        every = member.segment_priors({**free, p.name: pinned}, N_SEGMENTS, observed.coding)
        start = {key: every[key].hold(array) for key, array in truth(name).items()}
        found = member.update(rng, sums, start, every, observed.coding)
        np.testing.assert_allclose(found[p.name], np.stack([value, value]), rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in NAMES if families()[n].takes_exposure])
def test_doubling_exposures_halves_rates(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 200)
    double = replace(observed, exposure=2.0 * observed.exposure)
    weights = rng.dirichlet(np.ones(N_SEGMENTS), size=200)
    rates = [
        member.maximise(sums_of(member.encode(o), weights), truth(name), None, o.coding)["rate"]
        for o in (observed, double)
    ]
    np.testing.assert_allclose(rates[0], 2.0 * rates[1], rtol=1e-6)


@each_family
def test_priors_outside_the_conjugate_class_are_told(name, rng):
    member = family(name)
    observed, _ = drawn(name, rng, 30)
    for p in member.parameters:
        if p.support != "positive":
            continue
        foreign = Prior("HalfNormal", sigma=50.0)
        priors = default_priors(name, observed, N_SEGMENTS, **{p.name: foreign})
        assert member.updatable(priors) == (not p.updates)
        sums = sums_of(member.encode(observed), np.full((30, N_SEGMENTS), 0.5))
        found = member.maximise(sums, truth(name), priors, observed.coding)
        assert np.all(np.isfinite(found[p.name]) & (found[p.name] > 0))


def _numpy():
    from softseg.families.namespace import NUMPY

    return NUMPY


def _pytensor_gradient(member, sums, coding, start):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pytensor
        import pytensor.tensor as pt
        from pytensor.compile.mode import Mode
    xp = SimpleNamespace(
        log=pt.log,
        log1p=pt.log1p,
        exp=pt.exp,
        gammaln=pt.gammaln,
        maximum=pt.maximum,
        stack=lambda arrays: pt.stack(arrays, axis=-1),
        concatenate=lambda arrays: pt.concatenate(arrays, axis=-1),
    )
    inputs = {
        key: pt.tensor(key, dtype="float64", shape=value.shape) for key, value in start.items()
    }
    total = total_log_density(member, sums, inputs, coding, xp)
    slopes = pytensor.grad(total, list(inputs.values()))
    function = pytensor.function(
        list(inputs.values()), [total, *slopes], mode=Mode(linker="py", optimizer=None)
    )
    value, *gradient = function(*start.values())
    return float(value), dict(zip(start, gradient, strict=True))
