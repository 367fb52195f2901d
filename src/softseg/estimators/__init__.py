"""The scikit-learn face: `SegmentMixture` for a table, `SegmentMigration` for a panel."""

from softseg.estimators.migration import SegmentMigration
from softseg.estimators.mixture import SegmentMixture

__all__ = ["SegmentMigration", "SegmentMixture"]
