"""The manifest of a return-on-investment folder: what is needed to get the same draws again.

It holds no time, no machine and no path, so that the same run writes the same bytes.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from softseg.errors import FileError
from softseg.results.files import read_file
from softseg.runs.manifest import MANIFEST, versions
from softseg.wording import say

if TYPE_CHECKING:
    from softseg.decisions.inputs.schema import Assumptions

PACKAGES: Final = ("numpy", "scipy")
"""What decides about the draws, beside Python and softseg."""


class RoiOptions(BaseModel):
    """What a calculation was asked for; the number of cores is not part of it.

    Attributes
    ----------
    replicates
        Independent scramblings of the Sobol points.
    draws
        Draws of each.
    seed
        Fixes every draw.
    language
        Language of report and workbook.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    replicates: int = Field(default=16, ge=1)
    draws: int = Field(default=4096, ge=1)
    seed: int = Field(default=1, ge=0)
    language: Literal["en", "de"] = "en"


class RoiManifest(BaseModel):
    """What a return-on-investment folder says of itself.

    Attributes
    ----------
    softseg_roi_manifest
        Version of the layout.
    versions
        Version of Python, softseg and the packages that decide about the draws.
    options
        What was asked for.
    assumptions
        As JSON, inputs in the file's order.
    assumptions_hash
        Their SHA-256, as the tree states it.
    posterior
        Ids of the inputs whose draws came from a fitted model.
    files
        SHA-256 of every file of the folder by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    softseg_roi_manifest: Literal[1] = 1
    versions: dict[str, str]
    options: RoiOptions
    assumptions: dict[str, Any]
    assumptions_hash: str
    posterior: tuple[str, ...] = ()
    files: dict[str, str] = {}

    def to_bytes(self) -> bytes:
        """Return the content of the file, the same for equal manifests."""
        text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)
        return (text + "\n").encode()

    def read_assumptions(self) -> "Assumptions":
        """Return the assumptions."""
        from softseg.decisions.inputs.schema import Assumptions

        return Assumptions.model_validate_json(json.dumps(self.assumptions))


def read_roi_manifest(path: Path | str, language: str = "en") -> RoiManifest:
    """Return the manifest of a folder, given the folder or the file itself.

    Raises
    ------
    FileError
        Where there is none, or it is damaged, of another kind or of a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise FileError(say("roi.no_run", language, name=path.name))
    folder = path.resolve().name if path.is_dir() else path.name
    path = path / MANIFEST if path.is_dir() else path
    if not path.exists():
        raise FileError(say("roi.no_manifest", language, name=folder))
    content = read_file(path, language)
    try:
        data = json.loads(content)
    except ValueError:
        data = None
    found = data.get("softseg_roi_manifest") if isinstance(data, Mapping) else None
    if isinstance(found, int) and found > 1:
        raise FileError(say("runs.newer_manifest", language, name=path.name))
    try:
        return RoiManifest.model_validate(data)
    except ValidationError as error:
        raise FileError(say("roi.no_manifest", language, name=folder)) from error


def roi_versions() -> dict[str, str]:
    """Return the versions that decide about the draws."""
    return versions({name: version(name) for name in PACKAGES})
