"""Frames of any kind as pandas frames with clean column names."""

from typing import Any

from softseg.errors import UsageError


def to_pandas(frame: Any) -> Any:
    """Return any frame that narwhals takes as a pandas frame with rows numbered from 0.

    Raises
    ------
    UsageError
        Where it is no frame.
    """
    import narwhals as nw
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        # Not through narwhals: it refuses columns of the same name without saying which.
        return _clean(frame)
    native = nw.from_native(frame, pass_through=True)
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    if not isinstance(native, nw.DataFrame):
        raise UsageError(
            "Give the table as a frame that narwhals takes (pandas, polars, pyarrow, ...), "
            f"got {type(frame).__name__}."
        )
    return _clean(native.to_pandas())


def _clean(frame: Any) -> Any:
    names = [str(name).strip() for name in frame.columns]
    numbered = frame.reset_index(drop=True)
    return numbered if names == list(frame.columns) else numbered.set_axis(names, axis=1)
