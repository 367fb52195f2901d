"""Chains in threads that an interrupt stops, with what the finished ones have found."""

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from threading import Event

import numpy as np

LOOK_EVERY = 0.2
"""Seconds between two looks; on Windows an interrupt does not end a wait."""


class Stopped(Exception):
    """A chain ends because it was told to."""


class Stop(Event):
    """Tells those who work that they have to end.

    Attributes
    ----------
    flag
        The same for compiled code, shape (1,): true once it is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flag = np.zeros(1, dtype=np.bool_)

    def set(self) -> None:
        """Tell them."""
        self.flag[0] = True
        super().set()


def in_threads[T](
    work: Callable[[int, Stop], T], n: int, threads: int, *, partial: bool = False
) -> tuple[list[T], bool]:
    """Return the results of ``work(0, stop)`` to ``work(n - 1, stop)``, and whether cut short.

    Parameters
    ----------
    work
        Called in threads. Once `stop` is set it raises `Stopped` as soon as it can.
    n, threads
        How many results, how many at a time.
    partial
        Whether an interrupt of the main thread returns the finished results, if there are any,
        instead of being raised.

    Raises
    ------
    Exception
        The first one that `work` raises, after the others have stopped.
    """
    stop = Stop()
    futures: list[Future[T]] = []
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            for i in range(n):
                futures.append(pool.submit(work, i, stop))
            _watch(futures)
        except BaseException as error:
            stop.set()
            for future in futures:
                future.cancel()
            wait(futures)
            finished = [f.result() for f in futures if not f.cancelled() and not f.exception()]
            if not (partial and finished and isinstance(error, KeyboardInterrupt)):
                raise
            return finished, True
    return [future.result() for future in futures], False


def _watch[T](futures: list[Future[T]]) -> None:
    """Return when all are done; raise what one of them raises."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=LOOK_EVERY, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
