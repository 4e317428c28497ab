"""Keeps errors of this package out of the user's task."""

from __future__ import annotations

import functools
import logging
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import ParamSpec

P = ParamSpec("P")

log = logging.getLogger(__name__)

_warned = False


class _Isolation:
    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if error is None or _is_from_a_signal(error):
            return False
        try:
            _report(error)
        except BaseException as second:
            if _is_from_a_signal(second):
                raise
        return True


_isolation = _Isolation()  # it has no state, so one will do: a block costs 0.1 us


def isolated() -> _Isolation:
    """Swallow and log whatever a block of our own code raises, unless it only happened to arrive while that ran.

    A task's time limit, its termination and Ctrl-C are raised by signal handlers, at any instruction of the main
    thread. They belong to the task, and it must get them.
    """
    return _isolation


def guarded(entry: Callable[P, object]) -> Callable[P, None]:
    """Wrap a function that Airflow calls, so that it returns nothing and raises nothing of its own.

    Airflow 2.11 calls listeners unguarded, and 3.x catches ``Exception`` only.
    """

    @functools.wraps(entry)
    def guard(*args: P.args, **kwargs: P.kwargs) -> None:
        with isolated():
            entry(*args, **kwargs)

    return guard


def _is_from_a_signal(error: BaseException) -> bool:
    """Return whether a signal handler raised an error: the handler is among the frames that it passed.

    Python's own handler of Ctrl-C leaves no frame, so a ``KeyboardInterrupt`` counts whenever that one is in place.
    """
    if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return True
    handlers = {
        getattr(getattr(handler, "__func__", handler), "__code__", None)
        for handler in map(signal.getsignal, (signal.SIGALRM, signal.SIGTERM, signal.SIGINT))
    }
    return any(frame.f_code in handlers for frame in _frames(error.__traceback__))


def _frames(traceback: TracebackType | None) -> list[FrameType]:
    frames = []
    while traceback is not None:
        frames.append(traceback.tb_frame)
        traceback = traceback.tb_next
    return frames


def _report(error: BaseException) -> None:
    """Warn once in a process: what fails once may fail for each of a million statements."""
    global _warned
    level = logging.DEBUG if _warned else logging.WARNING
    _warned = True
    # The message of the error may quote the statement, and its frames hold it: only its kind and place are logged.
    place = _frames(error.__traceback__)[-1:]
    where = f"{place[0].f_code.co_filename}:{place[0].f_lineno}" if place else "an unknown place"
    log.log(level, "A statement was not observed as it should: %s at %s", type(error).__name__, where)
