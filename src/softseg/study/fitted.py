"""Which numbers of segments a study has fitted, until it has fitted all of them."""

import json
from pathlib import Path
from typing import Final

from softseg.errors import FileError
from softseg.results.files import read_file, replace_file, sha256
from softseg.runs.folder import open_run
from softseg.runs.manifest import MANIFEST, Options

FITTED: Final = ".softseg-fitted"
"""File inside the study's folder."""


class Fitted:
    """The run folders that a study under way has written.

    Parameters
    ----------
    folder
        The study's folder, locked.
    key
        Key of the stage: what was written under another one does not count.
    language
        Language of the errors.
    """

    def __init__(self, folder: Path, key: str, language: str = "en") -> None:
        self._path = folder / FITTED
        self._key = key
        self._language = language

    def has(self, folder: Path, options: Options) -> bool:
        """Return whether a run folder was written, with these options, and is still the same."""
        if folder.name not in self._found():
            return False
        try:
            run = open_run(folder, self._language)
            for name in run.manifest.files:
                run.verify(name)
            known = self._found()[folder.name] == sha256(folder / MANIFEST)
        except FileError:
            return False
        return known and run.manifest.options == options

    def add(self, folder: Path) -> None:
        """Note that a run folder was written.

        Raises
        ------
        FileError
            Where the disk is full or the folder cannot be written.
        """
        found = {**self._found(), folder.name: sha256(folder / MANIFEST)}
        text = json.dumps({"key": self._key, "manifests": found}, indent=2)
        replace_file(self._path, f"{text}\n".encode(), self._language)

    def clear(self) -> None:
        """Forget all of them."""
        self._path.unlink(missing_ok=True)

    def _found(self) -> dict[str, str]:
        """Return the hash of the manifest of each run folder, nothing where the file is damaged."""
        if not self._path.is_file():
            return {}
        try:
            stored = json.loads(read_file(self._path, self._language))
        except ValueError:
            return {}
        if not isinstance(stored, dict) or stored.get("key") != self._key:
            return {}
        manifests = stored.get("manifests")
        return manifests if isinstance(manifests, dict) else {}
