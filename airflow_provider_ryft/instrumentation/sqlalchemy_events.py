"""Observes the SQLAlchemy engines that hooks hand out, through SQLAlchemy's own events."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from sqlalchemy import event

from airflow_provider_ryft.capture import correlation, session
from airflow_provider_ryft.capture.dbapi import is_done
from airflow_provider_ryft.capture.session import StatementRun
from airflow_provider_ryft.guard import isolated

_observed: WeakSet[Any] = WeakSet()

_MARK = "_airflow_provider_ryft_running"


def observe_engine(engine: Any, hook: Any) -> None:
    """Observe what an engine runs, for as long as a task is observed.

    :param engine: the engine
    :param hook: the hook that handed it out
    """
    if engine in _observed:
        return

    def execute(cursor: Any, statement: str, _parameters: Any, context: Any) -> None:
        with isolated():
            if session.active is not None:
                _begin(hook, cursor, statement, context)

    def execute_no_params(cursor: Any, statement: str, context: Any) -> None:
        execute(cursor, statement, None, context)

    # When these come the text is final, and no listener to what comes before can raise any more.
    event.listen(engine, "do_execute", execute)
    event.listen(engine, "do_executemany", execute)
    event.listen(engine, "do_execute_no_params", execute_no_params)
    event.listen(engine, "after_cursor_execute", _after)
    event.listen(engine, "handle_error", _on_error)
    event.listen(engine, "checkin", _returned)
    _observed.add(engine)


def _begin(hook: Any, cursor: Any, statement: str, context: Any) -> None:
    if _is_of_the_dialect(context.dialect):
        return
    _end_waiting(context.root_connection.info, lambda running: is_done(running.cursor))
    running = correlation.start_statement(hook, statement, cursor, _driver_connection(cursor), is_part=True)
    if running is not None:
        setattr(context, _MARK, running)


def _driver_connection(cursor: Any) -> Any:
    return getattr(cursor, "connection", cursor)


def _is_of_the_dialect(dialect: Any) -> bool:
    """Return whether SQLAlchemy's dialect speaks for itself: a savepoint, a look-up of tables or types, a sequence.

    The code that runs a user's statement is called by the user; the dialect's own is called by the dialect, whose
    module is then among the callers, nearer than any module that is not SQLAlchemy's.
    """
    modules = {part.__module__ for part in type(dialect).__mro__}
    frame = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module in modules:
            return True
        if not module.startswith("sqlalchemy.") and module != __name__:
            return False
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _after(connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
    with isolated():
        running = _running(context)
        if running is not None and correlation.is_still_running(running):
            _wait(running, connection, context)
        elif running is not None:
            correlation.finish_statement(running, None)


def _on_error(failure: Any) -> None:
    with isolated():
        running = _running(failure.execution_context)
        if running is not None and running.returned:
            running.finish_open_result(failure.original_exception)
        elif running is not None:
            correlation.finish_statement(running, failure.original_exception)


def _returned(_driver_connection: Any, record: Any) -> None:
    """Record that a connection goes back to its pool: its results are not read any more."""
    with isolated():
        _end_waiting(record.info, lambda _: True)


def _running(context: Any) -> StatementRun | None:
    return context.__dict__.pop(_MARK, None) if context is not None else None


def _wait(running: StatementRun, connection: Any, context: Any) -> None:
    """Let a statement run on while its result is read; SQLAlchemy says when that fails, and not when it is over."""
    running.mark_returned()
    running.session.unfinished.add(running)
    setattr(context, _MARK, running)
    connection.info.setdefault(_MARK, []).append(running)


def _end_waiting(info: dict[str, Any], has_ended: Callable[[StatementRun], bool]) -> None:
    """End what waited on a connection.

    :param info: what SQLAlchemy keeps with a connection for its users
    :param has_ended: which of it
    """
    for running in list(info.get(_MARK, ())):
        if has_ended(running):
            info[_MARK].remove(running)
            running.finish_open_result(None)
