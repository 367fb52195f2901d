"""Soft segments of B2B customers, with the uncertainty of everything they say.

Heavy parts (PyMC, ArviZ, matplotlib, scikit-learn) are imported when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softseg.decisions.model.simulate import RoiModel
    from softseg.estimators import SegmentMigration, SegmentMixture
    from softseg.priors import Prior
    from softseg.study.file import Study
    from softseg.tables.schema import Schema

    __version__: str

__all__ = [
    "Prior",
    "RoiModel",
    "Schema",
    "SegmentMigration",
    "SegmentMixture",
    "Study",
    "__version__",
]

_HOMES = {
    "RoiModel": "softseg.decisions.model.simulate",
    "SegmentMigration": "softseg.estimators.migration",
    "SegmentMixture": "softseg.estimators.mixture",
    "Schema": "softseg.tables.schema",
    "Prior": "softseg.priors",
    "Study": "softseg.study.file",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("softseg")
    if name not in _HOMES:
        raise AttributeError(f"module 'softseg' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
