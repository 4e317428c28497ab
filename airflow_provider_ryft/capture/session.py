"""Statements in flight, from when the engine is asked until it has answered, while one task is observed."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from time import perf_counter
from typing import Any

from airflow_provider_ryft.capture.dbapi import (
    cursor_engine_id,
    engine_seconds,
    error_engine_ids,
    server_version,
)
from airflow_provider_ryft.capture.statement import Statement, StatementProcessor
from airflow_provider_ryft.guard import survive


class CaptureSession:
    """What is observed between the start and the end of one task, in its process.

    :param recorder: who is told
    """

    def __init__(self, recorder: StatementProcessor) -> None:
        self._recorder = recorder
        self._pid = os.getpid()
        self._over = self._is_prepared = False
        self.connections: dict[str, Any] = {}  # what hooks looked up for themselves, by id
        self.engine_ids: set[str] = set()  # each belongs to one statement
        self.unfinished: set[Any] = set()  # what has answered, and of which more may be read

    @property
    def here(self) -> bool:
        """Whether this is the task's process (a child of its own is not), before the end of the task."""
        return not self._over and os.getpid() == self._pid

    def prepare(self) -> None:
        """Tell the recorder, once, that a hook is made, so that statements will follow."""
        if not self._is_prepared and self.here:
            self._is_prepared = True
            self._recorder.on_hook_created()

    def begin(self, text: str, hook: Any, *, connection: Any = None, elapsed: float = 0.0) -> StatementRun:
        """Tell the recorder that an engine is asked.

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
        try:
            self._recorder.on_start(statement)
        except BaseException as fault:
            survive(fault)
        return StatementRun(self, statement, perf_counter() - elapsed)

    def end(self, statement: Statement) -> None:
        """Tell the recorder that a statement has ended; after the end of the task nobody listens."""
        if not self._over:
            try:
                self._recorder.on_end(statement)
            except BaseException as fault:
                survive(fault)

    def drop(self, statement: Statement) -> None:
        """Tell the recorder that the engine was not asked after all."""
        if not self._over:
            try:
                self._recorder.on_discard(statement)
            except BaseException as fault:
                survive(fault)

    def leave(self) -> None:
        """Observe no more, and tell nobody: this is a child of the task's process, and all of it is the parent's."""
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

    :param observation: the task's
    :param statement: the statement
    :param clock: when it started, by :func:`time.perf_counter`
    """

    __slots__ = (
        "clock",
        "cursor",
        "delegated",
        "id_told",
        "returned",
        "session",
        "spent",
        "statement",
        "stopped",
    )

    def __init__(self, observation: CaptureSession, statement: Statement, clock: float) -> None:
        self.session = observation
        self.statement = statement
        self.clock = clock
        self.returned = False  # the driver has returned, though the engine may still be at work
        self.stopped: float | None = None
        self.spent: float | None = None  # as the driver has measured it
        self.id_told = False  # so that its cursor need not be asked
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
        """Tell the recorder that the engine was not asked."""
        self.cursor = None
        self.session.drop(self.statement)

    def mark_returned(self) -> None:
        """Take note that the driver has returned, though the engine is still at work."""
        self.returned = True
        self.stopped = perf_counter()
        self.statement.engine_id = self._engine_id(None)  # before the cursor is closed, and before another takes it

    def finish_open_result(self, error: BaseException | None) -> None:
        """End, once, what was answered and may have been read since; when it was is known to the engine only.

        :param error: what reading it raised
        """
        if self in self.session.unfinished:
            self.session.unfinished.discard(self)
            answered = (self.stopped or perf_counter()) - self.clock
            self.spent = max(answered, engine_seconds(self.cursor))
            self.finish(error)

    def record_lineage(self, engine_id: Any) -> None:
        """Take note of the id that the hook told its lineage, if any; what is left to do is not the engine's work."""
        self.stopped = perf_counter()
        self.id_told = self.id_told or engine_id is not None
        if isinstance(engine_id, str) and engine_id:
            self.statement.engine_id = engine_id

    def finish(self, error: BaseException | None = None) -> None:
        """Fill in how the statement ended, and tell the recorder."""
        statement = self.statement
        stopped = self.stopped if error is None and not self.returned else None
        spent = (stopped or perf_counter()) - self.clock if self.spent is None else self.spent
        statement.duration_ms = spent * 1000 if spent > 0 else 0.0
        statement.error = error
        try:
            statement.engine_id = self._engine_id(error)
        except BaseException as fault:
            survive(fault)
        self.cursor = None
        self.session.end(statement)

    def _engine_id(self, error: BaseException | None) -> str | None:
        """Return the engine's id: as the hook told its lineage, else the error's, else the cursor's.

        A cursor whose statement failed may still have the id of the statement before, and so may an error that was
        raised while another one was handled.
        """
        found = self.statement.engine_id
        taken = self.session.engine_ids
        if found is None and error is not None:
            found = next((name for name in error_engine_ids(error) if name not in taken), None)
        if found is None and self.cursor is not None and not self.id_told:
            found = cursor_engine_id(self.cursor)
            if error is not None and found in taken:
                found = None
        if found is not None:
            taken.add(found)
        return found


def _random_uuid() -> str:
    """Return the text of a random UUID (RFC 9562, version 4) in half the time that :mod:`uuid` takes."""
    digits = os.urandom(16).hex()
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


_VARIANTS = {digit: "89ab"[value & 3] for value, digit in enumerate("0123456789abcdef")}


def _conn_id(hook: Any) -> str | None:
    name = getattr(hook, "conn_name_attr", None)
    conn_id = getattr(hook, name, None) if isinstance(name, str) else None
    return conn_id if isinstance(conn_id, str) else None


def _server_version(connection: Any) -> str | None:
    try:
        return server_version(connection) if connection is not None else None
    except BaseException as fault:  # a closed connection, a driver of another version: the statement is told anyway
        survive(fault)
        return None


# Read by the first line of every wrapper, as a bare name: nothing is faster, and nothing about it can fail.
active: CaptureSession | None = None


def active_session() -> CaptureSession | None:
    """Return the observation of this process, if this is the process of a task that is observed."""
    observation = active
    return observation if observation is not None and observation.here else None


def activate(recorder: StatementProcessor) -> None:
    """Begin to observe for a recorder."""
    global active
    deactivate()
    active = CaptureSession(recorder)


def deactivate() -> None:
    """Observe no more."""
    global active
    observation, active = active, None
    if observation is not None and observation.here:
        try:
            observation.close()
        except BaseException as fault:
            survive(fault)


def _leave_to_the_parent() -> None:
    global active
    observation, active = active, None
    if observation is not None:
        observation.leave()


os.register_at_fork(after_in_child=_leave_to_the_parent)
