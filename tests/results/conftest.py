import pytest

from builders import ALL_FAMILIES
from results.worlds import World, world


@pytest.fixture(scope="session")
def mixed() -> World:
    """Every family, so many gaps that many customers are ambiguous, exposures, names."""
    return world(ALL_FAMILIES, missing=0.7, names=("Größte", "Mittlere", "Übrige"))


@pytest.fixture(scope="session")
def one_segment() -> World:
    return world({"amount": "gaussian", "online": "bernoulli"}, share=(1.0,), n=30)
