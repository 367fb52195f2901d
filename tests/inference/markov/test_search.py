"""The search of a latent Markov posterior."""

import numpy as np
import pytest

from inference.markov.test_sample import panel_of
from softseg.inference.markov.search import Searcher


def test_a_large_panel_is_searched_on_a_part_and_climbed_on_the_whole(monkeypatch):
    model, panel = panel_of("observed")

    def found():
        search = Searcher(panel.histories)
        return search(panel.statistics, model, n_starts=6, rng=np.random.default_rng(1))

    whole = found()
    steps = len(panel.histories.steps.codes)
    monkeypatch.setattr("softseg.inference.markov.search.LARGE", steps // 2)
    monkeypatch.setattr("softseg.inference.markov.search.PART", steps // 2)
    part = found()
    assert part.visits is None
    assert part.modes.best.objective == pytest.approx(whole.modes.best.objective, abs=1e-3)
    assert part.modes.hits > 1
    assert part.modes.n_starts == 10
    assert len(part.modes.best.top) == panel.statistics.n_patterns
