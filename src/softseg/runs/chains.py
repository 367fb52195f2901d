"""Finished chains in a folder, until the run they belong to is written.

Each is a file of its own, in NumPy's ``npz`` form with a SHA-256 at its end: written at once or not
at all, and left aside where a single bit is another one. They hold draws, no customer.
"""

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from softseg.families.base import Array
from softseg.results.files import read_file, replace_file, sealed, unsealed, unwritable

CHAINS: Final = ".softseg-chains"
"""Folder inside the run folder."""
ENDING: Final = ".chain"


class ChainFolder:
    """A `softseg.inference.checkpoint.Checkpoint` on the disk.

    Parameters
    ----------
    folder
        The run folder, locked.
    language
        Language of the errors.
    """

    def __init__(self, folder: Path, language: str = "en") -> None:
        self._folder = folder / CHAINS
        self._language = language

    def load(self, key: str) -> Mapping[str, Array] | None:
        """Return the arrays of a key, None where there are none or the file is damaged."""
        path = self._path(key)
        body = unsealed(read_file(path, self._language)) if path.is_file() else None
        if body is None:
            return None
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            names = json.loads(str(stored["names"]))
            return {name: stored[str(i)] for i, name in enumerate(names)}

    def save(self, key: str, arrays: Mapping[str, Array]) -> None:
        """Write the arrays of a key.

        Raises
        ------
        FileError
            Where the disk is full or the folder cannot be written.
        """
        # Indicators have any name; those inside the archive are numbers.
        numbered = {str(i): array for i, array in enumerate(arrays.values())}
        body = io.BytesIO()
        np.savez(body, names=np.array(json.dumps([*arrays])), **numbered)  # pyright: ignore[reportArgumentType]
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise unwritable(self._folder, error, self._language) from error
        replace_file(self._path(key), sealed(body.getvalue()), self._language)

    def __len__(self) -> int:
        return len([*self._folder.glob(f"*{ENDING}")])

    def clear(self) -> None:
        """Remove all chains, and what a killed process has left of one."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{ENDING}"
