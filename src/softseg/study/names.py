"""Names of segments: which segment an entry of the programme means, and other names for all."""

from typing import TYPE_CHECKING

from softseg.decisions.segments.expand import segment_number
from softseg.errors import UsageError
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.study.file import Study


def names_of(study: "Study", n_segments: int) -> tuple[str, ...]:
    """Return the names of the segments, their numbers as text where the study gives none.

    Raises
    ------
    UsageError
        Where the study names another number of segments.
    """
    given = study.segments.names
    if given and len(given) != n_segments:
        values = {"count": n_segments, "given": ", ".join(given)}
        raise UsageError(say("runs.names", study.language, **values))
    return given or tuple(str(k) for k in range(1, n_segments + 1))


def renamed[S: "Study"](study: S, names: tuple[str, ...]) -> S:
    """Return a study with other names of the segments, the programme following them."""
    count = study.segments.fixed or len(study.segments.names) or len(names)
    if len(names) != count or len(set(names)) < count:
        values = {"count": count, "given": ", ".join(names)}
        raise UsageError(say("runs.names", study.language, **values))
    numbered = by_number(study, names_of(study, count))
    entries = tuple(
        entry.model_copy(update={"segment": names[int(entry.segment) - 1]})
        for entry in numbered.programme.segments
    )
    programme = study.programme.model_copy(update={"segments": entries})
    segments = study.segments.model_copy(update={"names": names})
    return study.model_copy(update={"programme": programme, "segments": segments})


def by_number[S: "Study"](study: S, names: tuple[str, ...]) -> S:
    """Return a study whose programme gives its segments by number; unknown ones stay."""
    entries = []
    for entry in study.programme.segments:
        k = segment_number(entry.segment, names)
        entries.append(entry if k is None else entry.model_copy(update={"segment": str(k)}))
    programme = study.programme.model_copy(update={"segments": tuple(entries)})
    return study.model_copy(update={"programme": programme})
