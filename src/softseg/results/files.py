"""Writing a file so that there is always the old one or the new one, never half of either."""

import contextlib
import errno
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from softseg.errors import FileError
from softseg.wording import say

MARK: Final = b"\nsoftseg-sha256:"
SEAL: Final = len(MARK) + 64 + 1
"""Bytes of a seal."""
NO_FOLDER: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EEXIST})
"""Errors of the system that say that there is no such folder, or that a file has its name."""


def replace_file(path: Path | str, content: bytes | memoryview, language: str = "en") -> str:
    """Write a file by way of a temporary one in the same folder and return its SHA-256.

    The temporary file can be read by its owner only, as can the file that it becomes: results
    speak of customers. It is flushed to the disk and then moved into place, which happens at once
    or not at all.

    Raises
    ------
    FileError
        Where the disk is full or the folder cannot be written; what stood at `path` is untouched.
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise unwritable(path, error, language) from error
    temporary = Path(name)
    try:
        _write_all(handle, content)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error, language) from error
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(path.parent)
    return hashlib.sha256(content).hexdigest()


def read_file(path: Path | str, language: str = "en") -> bytes:
    """Return the content of a file.

    Raises
    ------
    FileError
        Where it does not exist or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise _unreadable(path, error, language) from error


def sha256(path: Path | str, language: str = "en") -> str:
    """Return the SHA-256 of a file as text, the same as ``sha256sum`` prints."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error, language) from error


def sealed(body: bytes) -> bytes:
    """Return a content with its SHA-256 as its last line."""
    return body + _seal(body)


def is_sealed(content: bytes) -> bool:
    """Return whether a content ends like one that was sealed."""
    seal = content[-SEAL:]
    return seal.startswith(MARK) and seal.endswith(b"\n")


def unsealed(content: bytes) -> bytes | None:
    """Return a content without its seal, None where it is not what was sealed."""
    body = content[:-SEAL]
    return body if content[-SEAL:] == _seal(body) else None


def unwritable(path: Path, error: OSError, language: str = "en") -> FileError:
    """Return the error for a file that could not be written."""
    reason = error.strerror or type(error).__name__
    key = "storage.no_folder" if error.errno in NO_FOLDER else "storage.unwritable"
    return FileError(say(key, language, name=path.name, reason=reason))


def _unreadable(path: Path | str, error: OSError, language: str) -> FileError:
    reason = error.strerror or type(error).__name__
    return FileError(say("storage.unreadable", language, name=Path(path).name, reason=reason))


def _seal(body: bytes) -> bytes:
    return MARK + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _write_all(handle: int, content: bytes | memoryview) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Flush the entry of the folder too, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    with contextlib.suppress(OSError):
        os.fsync(handle)
    os.close(handle)
