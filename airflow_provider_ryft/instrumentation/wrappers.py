"""The functions that replace hook methods.

Plain functions, not proxies: a bound method of a proxy could be neither pickled nor copied, and tasks do hand
``hook.get_records`` to a pool of processes. Each calls the method that it wraps exactly once, with the very arguments
(but for an iterator of rows, which is timed), outside every block that guards what is ours. The iterators are imported
with the first that is needed, for 0.2 ms.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from airflow_provider_ryft.capture import correlation, session
from airflow_provider_ryft.capture.call_stack import call_stack
from airflow_provider_ryft.capture.hook_call import HookCall
from airflow_provider_ryft.capture.method_kind import MethodKind, wrapper_code
from airflow_provider_ryft.capture.session import StatementRun
from airflow_provider_ryft.guard import isolated
from airflow_provider_ryft.instrumentation.sql_arguments import place_of, reader

Method = Callable[..., Any]


def _in_place_of(original: Any) -> Callable[[Method], Method]:
    """Give a wrapper the looks of what it wraps, and let :mod:`~airflow_provider_ryft.capture` know its code."""

    def mark(wrapper: Method) -> Method:
        wrapper_code.add(wrapper.__code__)
        return functools.wraps(original)(wrapper)

    return mark


def _bound(original: Any) -> Method:
    """Return how to call a method; one that is wrapped in a descriptor must be bound as the class would have done."""
    if isinstance(original, FunctionType):
        return original
    return lambda self, *args, **kwargs: original.__get__(self, type(self))(*args, **kwargs)


def _observing(
    original: Method,
    enter: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any],
    leave: Callable[[Any, BaseException | None, Any], Any],
    *,
    method: Method | None = None,
) -> Method:
    """Wrap a method in what is to be done before and after it.

    :param enter: gets the hook and the arguments; returns what ``leave`` needs, ``None`` if there is nothing to leave
    :param leave: gets that, what the method raised, and what it returned; returns what the caller shall get
    :param method: what is called instead of the original, which calls that
    """
    method = method or _bound(original)

    @_in_place_of(original)
    def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if session.active is None:
            return method(self, *args, **kwargs)
        entered = None
        with isolated():
            entered = enter(self, args, kwargs)
        try:
            result = method(self, *args, **kwargs)
        except BaseException as error:
            if entered is not None:
                with isolated():
                    leave(entered, error, None)
            raise
        if entered is not None:
            with isolated():
                return leave(entered, None, result)
        return result

    return observed


# --- public methods


def wrap_public_method(original: Method, kind: MethodKind, *, report_if_unobserved: bool) -> Method:
    """Wrap a public method.

    :param kind: what it does
    :param report_if_unobserved: whether it runs its statement in ways that may not be observed
    """
    function = inspect.unwrap(original)
    read = reader(function, kind)

    def enter(hook: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HookCall | None:
        called = kind
        if kind is MethodKind.JOB and kwargs.get("nowait", args[4] if len(args) > 4 else False):
            called = MethodKind.SUBMIT
        return correlation.start_call(hook, called, read(args, kwargs), report_if_unobserved=report_if_unobserved)

    rows_at = place_of("rows", function) if kind is MethodKind.ROWS else None
    method = _timing_rows(_bound(original), rows_at) if rows_at is not None else None
    return _observing(original, enter, _leave_chunks if kind is MethodKind.CHUNKS else _leave, method=method)


def _leave(call: HookCall, error: BaseException | None, result: Any) -> Any:
    correlation.finish_call(call, error)
    return result


def _leave_chunks(call: HookCall, error: BaseException | None, result: Any) -> Any:
    if not inspect.isgenerator(result):
        return _leave(call, error, result)
    from airflow_provider_ryft.instrumentation.iterators import traced_generator

    correlation.suspend_call(call)
    return traced_generator(result, call)


def _timing_rows(method: Method, place: int) -> Method:
    """Have a method that inserts rows get them from an iterator that is timed, if the caller works to make them."""

    def insert(self: Any, *args: Any, **kwargs: Any) -> Any:
        with isolated():
            call = correlation.innermost_call(self)
            if call is not None and call.kind is MethodKind.ROWS:
                from airflow_provider_ryft.instrumentation.iterators import timed_rows

                if place < len(args):
                    args = (*args[:place], timed_rows(args[place], call), *args[place + 1 :])
                elif "rows" in kwargs:
                    kwargs = {**kwargs, "rows": timed_rows(kwargs["rows"], call)}
        return method(self, *args, **kwargs)

    return insert


# --- what public methods are made of


def wrap_run_command(original: Method) -> Method:
    """Wrap ``_run_command(cur, sql_statement, parameters)``."""
    return _observing(original, _start_command, _finish_command)


def _start_command(hook: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StatementRun | None:
    cursor = args[0] if args else kwargs.get("cur")
    sql = args[1] if len(args) > 1 else kwargs.get("sql_statement")
    running = correlation.start_statement(hook, sql, cursor, getattr(cursor, "connection", cursor))
    if running is not None:
        call_stack.push(running)
    return running


def _finish_command(running: StatementRun, error: BaseException | None, result: Any) -> Any:
    correlation.finish_statement(running, error)
    return result


def wrap_generate_insert_sql(original: Method) -> Method:
    """Wrap ``_generate_insert_sql()``; what the hook's dialect asks the engine on the way is not reported."""
    return _observing(original, _start_generating, _finish_generating)


def _start_generating(hook: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> Any:
    correlation.suppress_capture(+1)
    return hook


def _finish_generating(hook: Any, error: BaseException | None, sql: Any) -> Any:
    correlation.suppress_capture(-1)
    call = correlation.innermost_call(hook)
    if error is None and call is not None and isinstance(sql, str):
        call.begin_generated(sql)
    return sql


def wrap_get_conn(original: Method) -> Method:
    """Wrap ``get_conn()``: with its connection in hand, a method that executes by itself begins to do so."""
    return _noting(original, HookCall.record_connection)


def wrap_get_cursor(original: Method) -> Method:
    """Wrap ``get_cursor()``."""
    return _noting(original, HookCall.record_cursor)


def _noting(original: Method, note: Callable[[HookCall, Any], None]) -> Method:
    """Wrap a method that hands something to the public method around it."""
    method = _bound(original)

    @_in_place_of(original)
    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = method(self, *args, **kwargs)
        with isolated():
            call = correlation.innermost_call(self)
            if call is not None:
                note(call, result)
        return result

    return noted


def wrap_get_sqlalchemy_engine(original: Method) -> Method:
    """Wrap ``get_sqlalchemy_engine()``: what the engine runs is observed through SQLAlchemy's own events."""
    method = _bound(original)

    @_in_place_of(original)
    def get_sqlalchemy_engine(self: Any, *args: Any, **kwargs: Any) -> Any:
        engine = method(self, *args, **kwargs)
        with isolated():
            if session.active_session() is not None:
                from airflow_provider_ryft.instrumentation.sqlalchemy_events import observe_engine

                observe_engine(engine, self)
        return engine

    return get_sqlalchemy_engine


def wrap_row_generator(original: Method) -> Method:
    """Wrap a generator that executes one statement after the other and yields their rows."""
    method = _bound(original)

    @_in_place_of(original)
    def fetching(self: Any, *args: Any, **kwargs: Any) -> Any:
        generator = method(self, *args, **kwargs)
        with isolated():
            call = correlation.innermost_call(self)
            if call is not None and len(call.texts) > 1:
                from airflow_provider_ryft.instrumentation.iterators import FetchedRows

                return FetchedRows(generator, call)
        return generator

    return fetching


def wrap_split(original: Any) -> Any:
    """Wrap a static method that cuts a text into statements, or the end off a statement."""
    function = original.__func__ if isinstance(original, staticmethod) else original

    @_in_place_of(function)
    def split(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        with isolated():
            if session.active is not None:
                correlation.note_split(result)
        return result

    return staticmethod(split) if isinstance(original, staticmethod) else split


def wrap_get_connection(original: Any) -> Any:
    """Wrap ``BaseHook.get_connection``: what a hook has looked up need not be looked up again."""
    function = original.__func__

    @_in_place_of(function)
    def get_connection(cls: type, *args: Any, **kwargs: Any) -> Any:
        connection = original.__get__(None, cls)(*args, **kwargs)
        with isolated():
            capturing = session.active_session()
            conn_id = args[0] if args else kwargs.get("conn_id")
            if capturing is not None and isinstance(conn_id, str):
                capturing.connections[conn_id] = connection
        return connection

    return classmethod(get_connection)
