"""Where the real data stand that are never committed."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Return the folder of the real data, or skip."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("SOFTSEG_REFERENCE_DATA", default))
    if not folder.is_dir():
        pytest.skip("no reference data here")
    return folder
