"""What all tests share: where the reference data are, and how Hypothesis searches."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
IN_CI = bool(os.environ.get("CI"))

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if IN_CI else "local")


@pytest.fixture(scope="session", autouse=True)
def interrupts() -> None:
    """Let interrupts be raised: in a shell's background they are ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reference_data() -> Callable[[str], Path]:
    """Path of a file of real data; without the folder the test is skipped, but never in CI."""
    folder = (ROOT / os.environ.get("SOFTSEG_REFERENCE_DATA", "../shared/data")).resolve()

    def path_of(name: str) -> Path:
        if not folder.is_dir() and not IN_CI:
            pytest.skip("the reference data are not here: set SOFTSEG_REFERENCE_DATA")
        path = folder / name
        if not path.is_file():
            pytest.fail(f"the reference data have no file {name!r}")
        return path

    return path_of
