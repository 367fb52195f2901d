import pytest

from softseg.report.study import pictures


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out, which take most of the time."""
    monkeypatch.setattr(pictures, "all_of", lambda _facts: dict.fromkeys(pictures.NAMES, ""))
