import pytest

from builders import ALL_FAMILIES
from results.worlds import World, world


@pytest.fixture(scope="session")
def mixed() -> World:
    return world(ALL_FAMILIES, n=150, missing=0.3, shape=(2, 25))
