"""Whose error it is: the engine's, the handler's or the caller's, by where it came through a hook's code.

A method that executes by itself shows neither its cursor nor when it uses it; but the error that ends it shows at which
line it was. This is read when a statement has failed, and only then. The hooks of Exasol, Hive and Spanner need it.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

from airflow_provider_ryft.capture.dbapi import causes, is_of_the_driver, statement_seconds
from airflow_provider_ryft.capture.method_kind import wrapper_code

# What Python raises about an argument or a file, and no driver about its server. A lost connection, a time limit and
# a lack of memory are not among them.
_OF_THE_CALLER = (
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    NameError,
    NotImplementedError,
    AssertionError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


class ErrorOrigin:
    """The place in a hook's code that an error came through last.

    :param error: what the hook raised
    :param hook: the hook
    :param connection: the driver's connection, if the hook had one
    """

    def __init__(self, error: BaseException, hook: Any, connection: Any) -> None:
        self._error = error
        self._connection = connection
        self._modules = {part.__module__ for part in type(hook).__mro__}
        self._frames: list[FrameType] = []
        self._names: set[str] = set()
        self._own: FrameType | None = None
        self._is_another_call = False
        for frame, offset in _frames(error):
            if self._own is not None and frame.f_code in wrapper_code:
                self._is_another_call = True  # which reports what is below
                break
            self._frames.append(frame)
            if frame.f_locals.get("self") is hook and frame.f_globals.get("__name__") in self._modules:
                self._own = frame
                self._names = set(_names_on(frame.f_code, offset))

    @property
    def is_executing(self) -> bool:
        """Whether the hook was asking the engine."""
        return any("execute" in name or "transaction" in name for name in self._names)

    @property
    def in_handler(self) -> bool:
        """Whether the hook had its answer, and was handing it to the caller's handler."""
        return "handler" in self._names

    @property
    def is_of_the_caller(self) -> bool:
        """Whether the error is plainly not the engine's."""
        if self.in_handler:
            return self._is_another_call or not is_of_the_driver(self._error, self._connection)
        if not all(type(cause) in _OF_THE_CALLER for cause in causes(self._error)):
            return False
        module = self._frames[-1].f_globals.get("__name__", "") if self._frames else ""
        return module in self._modules or module.startswith("airflow.")  # not a driver's

    @property
    def execution_seconds(self) -> float | None:
        """For how long the engine worked, if the hook still held the driver's statement, which says so."""
        values = list(self._own.f_locals.values()) if self._own is not None else []
        return next((seconds for seconds in map(statement_seconds, values) if seconds is not None), None)

    def text_among(self, texts: list[str]) -> str | None:
        """Return which of these statements the hook was in the middle of."""
        for frame in reversed(self._frames):
            if frame.f_globals.get("__name__") in self._modules:
                for value in list(frame.f_locals.values()):
                    if isinstance(value, str) and value in texts:
                        return value
        return None


def _frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lasti
        traceback = traceback.tb_next


def _names_on(code: CodeType, offset: int) -> Iterator[str]:
    """Yield the names that the line of an instruction uses."""
    lines = list(code.co_lines())
    here = next((line for start, end, line in lines if start <= offset < end), None)
    ranges = [(start, end) for start, end, line in lines if line == here is not None]
    for instruction in dis.get_instructions(code):
        is_here = any(start <= instruction.offset < end for start, end in ranges)
        if is_here and instruction.opname.startswith("LOAD") and "CONST" not in instruction.opname:
            names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
            yield from map(str, names)  # 3.13 loads two at once
