"""The stages of a study, and what each of them depends on.

Segments → value → money → report. The key of a stage is a hash over all that decides about what
it leaves: files by their bytes, the entries of the study file that it reads, the versions of the
packages, and the key of the stage before. A stage is done again when its key or one of its files
has changed, and only then. Names and words of the study decide about the report alone.
"""

import hashlib
import json
from typing import Any, Final, get_args

from softseg.decisions.segments.expand import segment_number
from softseg.decisions.segments.programme import Programme
from softseg.decisions.tree import canonical
from softseg.errors import UsageError
from softseg.results.files import sha256
from softseg.runs.roi_manifest import roi_versions
from softseg.study.file import StageName, Study
from softseg.study.names import by_number
from softseg.wording import say

STAGES: Final[tuple[StageName, ...]] = get_args(StageName.__value__)
WORDS: Final = ("strategy", "owner", "watch")
"""What an entry of the programme says to readers only."""


def stage_keys(study: Study) -> dict[StageName, str]:
    """Return the key of every stage.

    Raises
    ------
    FileError
        Where a file cannot be read.
    """
    given = study.segments
    segments = _key(
        "segments",
        versions=roi_versions(),
        table=sha256(study.table_path),
        schema=sha256(study.schema_path),
        number=given.number,
        several=sorted(given.several),
        reference=given.reference,
        seed=study.seed,
        fit=study.fit.model_dump(mode="json"),
    )
    value = _key(
        "value", segments, column=study.ledger.value, compare=sorted(set(given.compare))
    )  # fmt: skip
    money = _key(
        "money",
        value,
        assumptions=sha256(study.assumptions_path),
        programme=_deeds(study),
        ledger=study.ledger.model_dump(mode="json"),
        handling=given.handling,
        plug_in=study.plug_in,
        simulate=study.simulate.model_dump(mode="json"),
        **_inflow(study),
    )
    report = _key("report", money, study=study.data())
    return {"segments": segments, "value": value, "money": money, "report": report}


def asked(only: str | None, until: str | None, language: str) -> tuple[StageName, ...]:
    """Return the stages that may be done.

    Raises
    ------
    UsageError
        Where a stage is unknown, or both are given.
    """
    for name in (only, until):
        if name is not None and name not in STAGES:
            values = {"known": ", ".join(STAGES), "got": name}
            raise UsageError(say("study_run.stage", language, **values))
    if only is not None and until is not None:
        raise UsageError(say("study_run.both", language))
    if only is not None:
        return tuple(stage for stage in STAGES if stage == only)
    return STAGES if until is None else tuple(s for s in STAGES if _place(s) <= _place(until))


def _place(stage: str) -> int:
    return [*STAGES].index(stage)  # pyright: ignore[reportArgumentType]


def _inflow(study: Study) -> dict[str, Any]:
    """Return the new customers by number of the segment, nothing where there are none."""
    names = study.segments.names
    found = {
        str(segment_number(name, names) or name): new.model_dump(mode="json")
        for name, new in study.migration.inflow.items()
    }
    return {"inflow": found} if found else {}


def _deeds(study: Study) -> str:
    """Return the programme with segments by number, without what is there for readers only.

    As text, because the order of the inputs decides about the draws.
    """
    fixed = study.segments.fixed
    names = study.segments.names or tuple(str(k) for k in range(1, (fixed or 0) + 1))
    programme: Programme = by_number(study, names).programme
    data = programme.model_dump(mode="json")
    for entry in data["segments"]:
        for word in WORDS:
            del entry[word]
    return json.dumps(data)


def _key(stage: str, before: str = "", **parts: Any) -> str:
    text = canonical({"stage": stage, "before": before, **parts})
    return hashlib.sha256(text.encode()).hexdigest()
