"""Gibbs updates leave the joint distribution of parameters and table alone, family by family."""

from dataclasses import replace

import numpy as np
import pytest

from calibration_joint import NAME, Simulator, joint_test
from softseg.families import families
from softseg.priors import Prior

FEW = {"n_steps": 150, "n_fresh": 400}


@pytest.mark.parametrize("name", list(families()))
def test_sweeps_between_fresh_tables_keep_the_prior(name):
    simulator = Simulator.of(name)
    _, z, _ = joint_test(simulator, simulator.mixture, np.random.default_rng(8), **FEW)
    assert np.abs(z).max() < 5.0


def test_updates_under_another_prior_are_found_out():
    simulator = Simulator.of("poisson")
    member, mixture = families()["poisson"], simulator.mixture
    rate = mixture.priors[NAME]["rate"].priors[0].parameters
    wrong = {"rate": Prior("Gamma", alpha=3.0, beta=rate["beta"])}
    priors = member.segment_priors(wrong, mixture.n_segments, mixture.codings[NAME])
    updated = replace(mixture, priors={NAME: priors})
    names, z, _ = joint_test(simulator, updated, np.random.default_rng(8), **FEW)
    assert z[names.index(f"{NAME}__rate[1]"), 0] > 5.0
