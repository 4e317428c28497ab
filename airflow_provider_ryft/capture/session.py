"""What runs in this task now: statements, from when the engine is asked until it has answered."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from time import perf_counter
from typing import Any, Protocol

from airflow_provider_ryft.capture.dbapi import cursor_engine_id, engine_seconds, error_engine_ids, server_version
from airflow_provider_ryft.capture.statement import Statement, StatementProcessor
from airflow_provider_ryft.guard import isolated


class OpenResult(Protocol):
    """What has answered, and of which more may be read."""

    def finish_open_result(self, error: BaseException | None) -> None:
        """End it.

        :param error: what reading it raised
        """


class CaptureSession:
    """What is observed between the start and the end of one task, in its process.

    :param processor: gets the statements
    """

    def __init__(self, processor: StatementProcessor) -> None:
        self._processor = processor
        self._pid = os.getpid()
        self._over = self._is_prepared = False
        self.connections: dict[str, Any] = {}  # what hooks looked up for themselves, by id
        self.engine_ids: set[str] = set()  # each belongs to one statement
        self.unfinished: set[OpenResult] = set()

    @property
    def here(self) -> bool:
        """Whether this is the task's process (a child of its own is not), before the end of the task."""
        return not self._over and os.getpid() == self._pid

    def prepare_processor(self) -> None:
        """Notify the processor, once, that a hook is made, so that statements will follow."""
        if not self._is_prepared and self.here:
            self._is_prepared = True
            self._processor.on_hook_created()

    def start_run(self, text: str, hook: Any, *, connection: Any = None, elapsed: float = 0.0) -> StatementRun:
        """Notify the processor that an engine is asked.

        :param text: the statement
        :param hook: the hook that runs it
        :param connection: the driver's connection
        :param elapsed: for how many seconds it has been running
        """
        conn_id = _conn_id(hook)
        now = datetime.now(timezone.utc)
        statement = Statement(
            text=text,
            query_id=_random_uuid(),
            started_at=now - timedelta(seconds=elapsed) if elapsed else now,
            conn_id=conn_id,
            connection=getattr(hook, "_connection", None) or self.connections.get(conn_id or ""),
            hook=hook,
            server_version=_server_version(connection),
        )
        with isolated():
            self._processor.on_start(statement)
        return StatementRun(self, statement, perf_counter() - elapsed)

    def end_run(self, statement: Statement) -> None:
        """Notify the processor that a statement has ended; not after the end of the task."""
        if not self._over:
            with isolated():
                self._processor.on_end(statement)

    def discard_run(self, statement: Statement) -> None:
        """Notify the processor that the engine was not asked after all."""
        if not self._over:
            with isolated():
                self._processor.on_discard(statement)

    def abandon(self) -> None:
        """Observe no more, without any notice: this is a child of the task's process, and all is the parent's."""
        self._over = True

    def close(self) -> None:
        """Observe no more; end what only waits for its generator to be read on."""
        try:
            for unfinished in list(self.unfinished):
                unfinished.finish_open_result(None)
        finally:
            self._over = True
            self.connections.clear()
            self.unfinished.clear()


class StatementRun:
    """A statement in flight.

    :param session: the task's
    :param statement: the statement
    :param clock: when it started, by :func:`time.perf_counter`
    """

    def __init__(self, session: CaptureSession, statement: Statement, clock: float) -> None:
        self.session = session
        self.statement = statement
        self.clock = clock
        self.returned = False  # the driver has returned, though the engine may still be at work
        self.stopped: float | None = None
        self.spent: float | None = None  # as the driver has measured it
        self.id_reported = False  # so that its cursor need not be asked
        self.delegated = False
        self.cursor: Any = None

    def restart(self, text: str) -> None:
        """Count from now: what came before was not yet the engine's work."""
        self.statement.text = text
        self.statement.started_at = datetime.now(timezone.utc)
        self.clock = perf_counter()

    def delegate(self, text: str) -> StatementRun:
        """Leave the statement to what really asks the engine for it."""
        self.delegated = True
        running = StatementRun(self.session, self.statement, self.clock)
        running.cursor = self.cursor
        running.restart(text)
        return running

    def discard(self) -> None:
        """Notify the processor that the engine was not asked."""
        self.cursor = None
        self.session.discard_run(self.statement)

    def mark_returned(self) -> None:
        """Record that the driver has returned, though the engine is still at work."""
        self.returned = True
        self.stopped = perf_counter()
        self.statement.engine_id = self._engine_id(None)  # before the cursor is closed, and before another takes it

    def finish_open_result(self, error: BaseException | None) -> None:
        """End, once, what was answered and may have been read since; only the engine knows when that was.

        :param error: what reading it raised
        """
        if self in self.session.unfinished:
            self.session.unfinished.discard(self)
            answered = (self.stopped or perf_counter()) - self.clock
            self.spent = max(answered, engine_seconds(self.cursor))
            self.finish(error)

    def record_lineage(self, engine_id: Any) -> None:
        """Record the id that the hook reported, if any; what is left to do is not the engine's work."""
        self.stopped = perf_counter()
        self.id_reported = self.id_reported or engine_id is not None
        if isinstance(engine_id, str) and engine_id:
            self.statement.engine_id = engine_id

    def finish(self, error: BaseException | None = None) -> None:
        """Fill in how the statement ended, and notify the processor."""
        statement = self.statement
        stopped = self.stopped if error is None and not self.returned else None
        spent = (stopped or perf_counter()) - self.clock if self.spent is None else self.spent
        statement.duration_ms = spent * 1000 if spent > 0 else 0.0
        statement.error = error
        with isolated():
            statement.engine_id = self._engine_id(error)
        self.cursor = None
        self.session.end_run(statement)

    def _engine_id(self, error: BaseException | None) -> str | None:
        """Return the engine's id: as the hook reported it, else the error's, else the cursor's.

        A cursor whose statement failed may still have the id of the statement before, and so may an error that was
        raised while another one was handled.
        """
        found = self.statement.engine_id
        taken = self.session.engine_ids
        if found is None and error is not None:
            found = next((name for name in error_engine_ids(error) if name not in taken), None)
        if found is None and self.cursor is not None and not self.id_reported:
            found = cursor_engine_id(self.cursor)
            if error is not None and found in taken:
                found = None
        if found is not None:
            taken.add(found)
        return found


def _random_uuid() -> str:
    """Return the text of a random UUID (RFC 9562, version 4), in 0.7 us; the module ``uuid`` takes 2.1 us."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _conn_id(hook: Any) -> str | None:
    name = getattr(hook, "conn_name_attr", None)
    conn_id = getattr(hook, name, None) if isinstance(name, str) else None
    return conn_id if isinstance(conn_id, str) else None


def _server_version(connection: Any) -> str | None:
    with isolated():  # a closed connection, a driver of another version: the statement is reported anyway
        return server_version(connection) if connection is not None else None
    return None


# Read by the first line of every wrapper, as a bare name: nothing is faster, and nothing about it can fail.
active: CaptureSession | None = None


def active_session() -> CaptureSession | None:
    """Return the session of this process, if this is the process of a task that is observed."""
    session = active
    return session if session is not None and session.here else None


def activate(processor: StatementProcessor) -> None:
    """Begin to observe for a processor."""
    global active
    deactivate()
    active = CaptureSession(processor)


def deactivate() -> None:
    """Observe no more."""
    global active
    session, active = active, None
    if session is not None and session.here:
        with isolated():
            session.close()


def _leave_to_the_parent() -> None:
    global active
    session, active = active, None
    if session is not None:
        session.abandon()


os.register_at_fork(after_in_child=_leave_to_the_parent)
