"""What the commands share: plain text out, errors as one text and an exit code.

Nothing here interprets what it prints: names of columns and segments may contain brackets or
control characters, which rich or the terminal would take for commands.
"""

import functools
import os
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from softseg.errors import SoftsegError
from softseg.wording import LANGUAGES, say

if TYPE_CHECKING:
    from softseg.progress import Reporter

INTERRUPTED = 130
PIPE_CLOSED = 141
"""128 + SIGPIPE: what a shell reports of a command whose reader has left."""
FILE = 4
UNKNOWN = 1
PLAIN_WIDTH = 120
"""Width of tables that do not go to a terminal."""


def guarded[**P](command: Callable[P, None]) -> Callable[P, None]:
    """Turn the errors of a command into one text each and the exit code of the contract."""

    @functools.wraps(command)
    def inside(*args: P.args, **kwargs: P.kwargs) -> None:
        language = kwargs.get("language")
        language = language if language in LANGUAGES else LANGUAGES[0]
        _let_streams_replace()
        debug = os.environ.get("SOFTSEG_DEBUG") == "1"
        try:
            with _plain_warnings():
                command(*args, **kwargs)
        except typer.Exit:
            raise
        except KeyboardInterrupt as error:
            fail(str(error) or say("cli.interrupted", str(language)), INTERRUPTED)
        except Exception as error:
            if debug:
                raise
            fail(*_explained(error, str(language)))

    return inside


def fail(text: str, code: int) -> None:
    """Print an error and leave."""
    err(text)
    raise typer.Exit(code)


def out(text: str = "") -> None:
    """Print to the output stream."""
    _echo(harmless(text))


def err(text: str) -> None:
    """Print to the error stream, so that it does not mix with results."""
    _echo(harmless(text), err=True)


def harmless(text: str) -> str:
    """Return a text without control characters other than line ends and tabs."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = False) -> None:
    """Print a table; with `numbers` all columns stand to the right.

    A line that is too long for the terminal is wrapped within its column.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="")
    for head in heads:
        shown.add_column(Text(harmless(head)), justify="right" if numbers else "left")
    for row in rows:
        shown.add_row(*(Text(harmless(cell)) for cell in row))
    terminal = sys.stdout.isatty()
    width = None if terminal else PLAIN_WIDTH
    console = Console(file=sys.stdout, width=width, highlight=False)
    with console.capture() as text:  # rich itself ends the process where nobody reads
        console.print(shown)
    _echo(text.get(), nl=False)


@contextmanager
def progress_of(language: str) -> Iterator["Reporter"]:
    """Show how far a command has come while it works."""
    from softseg.progress import Reporter

    with Reporter(language) as reporter:
        yield reporter


def _explained(error: Exception, language: str) -> tuple[str, int]:
    """Return what to say about an error, and the exit code."""
    if isinstance(error, SoftsegError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return say("cli.file", language, reason=reason), FILE
    if isinstance(error, MemoryError):
        return say("cli.memory", language), UNKNOWN
    return say("cli.unexpected", language, kind=type(error).__name__), UNKNOWN


def _echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print, and leave quietly where nobody reads any more, as after `head`."""
    try:
        typer.echo(text, err=err, nl=nl)
    except BrokenPipeError:
        # Python complains at the end about what it cannot write then.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (sys.stderr if err else sys.stdout).fileno())
        os.close(nowhere)
        raise typer.Exit(PIPE_CLOSED) from None


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print what softseg warns of, once each; warnings of other packages are for developers."""
    from softseg.tables.prepare import TableWarning

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        err(f"! {message}")

    with warnings.catch_warnings():
        if os.environ.get("SOFTSEG_DEBUG") != "1":
            warnings.simplefilter("ignore")
        warnings.simplefilter("always", TableWarning)
        warnings.showwarning = show
        yield


def _let_streams_replace() -> None:
    """Let a stream that cannot write a letter write a question mark instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
