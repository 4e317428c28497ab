"""Puts together what is observed of an execution from several sides.

The wrappers of hooks' methods, SQLAlchemy's events and hook lineage come here, each with its part of the truth.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from airflow_provider_ryft.capture.call_stack import call_stack
from airflow_provider_ryft.capture.dbapi import is_done, returns_early, statement_text
from airflow_provider_ryft.capture.hook_call import HookCall, adopt_statement, mark_observed
from airflow_provider_ryft.capture.method_kind import MethodKind
from airflow_provider_ryft.capture.session import CaptureSession, StatementRun, active_session


def _unsuppressed_session() -> CaptureSession | None:
    return None if call_stack.suppressed else active_session()


def suppress_capture(change: int) -> None:
    """Let the thread run internal queries of the driver or dialect (+1), and end that (-1)."""
    call_stack.suppressed = max(0, call_stack.suppressed + change)


def innermost_call(hook: Any) -> HookCall | None:
    """Return the public call that the thread is in, if it is one of this hook."""
    top = call_stack.top
    return top if isinstance(top, HookCall) and top.hook is hook else None


def start_call(hook: Any, kind: MethodKind, texts: list[Any], *, report_if_unobserved: bool) -> HookCall | None:
    """Record that a public method of a hook begins."""
    session = _unsuppressed_session()
    if session is None:
        return None
    if kind in (MethodKind.JOB, MethodKind.SUBMIT) and isinstance(call_stack.top, StatementRun):
        return None  # it is how that statement's cursor works
    call = HookCall(session, hook, kind, texts, report_if_unobserved=report_if_unobserved)
    call_stack.push(call)
    if kind is MethodKind.ROWS:
        for outer in call.enclosing:
            outer.observed = outer.observed or outer.kind is MethodKind.ROWS  # it leaves the insert to this one
    elif kind is MethodKind.JOB:
        call.begin_next()
    return call


def finish_call(call: HookCall, error: BaseException | None) -> None:
    """Record that a public method has ended."""
    call_stack.pop(call)
    call.finish_open_result(error)


def suspend_call(call: HookCall) -> None:
    """Record that a public method has returned a generator, which has yet to run its statement."""
    call_stack.pop(call)
    call.paused = perf_counter()


def note_split(parts: Any) -> None:
    """Record how a hook cuts a text into the statements that it is going to run."""
    texts = [parts] if isinstance(parts, str) else parts
    top = call_stack.top
    if isinstance(top, HookCall) and top.executes and isinstance(texts, list):
        top.split([statement_text(text) for text in texts])


def resume_call(call: HookCall) -> None:
    """Record that a generator is asked for more: what it runs belongs to the call that made it."""
    if call.session.here:
        call_stack.push(call)
        call.session.unfinished.add(call)
    if call.paused is not None:
        if call.running is not None:
            call.running.clock += perf_counter() - call.paused
        call.clock += perf_counter() - call.paused
        call.paused = None


def pause_call(call: HookCall) -> None:
    """Record that a generator has yielded: until it is asked again, the time is the caller's."""
    call_stack.pop(call)
    call.paused = perf_counter()
    call.yielded = True


def start_statement(hook: Any, sql: Any, cursor: Any, connection: Any, *, is_part: bool = False) -> StatementRun | None:
    """Record that an engine is asked.

    :param hook: the hook that asks
    :param sql: the statement, as :func:`~airflow_provider_ryft.capture.dbapi.statement_text` takes it
    :param cursor: the driver's cursor
    :param connection: the driver's connection, or ``None``
    :param is_part: whether any statement that the thread is running has this one as a part of it, whatever the
        cursor
    :return: the statement; ``None`` if it is a part of one that is observed already
    """
    session = _unsuppressed_session()
    if session is None:
        return None
    text = statement_text(sql, cursor)
    top = call_stack.top
    if isinstance(top, StatementRun):
        if is_part:
            return None
        if top.cursor is cursor and not top.delegated:
            return top.delegate(text)  # the override of a method has called the one that it overrides
    elif top is not None and top.answered:
        _end_answered(top, hook, cursor)
    calls = call_stack.calls(hook)
    if _is_of_rows(calls, text):
        mark_observed(calls, text)
        return None
    running = adopt_statement(calls, text, whatever=is_part)
    if running is None:
        running = session.start_run(text, hook, connection=connection)
    else:
        running.restart(text)
    mark_observed(calls, text)
    running.cursor = cursor
    return running


def _end_answered(call: HookCall, hook: Any, cursor: Any) -> None:
    """End what a cursor has run before it is used for the next statement: its result has been handled."""
    for running in list(call.answered):
        if call.hook is hook and running.cursor is cursor:
            call.answered.remove(running)
            running.finish()


def _is_of_rows(calls: list[HookCall], text: str) -> bool:
    """Return whether this is one of many executions of an insert that is already observed as one."""
    for call in calls:  # noqa: SIM110  # a generator for any() costs each statement more than the rest of this
        if call.generated == text and call.kind is MethodKind.ROWS:
            return True
    return False


def finish_statement(running: StatementRun, error: BaseException | None) -> None:
    """Record that the engine has answered.

    :param running: what :func:`start_statement` returned
    :param error: what was raised
    """
    call_stack.pop(running)
    if running.delegated:
        return
    if error is None and returns_early(running.cursor):
        call = _call_around()
        if call is not None and call.hook is running.statement.hook:
            running.mark_returned()
            call.answered.append(running)  # until its result has been handled
            return
    running.finish(error)


def is_still_running(running: StatementRun) -> bool:
    """Return whether a statement goes on after its driver has returned, and no public call around it sees its end."""
    call = _call_around()
    return (
        returns_early(running.cursor)
        and not is_done(running.cursor)
        and (call is None or call.hook is not running.statement.hook)
    )


def _call_around() -> HookCall | None:
    """Return the public call that the thread is in, perhaps in a method that has handed its statement over."""
    for frame in reversed(call_stack.stack):
        if isinstance(frame, HookCall):
            return frame
        if not frame.delegated:
            break
    return None


def on_lineage(hook: Any, lineage: dict[str, Any]) -> bool:
    """Record that a hook reports to hook lineage that it ran a statement.

    :param hook: the hook
    :param lineage: the statement, as :func:`~airflow_provider_ryft.capture.dbapi.statement_text` takes it, the
        engine's id of it, and the catalog and the schema of unqualified names; its parameters are not read
    :return: ``False`` if it was not run here but submitted to a service
    """
    top = call_stack.top
    executes = hasattr(hook, "_run_command")
    if isinstance(top, StatementRun) and executes:
        if not top.delegated:
            top.record_lineage(lineage.get("job_id"))
        return True
    session = _unsuppressed_session()
    if session is None:
        return True
    sql, engine_id, schema = lineage.get("sql"), lineage.get("job_id"), lineage.get("default_schema")
    call = top if isinstance(top, HookCall) and top.hook is hook else None
    if not executes or (call is not None and call.kind is MethodKind.SUBMIT):
        return False
    if call is not None:
        if call.kind is MethodKind.ROWS or not _is_of_rows(call_stack.calls(hook), statement_text(sql)):
            call.report(sql, engine_id, schema)
    elif not any(isinstance(frame, HookCall) and frame.hook is hook for frame in call_stack.stack):
        running = session.start_run(statement_text(sql), hook)
        running.record_lineage(engine_id)
        running.finish()
    return True
