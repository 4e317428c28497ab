"""Puts together what is seen of an execution from several sides.

The wrappers of hooks' methods, SQLAlchemy's events and the hooks' lineage come here, each with its part of the truth.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from airflow_provider_ryft.listener.calls import Call, Kind, thread
from airflow_provider_ryft.listener.driver_facts import cursor_engine_id, returns_early, statement_text
from airflow_provider_ryft.listener.observation import Observation, Running, current


def _audible() -> Observation | None:
    return None if thread.muted else current()


def mute(change: int) -> None:
    """Let the thread run statements that are nobody's query (+1), and end that (-1)."""
    thread.muted = max(0, thread.muted + change)


def innermost_call(hook: Any) -> Call | None:
    """Return the public call that the thread is in, if it is one of this hook."""
    top = thread.top
    return top if isinstance(top, Call) and top.hook is hook else None


def enter_call(hook: Any, kind: Kind, texts: list[str], *, reports_silence: bool) -> Call | None:
    """Note that a public method of a hook begins."""
    observation = _audible()
    if observation is None:
        return None
    if kind in (Kind.JOB, Kind.SUBMIT) and isinstance(thread.top, Running):
        return None  # it is how that statement's cursor works
    call = Call(observation, hook, kind, texts, reports_silence=reports_silence)
    if kind is Kind.JOB:
        call.begin_next()
    thread.push(call)
    return call


def leave_call(call: Call, error: BaseException | None) -> None:
    """Note that a public method has ended."""
    thread.pop(call)
    call.settle(error)


def suspend_call(call: Call) -> None:
    """Note that a public method has returned a generator, which has yet to run its statement."""
    thread.pop(call)
    call.paused = perf_counter()


def note_split(parts: Any) -> None:
    """Note how a hook cuts a text into the statements that it is going to run."""
    texts = [parts] if isinstance(parts, str) else parts
    top = thread.top
    if isinstance(top, Call) and top.executes and isinstance(texts, list):
        top.split([statement_text(text) for text in texts])


def resume_call(call: Call) -> None:
    """Note that a generator is asked for more: what it runs belongs to the call that made it."""
    if call.observation.here:
        thread.push(call)
        call.observation.unfinished.add(call)
    if call.paused is not None:
        if call.running is not None:
            call.running.clock += perf_counter() - call.paused
        call.clock += perf_counter() - call.paused
        call.paused = None


def pause_call(call: Call) -> None:
    """Note that a generator has yielded: until it is asked again, the time is the caller's."""
    thread.pop(call)
    call.paused = perf_counter()


def enter_statement(hook: Any, sql: Any, cursor: Any, connection: Any, *, is_part: bool = False) -> Running | None:
    """Note that an engine is asked.

    :param hook: the hook that asks
    :param sql: the statement, as :func:`~airflow_provider_ryft.listener.driver_facts.statement_text` takes it
    :param cursor: the driver's cursor
    :param connection: the driver's connection, or ``None``
    :param is_part: whether any statement that the thread is running has this one as a part of it, whatever the
        cursor
    :return: the statement; ``None`` if it is a part of one that is observed already
    """
    observation = _audible()
    if observation is None:
        return None
    top = thread.top
    if isinstance(top, Running) and (is_part or top.cursor is cursor):
        return None
    text = statement_text(sql, cursor)
    if isinstance(top, Call) and top.running is not None and top.running.answered:
        finished, top.running = top.running, None  # the result before has been handled
        finished.end()
    if _is_of_rows(hook, text):
        thread.mark_seen()
        return None
    running = _claim(hook)
    if running is None:
        running = observation.begin(text, hook, connection=connection)
    else:
        running.restart(text)
    thread.mark_seen()
    running.cursor = cursor
    return running


def _claim(hook: Any) -> Running | None:
    """Return the statement that a public call around this execution has begun for it."""
    for call in thread.calls(hook):
        if call.running is not None and not call.running.answered and call.kind is not Kind.ROWS:
            running, call.running = call.running, None
            return running
    return None


def _is_of_rows(hook: Any, text: str) -> bool:
    """Tell whether this is one of many executions of an insert that is already observed as one."""
    return any(call.kind is Kind.ROWS and call.generated == text for call in thread.calls(hook))


def leave_statement(running: Running, error: BaseException | None) -> None:
    """Note that the engine has answered.

    :param running: what :func:`enter_statement` returned
    :param error: what was raised
    """
    thread.pop(running)
    top = thread.top
    if error is None and isinstance(top, Call) and returns_early(running.cursor):
        running.answered = True
        if running.statement.engine_id is None and not running.id_told:
            running.statement.engine_id = cursor_engine_id(running.cursor)  # before the cursor is closed
        top.running = running  # until its result has been handled
    else:
        running.end(error)


def told_lineage(hook: Any, text: str, engine_id: Any, *, catalog: Any = None, schema: Any = None) -> None:
    """Note that a hook told its lineage that it ran a statement.

    :param hook: the hook
    :param text: the statement
    :param engine_id: the engine's id of it
    :param catalog: the catalog of unqualified names, if the hook told it
    :param schema: the schema of unqualified names, if the hook told it
    """
    observation = _audible()
    if observation is None:
        return
    top = thread.top
    submits = isinstance(top, Call) and top.hook is hook and top.kind is Kind.SUBMIT
    if submits or not hasattr(hook, "_run_command"):
        from airflow_provider_ryft.listener import submitted

        submitted.note(hook, text, engine_id, connections=observation.connections, catalog=catalog, schema=schema)
    elif isinstance(top, Running):
        top.told(engine_id)
    elif isinstance(top, Call) and top.hook is hook:
        if top.kind is Kind.ROWS or not _is_of_rows(hook, text):
            top.report(text, engine_id)
    elif hasattr(hook, "_run_command") and not any(
        isinstance(frame, Call) and frame.hook is hook for frame in thread.stack
    ):
        running = observation.begin(text, hook)
        running.told(engine_id)
        running.end()
