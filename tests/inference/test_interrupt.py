"""An interrupt stops the chains at their next sweep and returns the finished ones."""

import _thread
import time
from threading import Event, Timer
from typing import Any

import numpy as np
import pandas as pd
import pytest

from builders import mixed_table
from inference.test_checkpoint import Memory
from softseg.inference import em as em_module
from softseg.inference import gibbs as gibbs_module
from softseg.inference import nuts as nuts_module
from softseg.inference.em import climb, compiled_space
from softseg.inference.fit import fit
from softseg.inference.modes import find_modes
from softseg.inference.starts import random_start
from softseg.inference.threads import Stop, Stopped, in_threads
from softseg.inference.verdicts import Diagnosis
from softseg.likelihood.statistics import reduce
from softseg.models.mixture import specify
from softseg.tables.prepare import prepare
from softseg.tables.schema import Schema

OPTIONS: dict[str, Any] = {"n_draws": 20, "n_tune": 105, "n_starts": 3, "seed": 4, "cores": 1}
EXPLORING = 4 * 6
PER_CHAIN = 3
"""Blocks of sweeps between two looks."""


def slow(i: int, stop: Event) -> int:
    """Return at once for 0, else wait for the end; 1 interrupts the main thread."""
    if i == 1:
        time.sleep(0.05)
        _thread.interrupt_main()
    if i > 0 and stop.wait(timeout=20):
        raise Stopped
    return i


def test_results_come_in_order() -> None:
    assert in_threads(lambda i, stop: i * i, 5, 3) == ([0, 1, 4, 9, 16], False)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_returns_what_is_finished(threads: int) -> None:
    begun = time.monotonic()
    assert in_threads(slow, 4, threads, partial=True) == ([0], True)
    assert time.monotonic() - begun < 10


def test_an_interrupt_is_raised_where_nothing_is_finished() -> None:
    with pytest.raises(KeyboardInterrupt):
        in_threads(lambda i, stop: slow(i + 1, stop), 2, 1, partial=True)


def test_an_interrupt_is_raised_unless_asked_otherwise() -> None:
    with pytest.raises(KeyboardInterrupt):
        in_threads(slow, 2, 1)


def test_a_fault_stops_the_others() -> None:
    stopped, begun = [], Event()

    def work(i: int, stop: Event) -> int:
        if i == 0:
            begun.wait(timeout=20)
            raise ValueError("broken")
        begun.set()
        stopped.append(stop.wait(timeout=20))
        raise Stopped

    with pytest.raises(ValueError, match="broken"):
        in_threads(work, 2, 2, partial=True)
    assert stopped == [True]


def overlapping(n: int) -> Any:
    """Return a mixture whose segments are all alike: EM gains a little for very long."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({f"x{j}": rng.uniform(size=n) for j in range(3)})
    table = prepare(frame, Schema(indicators=dict.fromkeys(frame, "gaussian")))
    return reduce(table), specify(table.schema, 6)


def test_em_stops_at_the_next_cycle() -> None:
    statistics, mixture = overlapping(100_000)
    start = random_start(statistics, mixture, np.random.default_rng(1))
    for space in compiled_space(statistics, mixture, True), None:
        stop = Stop()
        timer = Timer(0.05, stop.set)
        climb(statistics, mixture, start, True, 1, space)
        timer.start()
        begun = time.monotonic()
        with pytest.raises(Stopped):
            climb(statistics, mixture, start, True, 10**6, space, -1.0, stop)
        assert time.monotonic() - begun < 3
        with pytest.raises(Stopped):
            climb(statistics, mixture, start, True, 1, space, stop=stop)


@pytest.mark.parametrize("begins", [1, 3, 5])
def test_an_interrupt_ends_the_search_for_modes(
    begins: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, _ = mixed_table(60)
    statistics, mixture = reduce(table), specify(table.schema, 2)
    original, flags = em_module.climb_kernel, []

    def waits(*arguments: Any) -> Any:
        flags.append(arguments[-1])
        if len(flags) == begins:
            _thread.interrupt_main()
            latest = time.monotonic() + 20
            while not arguments[-1][0] and time.monotonic() < latest:
                time.sleep(0.01)
        return original(*arguments)

    monkeypatch.setattr(em_module, "climb_kernel", waits)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        find_modes(statistics, mixture, n_starts=2, rng=np.random.default_rng(1))
    assert time.monotonic() - begun < 10
    assert len(flags) == begins
    assert flags[-1][0]


def after(blocks: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Interrupt the main thread at a block of sweeps; return the list of blocks that were made."""
    original, made = gibbs_module.sweeps_kernel, []

    def counted(*arguments: Any) -> None:
        made.append(1)
        if len(made) == blocks:
            _thread.interrupt_main()
            time.sleep(0.5)
        original(*arguments)

    monkeypatch.setattr(gibbs_module, "sweeps_kernel", counted)
    return made


def test_gibbs_ends_with_the_finished_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = mixed_table(60)
    whole, memory = fit(table, 2, method="gibbs", **OPTIONS), Memory()
    made = after(EXPLORING + 2 * PER_CHAIN + 1, monkeypatch)
    cut = fit(table, 2, method="gibbs", checkpoint=memory, partial=True, **OPTIONS)
    assert len(made) == EXPLORING + 2 * PER_CHAIN + 1
    assert cut.draws.interrupted
    assert cut.draws.log_likelihood.shape == (2, 20)
    np.testing.assert_array_equal(cut.draws.log_likelihood, whole.draws.log_likelihood[:2])
    assert cut.diagnosis.status == "partial"
    check = cut.diagnosis.check("chains")
    assert (check.value, check.bound, check.passed) == (2.0, 4.0, False)
    assert "when 2 of 4 runs were finished" in cut.diagnosis.text()
    assert "als 2 von 4 Läufen fertig waren" in cut.diagnosis.text("de")
    assert Diagnosis.from_json(cut.diagnosis.to_json()).status == "partial"
    assert "Finished runs" in repr(cut.diagnosis)
    again = fit(table, 2, method="gibbs", checkpoint=memory, partial=True, **OPTIONS)
    np.testing.assert_array_equal(again.draws.log_likelihood, whole.draws.log_likelihood)
    assert again.diagnosis.status == whole.diagnosis.status


def test_one_finished_chain_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = mixed_table(60)
    after(EXPLORING + PER_CHAIN + 1, monkeypatch)
    cut = fit(table, 2, method="gibbs", partial=True, **OPTIONS)
    assert cut.draws.log_likelihood.shape == (1, 20)
    assert cut.diagnosis.status == "partial"


def test_an_interrupt_is_an_interrupt_unless_asked_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, _ = mixed_table(60)
    after(EXPLORING + 2 * PER_CHAIN + 1, monkeypatch)
    memory = Memory()
    with pytest.raises(KeyboardInterrupt):
        fit(table, 2, method="gibbs", checkpoint=memory, **OPTIONS)
    assert len(memory) == 2


def test_nothing_finished_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = mixed_table(60)
    after(EXPLORING + 1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit(table, 2, method="gibbs", partial=True, **OPTIONS)


def test_chains_that_go_on_fall_back_to_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = mixed_table(60)
    monkeypatch.setattr("softseg.inference.sample._worth_more", lambda diagnosis, thin: thin == 1)
    after(EXPLORING + 4 * PER_CHAIN + 2, monkeypatch)
    cut = fit(table, 2, method="gibbs", partial=True, **OPTIONS)
    assert cut.diagnosis.status == "partial"
    assert cut.diagnosis.check("chains").value == 4.0
    assert cut.thin == 1
    assert cut.draws.log_likelihood.shape == (4, 20)


def test_nuts_ends_with_the_finished_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = mixed_table(60)
    original, read = nuts_module._read, []

    def reads(trace: Any) -> Any:
        read.append(1)
        if len(read) == 2:
            raise KeyboardInterrupt
        return original(trace)

    monkeypatch.setattr(nuts_module, "_read", reads)
    memory = Memory()
    cut = fit(table, 2, method="nuts", checkpoint=memory, partial=True, **OPTIONS)
    assert cut.draws.log_likelihood.shape == (1, 20)
    assert cut.diagnosis.status == "partial"
    assert cut.diagnosis.check("chains").value == 1.0
    assert len(memory) == 1
