"""The Gibbs sweep of latent Markov models leaves the joint law of truth and panel alone."""

from dataclasses import replace

import numpy as np
import pytest

from calibration_joint import joint_test
from calibration_markov import CALIBRATED, JOINT_CUSTOMERS, JOINT_PERIODS, World
from softseg.models.chain_priors import RowPrior

FEW = {"n_steps": 150, "n_fresh": 400}


def world_of(churn: str) -> World:
    return World(churn, JOINT_CUSTOMERS, JOINT_PERIODS)


@pytest.mark.parametrize("churn", CALIBRATED)
def test_sweeps_between_fresh_panels_keep_the_prior(churn: str) -> None:
    world = world_of(churn)
    _, z, _ = joint_test(world, world.mixture, np.random.default_rng(8), **FEW)
    assert np.abs(z).max() < 5.0


def test_rows_under_another_prior_are_found_out() -> None:
    world = world_of("observed")
    (rows,) = world.mixture.extras
    prior = RowPrior(np.ones((2, 3)), rows.prior.fixed)
    updated = replace(world.mixture, extras=(replace(rows, prior=prior),))
    names, z, _ = joint_test(world, updated, np.random.default_rng(8), **FEW)
    assert z[names.index("transition__all[1,1]"), 0] < -5.0
