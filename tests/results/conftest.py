import pytest
from builders import ALL_FAMILIES
from results.worlds import World, world


@pytest.fixture(scope="session")
def mixed() -> World:
    """Every family, gaps, exposures, named segments."""
    return world(ALL_FAMILIES, names=("Größte", "Mittlere", "Übrige"))


@pytest.fixture(scope="session")
def one_segment() -> World:
    return world({"amount": "gaussian", "online": "bernoulli"}, share=(1.0,), n=30)
