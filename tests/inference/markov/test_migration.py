"""One result, whichever way it came."""

import numpy as np
import pytest

from markov_cases import random_case
from softseg.inference.markov.migration import joint, of_sampled
from softseg.inference.markov.sample import sample_markov
from softseg.inference.sample import sample
from softseg.models.latent_markov import specify_markov
from softseg.models.mixture import specify


def test_the_joint_way_gives_the_same_names() -> None:
    case = random_case(np.random.default_rng(3), n_histories=30, n_profiles=2)
    model = specify_markov(case.schema, 2, profiles=("1", "2"))
    sampled = sample_markov(
        case.statistics, case.histories, model, rng=np.random.default_rng(1), method="gibbs",
        n_draws=20, n_chains=2, n_tune=10, n_starts=2, longer=False,
    )  # fmt: skip
    found = joint(sampled)
    posterior = found.posterior()
    assert found.way == "joint"
    assert posterior.share.dims == ("chain", "draw", "segment")
    assert posterior.transition.dims == ("chain", "draw", "period", "state", "state_to")
    assert "classification_error" not in posterior
    np.testing.assert_allclose(posterior.transition.sum("state_to"), 1.0)
    np.testing.assert_array_equal(posterior.share.values, sampled.draws.values.share)
    np.testing.assert_array_equal(
        posterior.transition.values[:, :, 1, :2],
        sampled.draws.values.indicators["transition"]["2"],
    )


def test_draws_of_a_mixture_are_refused() -> None:
    case = random_case(np.random.default_rng(3), n_histories=30)
    sampled = sample(
        case.statistics, specify(case.schema, 1), rng=np.random.default_rng(1), method="gibbs",
        n_draws=5, n_chains=1, n_tune=5, n_starts=1, longer=False,
    )  # fmt: skip
    with pytest.raises(TypeError, match="Give draws of a latent Markov model, got Mixture"):
        of_sampled(sampled, "joint")
