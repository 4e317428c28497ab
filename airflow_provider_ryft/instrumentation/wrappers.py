"""The functions that take the places of hooks' methods.

Plain functions, not proxies: a bound method of a proxy could be neither pickled nor copied, and tasks do hand
``hook.get_records`` to a pool of processes. Each calls the method that it wraps exactly once, with the very arguments
(but for an iterator of rows, which is timed), outside every ``try`` that guards what is ours.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from types import FunctionType
from typing import Any

from airflow_provider_ryft.capture import correlation, session
from airflow_provider_ryft.capture.call_stack import call_stack
from airflow_provider_ryft.capture.hook_call import HookCall
from airflow_provider_ryft.capture.method_kind import MethodKind
from airflow_provider_ryft.capture.session import StatementRun
from airflow_provider_ryft.guard import survive
from airflow_provider_ryft.instrumentation.iterators import FetchedRows, timed_rows, traced_generator
from airflow_provider_ryft.instrumentation.sql_arguments import Reader, place_of, reader

Method = Callable[..., Any]

# --- the wrappers of public methods


def wrap_public_method(original: Method, kind: MethodKind, *, reports_silence: bool) -> Method:
    """Wrap a public method.

    :param kind: what it does
    :param reports_silence: whether it runs its statement in ways that nobody may see
    """
    function = inspect.unwrap(original)
    read = reader(function, kind)
    rows_at = place_of("rows", function) if kind is MethodKind.ROWS else None
    bound = _caller(original)

    @functools.wraps(original)
    def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if session.active is None:
            return bound(self, *args, **kwargs)
        call: HookCall | None = None
        try:
            call = _enter(self, kind, read, args, kwargs, reports_silence)
            if call is not None and rows_at is not None:
                args, kwargs = _timing_rows(call, rows_at, args, kwargs)
        except BaseException as fault:
            survive(fault)
        try:
            result = bound(self, *args, **kwargs)
        except BaseException as error:
            try:
                _leave(call, error)
            except BaseException as fault:
                survive(fault)
            raise
        try:
            if kind is MethodKind.CHUNKS and call is not None and inspect.isgenerator(result):
                result = _leave_for_chunks(call, result)
            else:
                _leave(call, None)
        except BaseException as fault:
            survive(fault)
        return result

    return observed


def _caller(original: Any) -> Method:
    """Return how to call a method; one that is wrapped in a descriptor must be bound as the class would have done."""
    if isinstance(original, FunctionType):
        return original
    return lambda self, *args, **kwargs: original.__get__(self, type(self))(*args, **kwargs)


def _enter(
    hook: Any, kind: MethodKind, read: Reader, args: tuple[Any, ...], kwargs: dict[str, Any], reports_silence: bool
) -> HookCall | None:
    if kind is MethodKind.JOB:
        nowait = kwargs.get("nowait", args[4] if len(args) > 4 else False)
        kind = MethodKind.SUBMIT if nowait else kind
    return correlation.start_call(hook, kind, read(args, kwargs), reports_silence=reports_silence)


def _leave(call: HookCall | None, error: BaseException | None) -> None:
    if call is not None:
        correlation.finish_call(call, error)


def _leave_for_chunks(call: HookCall, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    correlation.suspend_call(call)
    return traced_generator(generator, call)


def _timing_rows(
    call: HookCall, place: int, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return a call's arguments, in which an iterator of rows that the caller works for is timed."""
    if place < len(args):
        return (*args[:place], timed_rows(args[place], call), *args[place + 1 :]), kwargs
    return args, {**kwargs, "rows": timed_rows(kwargs["rows"], call)} if "rows" in kwargs else kwargs


# --- the wrappers of what public methods are made of


def wrap_run_command(original: Method) -> Method:
    """Wrap ``_run_command(cur, sql_statement, parameters)``."""
    bound = _caller(original)

    @functools.wraps(original)
    def _run_command(self: Any, *args: Any, **kwargs: Any) -> Any:
        if session.active is None:
            return bound(self, *args, **kwargs)
        running: StatementRun | None = None
        try:
            running = _begin_command(self, args, kwargs)
        except BaseException as fault:
            survive(fault)
        try:
            result = bound(self, *args, **kwargs)
        except BaseException as error:
            try:
                if running is not None:
                    correlation.finish_statement(running, error)
            except BaseException as fault:
                survive(fault)
            raise
        try:
            if running is not None:
                correlation.finish_statement(running, None)
        except BaseException as fault:
            survive(fault)
        return result

    return _run_command


def _begin_command(hook: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StatementRun | None:
    cursor = args[0] if args else kwargs.get("cur")
    sql = args[1] if len(args) > 1 else kwargs.get("sql_statement")
    running = correlation.start_statement(hook, sql, cursor, getattr(cursor, "connection", cursor))
    if running is not None:
        call_stack.push(running)
    return running


def wrap_get_conn(original: Method) -> Method:
    """Wrap ``get_conn()``: with its connection in hand, a method that executes by itself begins to do so."""
    return _noting(original, HookCall.connected_to)


def wrap_get_cursor(original: Method) -> Method:
    """Wrap ``get_cursor()``."""
    return _noting(original, HookCall.use)


def wrap_get_sqlalchemy_engine(original: Method) -> Method:
    """Wrap ``get_sqlalchemy_engine()``: what the engine runs is told by SQLAlchemy's own events."""
    bound = _caller(original)

    @functools.wraps(original)
    def get_sqlalchemy_engine(self: Any, *args: Any, **kwargs: Any) -> Any:
        engine = bound(self, *args, **kwargs)
        try:
            if session.active_session() is not None:
                from airflow_provider_ryft.instrumentation.sqlalchemy_events import observe_engine

                observe_engine(engine, self)
        except BaseException as fault:
            survive(fault)
        return engine

    return get_sqlalchemy_engine


def wrap_generate_insert_sql(original: Method) -> Method:
    """Wrap ``_generate_insert_sql()``: what the hook's dialect asks the engine on the way is nobody's query."""
    bound = _caller(original)

    @functools.wraps(original)
    def _generate_insert_sql(self: Any, *args: Any, **kwargs: Any) -> Any:
        if session.active is None:
            return bound(self, *args, **kwargs)
        try:
            correlation.suppress_capture(+1)
        except BaseException as fault:
            survive(fault)
        try:
            sql = bound(self, *args, **kwargs)
        finally:
            try:
                correlation.suppress_capture(-1)
            except BaseException as fault:
                survive(fault)
        try:
            _generated(self, sql)
        except BaseException as fault:
            survive(fault)
        return sql

    return _generate_insert_sql


def _generated(hook: Any, sql: Any) -> None:
    call = correlation.innermost_call(hook)
    if call is not None and isinstance(sql, str):
        call.begin_generated(sql)


def wrap_row_generator(original: Method) -> Method:
    """Wrap a generator that executes one statement after the other and yields their rows."""
    bound = _caller(original)

    @functools.wraps(original)
    def fetching(self: Any, *args: Any, **kwargs: Any) -> Any:
        generator = bound(self, *args, **kwargs)
        try:
            call = correlation.innermost_call(self)
            if call is not None and len(call.texts) > 1:
                return FetchedRows(generator, call)
        except BaseException as fault:
            survive(fault)
        return generator

    return fetching


def _noting(original: Method, note: Callable[[HookCall, Any], None]) -> Method:
    """Wrap a method that hands something to the public method around it."""
    bound = _caller(original)

    @functools.wraps(original)
    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = bound(self, *args, **kwargs)
        try:
            call = correlation.innermost_call(self)
            if call is not None:
                note(call, result)
        except BaseException as fault:
            survive(fault)
        return result

    return noted


def wrap_split(original: Any) -> Any:
    """Wrap a static method that cuts a text into statements, or the end off a statement."""
    function = original.__func__ if isinstance(original, staticmethod) else original

    @functools.wraps(function)
    def split(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        try:
            if session.active is not None:
                correlation.note_split(result)
        except BaseException as fault:
            survive(fault)
        return result

    return staticmethod(split) if isinstance(original, staticmethod) else split
