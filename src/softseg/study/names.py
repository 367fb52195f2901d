"""Names of segments: which segment an entry of the programme means, and other names for all."""

from collections.abc import Callable
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
    known = {str(k): name for k, name in enumerate(names, start=1)}
    found = respelt(numbered, lambda text: known.get(text, text))
    segments = study.segments.model_copy(update={"names": names})
    return found.model_copy(update={"segments": segments})


def by_number[S: "Study"](study: S, names: tuple[str, ...]) -> S:
    """Return a study whose programme gives its segments by number; unknown ones stay."""
    return respelt(study, lambda text: str(segment_number(text, names) or text))


def respelt[S: "Study"](study: S, spell: Callable[[str], str]) -> S:
    """Return a study that spells the segments of its programme and inflow in another way."""
    entries = []
    for entry in study.programme.segments:
        inputs = {
            id: lever.model_copy(update={"to": tuple(map(spell, lever.to))}) if lever.to else lever
            for id, lever in entry.inputs.items()
        }
        update = {"segment": spell(entry.segment), "inputs": inputs}
        entries.append(entry.model_copy(update=update))
    programme = study.programme.model_copy(update={"segments": tuple(entries)})
    inflow = {spell(name): new for name, new in study.migration.inflow.items()}
    migration = study.migration.model_copy(update={"inflow": inflow})
    return study.model_copy(update={"programme": programme, "migration": migration})
