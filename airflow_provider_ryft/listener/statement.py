"""A statement as it is observed, and who is told about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(eq=False, slots=True, kw_only=True)
class Statement:
    """One execution of one SQL text, while it runs and after.

    :param text: the text as it was executed; ``""`` where there is none, never ``None``
    :param query_id: the text of a random UUID, made when the statement was first seen
    :param started_at: when the engine was asked; aware, in UTC
    :param conn_id: the Airflow connection of the hook that ran it
    :param connection: the Airflow ``Connection`` that the hook already held; it is never looked up for us
    :param hook: the hook that ran it; dropped when the task ends
    :param engine_id: the engine's own id of the query, also of one that failed
    :param server_version: the engine's version, where the driver holds it in memory
    :param duration_ms: the engine's work in milliseconds; ``None`` while it runs
    :param error: what it failed with
    :param outcome_known: whether ``error`` says how it ended; nobody waited for the end of one that was only submitted
    :param schema: the schema that this one ran in, if its hook was told another than the connection's
    """

    text: str = field(repr=False)  # may be megabytes, and hold secrets
    query_id: str
    started_at: datetime
    conn_id: str | None = None
    connection: Any | None = field(default=None, repr=False)
    hook: Any | None = field(default=None, repr=False)
    engine_id: str | None = None
    server_version: str | None = None
    duration_ms: float | None = None
    error: BaseException | None = field(default=None, repr=False)
    outcome_known: bool = True
    schema: str | None = None


class Recorder(Protocol):
    """Who is told about statements; it may be called from any thread, and whatever it raises reaches nobody."""

    def prepare(self) -> None:
        """Get ready: a hook is made, and its statements will not be long in coming."""

    def begin(self, statement: Statement) -> None:
        """Take note of a statement before the engine is asked."""

    def end(self, statement: Statement) -> None:
        """Take note of its end, once; duration, error and engine id are filled in."""

    def drop(self, statement: Statement) -> None:
        """Take note, instead of its end, that a statement was not run after all: it is not to be told."""
