"""Wrapped generators and iterators of rows, in which the caller's time is not the engine's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from time import perf_counter
from types import GeneratorType
from typing import Any

from airflow_provider_ryft.capture import correlation
from airflow_provider_ryft.capture.hook_call import HookCall
from airflow_provider_ryft.capture.method_kind import wrapper_code
from airflow_provider_ryft.guard import isolated


def traced_generator(generator: Generator[Any, Any, Any], call: HookCall) -> Generator[Any, Any, Any]:
    """Return a generator that does the same, each step of it as a part of the call that made it."""
    return (yield from TracedGenerator(generator, call))


wrapper_code.add(traced_generator.__code__)


class TracedGenerator(Generator[Any, Any, Any]):
    """The steps of another generator, each of them a part of the call that made it."""

    def __init__(self, generator: Generator[Any, Any, Any], call: HookCall) -> None:
        self._generator = generator
        self._call = call

    def send(self, value: Any) -> Any:
        """Resume the generator with a value."""
        return self._step(lambda: self._generator.send(value))

    def throw(self, *error: Any) -> Any:
        """Resume the generator with an exception."""
        return self._step(lambda: self._generator.throw(*error))

    def close(self) -> None:
        """Close the generator."""
        self._step(self._generator.close, is_last=True)

    def _step(self, step: Callable[[], Any], *, is_last: bool = False) -> Any:
        with isolated():
            correlation.resume_call(self._call)
        try:
            result = step()
        except BaseException as error:
            with isolated():
                failure = None if isinstance(error, (StopIteration, GeneratorExit)) else error
                correlation.finish_call(self._call, failure)
            raise
        with isolated():
            if is_last:
                correlation.finish_call(self._call, None)
            else:
                correlation.pause_call(self._call)
        return result


def timed_rows(rows: Any, call: HookCall) -> Any:
    """Return what does the same as an iterator; one that may have more to it than that, or nothing to do, is left."""
    if type(rows) in (GeneratorType, TimedRowGenerator):
        return TimedRowGenerator(rows, call)
    return TimedRows(rows, call) if type(rows) in _LAZY_ITERATORS else rows


class TimedRows(Iterator[Any]):
    """The caller's rows: while they are made the insert waits, and what runs meanwhile is no part of it."""

    def __init__(self, rows: Any, call: HookCall) -> None:
        self._rows = rows
        self._call = call

    def __next__(self) -> Any:
        call = self._call
        began = perf_counter()
        call.reading_rows = True
        try:
            return next(self._rows)
        finally:
            call.reading_rows = False
            elapsed = perf_counter() - began
            call.clock += elapsed
            if call.running is not None:
                call.running.clock += elapsed


class TimedRowGenerator(TimedRows, Generator[Any, Any, Any]):
    """The rows of the caller's generator, which is closed when its user closes it, and not before."""

    def send(self, value: Any) -> Any:
        """Resume the generator with a value."""
        return self._rows.send(value)

    def throw(self, *error: Any) -> Any:
        """Resume the generator with an exception."""
        return self._rows.throw(*error)

    def close(self) -> None:
        """Close the generator."""
        self._rows.close()


_LAZY_ITERATORS = frozenset(
    {TimedRows, map, filter, zip, enumerate, itertools.chain, itertools.islice, itertools.starmap}
)


class FetchedRows(TimedRowGenerator):
    """The rows of a hook's own generator: the time until it is asked for more is not that of its next statement."""

    def __next__(self) -> Any:
        self._call.clock = perf_counter()
        return next(self._rows)
