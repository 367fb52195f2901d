"""The kernel as a PyTensor node: its values, its gradient, its compiled form."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import DisconnectedInputError
from pytensor.graph.traversal import ancestors
from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key
from scipy.special import logsumexp, softmax

from oracles.small_tables import family_table
from softseg.families import families
from softseg.families.namespace import NUMPY
from softseg.inference.starts import random_start
from softseg.likelihood.joined import join
from softseg.likelihood.kernel import expected_statistics
from softseg.likelihood.op import INPUT_TYPES, MixtureLogLikelihood, mixture_log_likelihood
from softseg.likelihood.statistics import reduce
from softseg.models.graph import build_mixture, free_values
from softseg.models.mixture import specify

PYTHON = "FAST_COMPILE"
NAMES = ("start", "weights", "table", "dense", "codes", "parts", "count")


@pytest.fixture
def arrays():
    """Inputs of the node: three segments, two columns, two table columns, more than one block."""
    rng = np.random.default_rng(5)
    n = 300
    codes = np.stack([rng.integers(4, size=n), 4 + rng.integers(3, size=n)]).astype(np.int32)
    joined = join(codes, [slice(0, 4), slice(4, 7)], 7)
    return {
        "start": rng.normal(size=3),
        "weights": rng.normal(size=(3, 2)),
        "table": rng.normal(size=(3, 8)),
        "dense": rng.normal(size=(2, n)),
        "codes": joined.codes,
        "parts": joined.parts,
        "count": rng.integers(1, 5, size=n).astype(float),
    }


@pytest.fixture
def symbols():
    return [kind(name) for kind, name in zip(INPUT_TYPES, NAMES, strict=True)]


def brute_force(start, weights, table, dense, codes, parts, count):
    """Log-likelihood and expected statistics, written down without the kernel."""
    assert codes.shape[0] == 1
    codes = np.concatenate([codes // 3, 4 + codes % 3])
    joint = start[:, None] + weights @ dense + table[:, codes].sum(axis=1)
    responsibility = count * softmax(joint, axis=0)
    by_table = np.zeros_like(table)
    for code in codes:
        for k in range(len(start)):
            np.add.at(by_table[k], code, responsibility[k])
    total = count @ logsumexp(joint, axis=0)
    return total, responsibility.sum(axis=1), responsibility @ dense.T, by_table


@pytest.mark.parametrize("mode", [PYTHON, "NUMBA"])
def test_values_and_gradient_are_those_of_brute_force(arrays, symbols, mode):
    outputs = mixture_log_likelihood(*symbols)
    gradient = pytensor.grad(3.0 * outputs[0], symbols[:3])
    function = pytensor.function(symbols, [*outputs, *gradient], mode=mode)

    found = function(**arrays)

    expected = brute_force(**arrays)
    for value, wanted in zip(found[:4], expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-11, atol=1e-11)
    for value, wanted in zip(found[4:], expected[1:], strict=True):
        np.testing.assert_allclose(value, 3.0 * wanted, rtol=1e-11, atol=1e-11)
    nodes = function.maker.fgraph.apply_nodes
    assert sum(isinstance(node.op, MixtureLogLikelihood) for node in nodes) == 1


def test_numba_code_can_be_cached_on_disk(symbols):
    node = mixture_log_likelihood.make_node(*symbols)

    _, key = numba_funcify_and_cache_key(mixture_log_likelihood, node=node)

    assert key is not None


def test_shapes_are_known_without_a_pass_over_the_patterns(arrays, symbols):
    outputs = mixture_log_likelihood(*symbols)
    function = pytensor.function(
        symbols, [output.shape for output in outputs[1:]], mode=PYTHON, on_unused_input="ignore"
    )

    found = function(**arrays)

    assert [tuple(shape) for shape in found] == [(3,), (3, 2), (3, 8)]
    nodes = function.maker.fgraph.apply_nodes
    assert not any(isinstance(node.op, MixtureLogLikelihood) for node in nodes)


@pytest.mark.parametrize("position", [3, 6])
def test_patterns_have_no_gradient(symbols, position):
    log_lik = mixture_log_likelihood(*symbols)[0]

    with pytest.raises(DisconnectedInputError):
        pytensor.grad(log_lik, symbols[position])


def test_codes_must_be_whole_numbers(symbols):
    symbols[4] = pt.matrix("codes", dtype="float64")

    with pytest.raises(TypeError, match="Cannot convert"):
        mixture_log_likelihood(*symbols)


@pytest.mark.parametrize("name", families())
def test_gradient_equals_finite_differences(name):
    rng = np.random.default_rng(8)
    table = family_table(name, rng)
    statistics = reduce(table)
    mixture = specify(table.schema, 2)
    values = random_start(statistics, mixture, rng)
    model = build_mixture(mixture, statistics)
    free = model.free_RVs
    potential = model.potentials[0]
    function = pytensor.function(free, [potential, *pytensor.grad(potential, free)], mode=PYTHON)
    at = free_values(mixture, values)
    point = [at[variable.name] for variable in free]

    found, *gradient = function(*point)

    weights = statistics.layout.weights(values.indicators, NUMPY)
    assert found == pytest.approx(
        expected_statistics(statistics, weights, values.share).log_likelihood, rel=1e-13
    )
    for i, slope in enumerate(gradient):
        for index in np.ndindex(slope.shape):
            wanted = central_difference(lambda p: function(*p)[0], point, i, index)
            assert slope[index] == pytest.approx(wanted, rel=2e-6, abs=2e-6), free[i].name


def central_difference(function, point, i, index):
    """Derivative by one entry of one variable, of fourth order."""
    step = 1e-3 * max(abs(point[i][index]), 1e-2)
    total = 0.0
    for times, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
        moved = [np.array(values, copy=True) for values in point]
        moved[i][index] += times * step
        total += weight * function(moved)
    return total / (12.0 * step)


def test_patterns_stand_in_the_graph_as_shared_variables():
    table = family_table("gaussian", np.random.default_rng(3))
    model = build_mixture(specify(table.schema, 2), reduce(table))

    shared = {
        variable.name
        for variable in ancestors(model.potentials)
        if isinstance(variable, pytensor.compile.SharedVariable)
    }

    assert {"dense", "codes", "count"} <= shared
