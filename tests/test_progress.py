"""Progress is shown as plain lines in a log, as a bar on a terminal, and never ends a fit."""

import io
import threading

import pytest

from softseg.progress import Reporter, stage_name


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_line_for_each_stage_and_after_the_pause() -> None:
    stream, clock = io.StringIO(), Clock()
    with Reporter("en", stream, every=10.0, clock=clock) as report:
        report("modes", 0.0)
        clock.now = 4.0
        report("modes", 0.3)
        clock.now = 10.0
        report("modes", 0.5)
        report("sample", 0.0)
        clock.now = 25.0
        report("sample", 0.25)
        clock.now = 31.0
    assert stream.getvalue().splitlines() == [
        "   0 s: look for the best solutions",
        "  10 s: look for the best solutions, 50% done",
        "  10 s: draw from the posterior",
        "  25 s: draw from the posterior, 25% done",
        "  31 s: done",
    ]


def test_a_silent_stage_is_said_to_go_on() -> None:
    stream = io.StringIO()
    spoken = threading.Event()

    class Listening(io.StringIO):
        def write(self, text: str) -> int:
            stream.write(text)
            if "still at it" in text:
                spoken.set()
            return len(text)

    with Reporter("en", Listening(), every=0.02) as report:
        report("prepare", 0.0)
        assert spoken.wait(10.0)
    assert "prepare the model" in stream.getvalue()


def test_german_lines() -> None:
    stream = io.StringIO()
    with Reporter("de", stream) as report:
        report("modes", 0.0)
    assert stream.getvalue().splitlines() == ["   0 s: beste Lösungen suchen", "   0 s: fertig"]


def test_nothing_is_called_done_after_an_error() -> None:
    stream = io.StringIO()
    report = Reporter("en", stream)
    report.__enter__()
    report("modes", 0.0)
    report.__exit__(RuntimeError, RuntimeError("stopped"), None)
    assert "done" not in stream.getvalue()


def test_many_threads_leave_whole_lines() -> None:
    stream = io.StringIO()

    def work() -> None:
        for i in range(200):
            report("sample", i / 200)

    with Reporter("en", stream, every=0.0) as report:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = stream.getvalue().splitlines()
    assert len(lines) >= 800
    assert all("draw from the posterior" in line for line in lines[:-1])


@pytest.mark.parametrize("error", [OSError("full"), ValueError("closed")])
def test_a_log_that_cannot_be_written_does_not_end_the_fit(error: Exception) -> None:
    class Broken(io.StringIO):
        attempts = 0

        def write(self, text: str) -> int:
            Broken.attempts += 1
            raise error

    with Reporter("en", Broken()) as report:
        report("modes", 0.5)
    assert Broken.attempts == 2


def test_a_log_has_no_escape_codes() -> None:
    stream = io.StringIO()
    with Reporter("en", stream) as report:
        for stage in ("read", "modes", "sample"):
            report(stage, 0.5)
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    with Reporter("en", stream) as report:
        report("modes", 0.5)
        report("sample", 1.0)
    assert "look for the best solutions" in stream.getvalue()
    assert "100%" in stream.getvalue()


def test_a_bar_reads_no_markup() -> None:
    stream = Terminal()
    with Reporter("en", stream) as report:
        report("[/] [bold]x", 0.5)
    assert "[/] [bold]x" in stream.getvalue()


def test_no_face_says_nothing() -> None:
    stream = io.StringIO()
    with Reporter("en", stream, "none") as report:
        report("modes", 0.5)
    assert stream.getvalue() == ""


def test_an_unknown_stage_keeps_its_name() -> None:
    assert stage_name("polish brass") == "polish brass"
    assert stage_name("modes", "de") == "beste Lösungen suchen"
