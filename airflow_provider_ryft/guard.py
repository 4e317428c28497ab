"""What keeps an error of ours out of the user's task."""

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


def survive(error: BaseException) -> None:
    """Swallow an error of our own; raise it again if it only happened to arrive while our code ran.

    A task's time limit, its termination and Ctrl-C are raised by signal handlers, at any instruction of the main
    thread. They belong to the task, and it must get them.

    :param error: what was raised while our code ran
    """
    if _is_from_a_signal(error):
        raise error
    try:
        _report(error)
    except BaseException as second:
        if _is_from_a_signal(second):
            raise


def guarded(entry: Callable[P, object]) -> Callable[P, None]:
    """Wrap an entry from Airflow, so that it returns nothing and raises nothing of its own.

    Airflow 2.11 calls listeners unguarded, and 3.x catches ``Exception`` only.
    """

    @functools.wraps(entry)
    def guard(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            entry(*args, **kwargs)
        except BaseException as error:
            survive(error)

    return guard


def _is_from_a_signal(error: BaseException) -> bool:
    """Tell whether a signal handler raised it: the handler is among the frames that it passed.

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
    # The message of the error may quote the statement, and its frames hold it: only its kind and place are told.
    place = _frames(error.__traceback__)[-1:]
    where = f"{place[0].f_code.co_filename}:{place[0].f_lineno}" if place else "an unknown place"
    log.log(level, "A statement was not observed as it should: %s at %s", type(error).__name__, where)
