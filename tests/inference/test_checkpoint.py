"""Chains that were kept are the chains that would have been sampled, and never those of others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from builders import mixed_table
from softseg.inference.checkpoint import Chain, Keeper, content_hash
from softseg.inference.draws import Draws
from softseg.inference.fit import fit
from softseg.inference.gibbs import gibbs
from softseg.inference.nuts import Engine, engine_for, nuts
from softseg.inference.turns import sweeps_kernel
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import Values, specify

SHORT: dict[str, Any] = {"n_draws": 12, "n_tune": 4}


class Memory(dict[str, Mapping[str, np.ndarray]]):
    """Keeps chains as a folder does, without the folder."""

    def load(self, key: str) -> Mapping[str, np.ndarray] | None:
        return self.get(key)

    def save(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
        self[key] = arrays


@pytest.fixture(scope="module")
def world() -> Any:
    table, _ = mixed_table(60)
    return reduce(table), specify(table.schema, 2)


def run(world: Any, memory: Memory | None, *, seed: int = 1, chains: int = 2, **changed: Any):
    """Sample chains that go on once; return both draws."""
    statistics, mixture = world
    starts = [mixture.draw_prior(np.random.default_rng(i)) for i in range(chains)]
    rngs = np.random.default_rng(seed).spawn(chains)
    keeper = Keeper(memory, statistics, mixture)
    options = SHORT | changed
    first, ends = gibbs(statistics, mixture, starts, rngs=rngs, keeper=keeper, **options)
    options["n_tune"] = 0
    second, _ = gibbs(statistics, mixture, ends, rngs=rngs, thin=2, keeper=keeper, **options)
    return first, second


def assert_same(one: Draws, other: Draws) -> None:
    np.testing.assert_array_equal(one.log_likelihood, other.log_likelihood)
    np.testing.assert_array_equal(one.values.share, other.values.share)
    for name, parameters in one.values.indicators.items():
        for key, values in parameters.items():
            np.testing.assert_array_equal(values, other.values.indicators[name][key])
    assert one.sample_stats.keys() == other.sample_stats.keys()
    for key, values in one.sample_stats.items():
        np.testing.assert_array_equal(values, other.sample_stats[key])


def test_whatever_is_kept_the_draws_are_the_same(world: Any) -> None:
    whole = run(world, None)
    memory = Memory()
    for kept in run(world, memory), run(world, memory):
        assert_same(kept[0], whole[0])
        assert_same(kept[1], whole[1])
    assert len(memory) == 4
    for lost in list(memory):
        rest = Memory({key: arrays for key, arrays in memory.items() if key != lost})
        again = run(world, rest)
        assert_same(again[0], whole[0])
        assert_same(again[1], whole[1])
        assert rest.keys() == memory.keys()


def test_a_chain_that_was_kept_is_not_sampled_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory()
    run(world, memory)

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("softseg.inference.gibbs._run_compiled", never)
    run(world, memory)
    with pytest.raises(AssertionError):
        run(world, memory, n_draws=13)


def test_more_chains_take_those_that_are_kept(world: Any) -> None:
    memory = Memory()
    run(world, memory, chains=2)
    kept = set(memory)
    assert_same(run(world, memory, chains=3)[0], run(world, None, chains=3)[0])
    assert kept < set(memory)


def test_another_fit_has_other_keys(world: Any) -> None:
    statistics, mixture = world
    start = mixture.draw_prior(np.random.default_rng(0))
    bit = np.nextafter(start.share, 1.0)

    def key(
        statistics: Any = statistics, mixture: Any = mixture, start: Any = start, seed: int = 1,
        method: str = "gibbs", **options: int,
    ) -> str:  # fmt: skip
        rng = np.random.default_rng(seed)
        return Keeper(Memory(), statistics, mixture).key(method, start, rng, SHORT | options)

    other, _ = mixed_table(60, seed=9)
    keys = [
        key(),
        key(seed=2),
        key(method="laplace"),
        key(n_draws=13),
        key(thin=1),
        key(start=Values(bit, start.indicators)),
        key(start=[start, start]),
        key(statistics=reduce(other)),
        key(statistics=replace(statistics, count=statistics.count + 1.0)),
        key(mixture=specify(other.schema, 3)),
        key(mixture=replace(mixture, share=mixture.share * 2.0)),
        key(mixture=replace(mixture, fixed_share=np.array([0.4, 0.6]))),
    ]
    assert len(set(keys)) == len(keys)
    shuffled = replace(statistics, pattern_of_row=statistics.pattern_of_row[::-1])
    assert key() == key(statistics=shuffled)
    assert all(len(one) == 64 for one in keys)


def test_other_versions_have_other_keys(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, rng = Keeper(Memory(), *world), np.random.default_rng(1)
    monkeypatch.setattr("softseg.inference.checkpoint.version", lambda name: "0.0")
    other = Keeper(Memory(), *world)
    old = other.key("gibbs", (), rng, {})
    monkeypatch.undo()
    assert keeper.key("gibbs", (), rng, {}) != old


def test_things_that_look_alike_have_different_hashes() -> None:
    things: list[Any] = [
        (), "", None, 0, 0.0, False, "0", ["a", "b"], ["ab"], {"a": "b"}, ["a", ["b"]],
        np.zeros(2), np.zeros((1, 2)), np.zeros(2, np.float32), np.zeros(2, np.int64),
        np.zeros((0, 2)), {"a": 1, "b": 2}, {"b": 2, "a": 1}, slice(0, 1), slice(0, 2),
        np.float64(1.0), -0.0,
    ]  # fmt: skip
    hashes = [content_hash(thing) for thing in things]
    assert len(set(hashes)) == len(hashes)
    wide = np.arange(12.0).reshape(3, 4)
    assert content_hash(wide.T) == content_hash(np.ascontiguousarray(wide.T))
    with pytest.raises(TypeError, match="numbers, texts and arrays only, got object"):
        content_hash(object())


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_generator_goes_on_where_it_was(world: Any, kind: str) -> None:
    rng = np.random.Generator(getattr(np.random, kind)(5))
    rng.standard_normal(3, dtype=np.float32)
    keeper = Keeper(Memory(), *world)
    chain = Chain(world[1].draw_prior(rng), np.zeros(0))
    keeper.keep("key", chain, rng)
    other = np.random.Generator(getattr(np.random, kind)(6))
    found = keeper.find("key", other)
    assert found is not None
    assert found.end is None
    np.testing.assert_array_equal(rng.integers(2**32, size=9), other.integers(2**32, size=9))


def test_a_method_that_makes_its_draws_in_one_piece_can_use_it_too(world: Any) -> None:
    keeper, calls = Keeper(Memory(), *world), []

    def propose(rng: np.random.Generator) -> Chain:
        calls.append(1)
        values = world[1].draw_prior(rng).map(lambda v: np.stack([v, v]))
        return Chain(values, rng.normal(size=2), {"log_weight": rng.normal(size=2)})

    found = []
    for _ in range(2):
        rng = np.random.default_rng(3)
        starts = [world[1].draw_prior(np.random.default_rng(0))] * 2
        chain = keeper.chain("laplace", starts, rng, {}, lambda rng=rng: propose(rng))
        found.append((chain, rng.random()))
    assert len(calls) == 1
    np.testing.assert_array_equal(found[0][0].values.share, found[1][0].values.share)
    np.testing.assert_array_equal(
        found[0][0].sample_stats["log_weight"], found[1][0].sample_stats["log_weight"]
    )
    assert found[0][1] == found[1][1]


def test_nuts_takes_the_chains_that_are_kept(world: Any) -> None:
    statistics, mixture = world
    start = mixture.draw_prior(np.random.default_rng(4))
    found = engine_for(statistics, mixture, start)

    def draws(memory: Memory | None, engine: Engine | None = found) -> Draws:
        rngs = np.random.default_rng(2).spawn(2)
        keeper = Keeper(memory, statistics, mixture)
        return nuts(
            statistics, mixture, [start] * 2, n_draws=10, n_tune=30, rngs=rngs,
            engine=engine, keeper=keeper,
        )  # fmt: skip

    whole, memory = draws(None), Memory()
    assert_same(draws(memory), whole)
    assert len(memory) == 2
    for lost in list(memory):
        rest = Memory({key: arrays for key, arrays in memory.items() if key != lost})
        assert_same(draws(rest), whole)
    # All chains are there: nothing is compiled, nothing is sampled.
    assert_same(draws(memory, engine=None), whole)


def test_a_fit_that_was_cut_off_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = mixed_table(60)
    options: dict[str, Any] = {
        "method": "gibbs", "n_draws": 20, "n_tune": 5, "n_starts": 3, "seed": 4, "cores": 1,
    }  # fmt: skip
    whole, memory, blocks = fit(table, 2, **options), Memory(), []
    kernel = "softseg.inference.gibbs.sweeps_kernel"

    def dies(*arguments: Any) -> None:
        blocks.append(1)
        if len(blocks) == 4 * 6 + 2 + 1:
            raise OSError("the power is gone")
        sweeps_kernel(*arguments)

    monkeypatch.setattr(kernel, dies)
    with pytest.raises(OSError, match="the power is gone"):
        fit(table, 2, checkpoint=memory, **options)
    monkeypatch.setattr(kernel, sweeps_kernel)
    assert 2 <= len(memory) < 4  # the next chain may be done before it learns of the fault
    again = fit(table, 2, checkpoint=memory, **options)
    assert_same(again.draws, whole.draws)
    assert again.diagnosis.to_json() == whole.diagnosis.to_json()


def test_importance_draws_are_kept_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = mixed_table(60)
    options: dict[str, Any] = {"method": "laplace", "n_draws": 50, "n_starts": 3, "seed": 4}
    whole, memory = fit(table, 2, **options), Memory()
    kept = fit(table, 2, checkpoint=memory, **options)
    assert len(memory) == 1
    monkeypatch.setattr("softseg.inference.sample.laplace", None)
    again = fit(table, 2, checkpoint=memory, **options)
    for found in kept, again:
        assert_same(found.draws, whole.draws)
        assert found.diagnosis.to_json() == whole.diagnosis.to_json()
