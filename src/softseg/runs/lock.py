"""One process at a time writes to a run folder.

The lock is one of the operating system on a small file, which holds the process id for people to
read: when a process dies, however it dies, its lock is gone and the file that is left means
nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from softseg.errors import FolderLocked
from softseg.results.files import unwritable
from softseg.wording import say

LOCK_NAME: Final = ".softseg.lock"
_FAR: Final = 1 << 20
"""Windows locks bytes and lets nobody read them: one far behind the process id."""


@contextmanager
def locked(folder: Path | str, language: str = "en") -> Iterator[None]:
    """Make a folder, hold its lock, and let go of it.

    Raises
    ------
    FolderLocked
        Where another process, or this one, is writing to the folder.
    FileError
        Where the folder cannot be made or written.
    """
    folder = Path(folder)
    path = folder / LOCK_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = _open_locked(path)
    except OSError as error:
        raise unwritable(folder, error, language) from error
    if handle is None:
        owner = _owner(path) or "?"
        raise FolderLocked(say("runs.locked", language, folder=folder.name, process=owner))
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        _let_go(handle, path)


def _open_locked(path: Path) -> int | None:
    """Return the handle of the locked file, None where somebody else has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(handle):
            os.close(handle)
            return None
        try:
            current = path.stat()
        except FileNotFoundError:
            current = None
        # Its last owner may have removed the file between our opening and our locking it.
        if current is not None and os.path.samestat(current, os.fstat(handle)):
            return handle
        os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _let_go(handle: int, path: Path) -> None:
    # Windows removes no open file; the lock goes with the handle all the same.
    with suppress(OSError):
        path.unlink(missing_ok=True)
    os.close(handle)


def _owner(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
