import pytest
import threadpoolctl

from roi_builders import assumptions, company
from softseg.decisions.answers import collect as room
from softseg.decisions.model.simulate import RoiModel, Simulation


def test_answers_are_found_without_threads_of_the_linear_algebra(monkeypatch: pytest.MonkeyPatch):
    found: list[int] = []
    original = room.headline

    def headline(simulation: Simulation, *more: str):
        info = threadpoolctl.threadpool_info()
        found.extend(one["num_threads"] for one in info if one["user_api"] == "blas")
        return original(simulation, *more)

    monkeypatch.setattr(room, "headline", headline)
    cost = {"role": "one_off_cost", "unit": "EUR", "low": 1.0, "high": 2.0}
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        room.collect(RoiModel(assumptions(company(cost=cost))).simulate(2, 64))
    assert set(found) == {1}
