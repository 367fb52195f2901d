"""Says how far a long step is: a bar on a terminal, plain lines everywhere else.

Samplers report from threads of their own, and some stay silent for a while (a model that is
compiled, for instance): the lines therefore come from a clock as well as from the reports.
"""

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Literal, Self, TextIO

from softseg.wording import has, percent, say

SECONDS_BETWEEN_LINES: Final = 10.0

type Face = Literal["auto", "bar", "lines", "none"]


class Reporter:
    """Shows stages and how much of each is done; a `Progress` callback and a context manager.

    Parameters
    ----------
    language
        Language of the stages' names.
    stream
        Where to show it; the error stream by default, so that results can be piped.
    face
        ``"bar"``, ``"lines"``, ``"none"``, or ``"auto"``: a bar on a terminal, else lines.
    every
        Seconds between two lines of the same stage.
    clock
        Returns seconds; for tests.

    Examples
    --------
    >>> with Reporter() as progress:  # doctest: +SKIP
    ...     SegmentMixture(schema, 4, progress=progress).fit(frame)
    """

    def __init__(
        self,
        language: str = "en",
        stream: TextIO | None = None,
        face: Face = "auto",
        *,
        every: float = SECONDS_BETWEEN_LINES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        shown: TextIO = stream or sys.stderr
        if face == "auto":
            face = "bar" if _is_terminal(shown) else "lines"
        self._face: _Bar | _Lines | None = None
        if face == "bar":
            self._face = _Bar(language, shown)
        elif face == "lines":
            self._face = _Lines(language, shown, every, clock)

    def __call__(self, stage: str, share: float = 0.0) -> None:
        """Report that `share` (0 to 1) of a stage is done; may be called from any thread."""
        if self._face is not None:
            self._face.show(stage, min(max(float(share), 0.0), 1.0))

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._face is not None:
            self._face.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; after an error nothing is called done."""
        if self._face is not None:
            self._face.end(finished=kind is None)


def stage_name(stage: str, language: str = "en") -> str:
    """Return what a stage is called in front of people."""
    key = f"stage.{stage}"
    return say(key, language) if has(key) else stage


class _Lines:
    def __init__(
        self, language: str, stream: TextIO, every: float, clock: Callable[[], float]
    ) -> None:
        self._language, self._stream, self._every, self._clock = language, stream, every, clock
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._keep_beating, daemon=True)
        self._began = clock()
        self._written = self._began
        self._stage, self._share = "", 0.0

    def begin(self) -> None:
        self._began = self._written = self._clock()
        self._beat.start()

    def show(self, stage: str, share: float) -> None:
        with self._lock:
            new = stage != self._stage
            self._stage, self._share = stage, share
            if new or self._due():
                self._write(new)

    def end(self, finished: bool) -> None:
        self._ended.set()
        if self._beat.is_alive():
            self._beat.join()
        with self._lock:
            if finished and self._stage:
                self._print("progress.done")

    def _keep_beating(self) -> None:
        while not self._ended.wait(min(self._every, 1.0)):
            with self._lock:
                if self._stage and self._due():
                    self._write(new=False)

    def _due(self) -> bool:
        return self._clock() - self._written >= self._every

    def _write(self, new: bool) -> None:
        stage = stage_name(self._stage, self._language)
        if new:
            self._print("progress.stage", stage=stage)
        elif self._share > 0:
            share = percent(self._share, self._language, 0)
            self._print("progress.share", stage=stage, share=share)
        else:
            self._print("progress.still", stage=stage)

    def _print(self, key: str, **values: str) -> None:
        self._written = self._clock()
        seconds = f"{self._written - self._began:4.0f}"
        line = say(key, self._language, seconds=seconds, **values)
        # A log that is closed or full must not end a fit.
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class _Bar:
    def __init__(self, language: str, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._language = language
        self._lock = threading.Lock()
        self._tasks: dict[str, Any] = {}
        self._current = ""
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}", markup=False),
            TimeElapsedColumn(),
            console=Console(file=stream, highlight=False),
        )

    def begin(self) -> None:
        self._progress.start()

    def show(self, stage: str, share: float) -> None:
        with self._lock:
            if stage != self._current:
                self._finish(self._current)
                self._current = stage
            if stage not in self._tasks:
                name = stage_name(stage, self._language)
                self._tasks[stage] = self._progress.add_task(name, total=None, done="")
            if share > 0:
                done = percent(share, self._language, 0)
                self._progress.update(self._tasks[stage], total=1.0, completed=share, done=done)

    def end(self, finished: bool) -> None:
        with self._lock:
            if finished:
                self._finish(self._current)
        self._progress.stop()

    def _finish(self, stage: str) -> None:
        if stage in self._tasks:
            whole = percent(1.0, self._language, 0)
            self._progress.update(self._tasks[stage], total=1.0, completed=1.0, done=whole)
            self._progress.stop_task(self._tasks[stage])


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False
