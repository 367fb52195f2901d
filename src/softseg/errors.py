"""The errors a user can meet; each class is one sentence of meaning, with its exit code.

Messages say, in this order: what to do, what was expected, what was got. They never contain a
customer id.
"""

from typing import ClassVar


class SoftsegError(Exception):
    """Something the user can mend; the command line shows it without a traceback."""

    exit_code: ClassVar[int] = 2


class UsageError(SoftsegError, ValueError):
    """An argument or an option does not fit."""


class SchemaError(SoftsegError, ValueError):
    """The schema contradicts itself or the table."""

    exit_code = 3


class DataError(SoftsegError, ValueError):
    """The table holds something that cannot be used as it is."""

    exit_code = 3


class FileError(SoftsegError, OSError):
    """A file cannot be read or written, or is not what its name says."""

    exit_code = 4


class FolderLocked(SoftsegError):
    """Another run is writing to the same folder."""

    exit_code = 5


class NotConverged(SoftsegError):
    """The gate refused the fit, and what was asked for needs identified segments."""

    exit_code = 6
