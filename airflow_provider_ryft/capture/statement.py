"""A statement as it is observed, and what gets it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol


class Statement:
    """One execution of one SQL text, while it runs and after.

    Its ``repr`` does not show the text, which may be megabytes, and hold secrets. (It is no data class, because each
    task whose DAG knows a hook would take 0.3 ms to define one.)

    :param text: the text as it was executed; ``""`` where there is none, never ``None``
    :param query_id: the text of a random UUID, made when the statement was first observed
    :param started_at: when the engine was asked; aware, in UTC
    :param conn_id: the Airflow connection of the hook that ran it
    :param connection: the Airflow ``Connection`` that the hook already held; it is never looked up for us
    :param hook: the hook that ran it; dropped when the task ends
    :param engine_id: the engine's own id of the query, also of one that failed
    :param server_version: the engine's version, where the driver holds it in memory
    :param duration_ms: the engine's work in milliseconds; ``None`` while it runs
    :param error: what it failed with
    :param outcome_known: whether ``error`` says how it ended; the end of one that was only submitted was not observed
    :param schema: the schema that this one ran in, if its hook was given another than the connection's
    """

    def __init__(
        self,
        *,
        text: str,
        query_id: str,
        started_at: datetime,
        conn_id: str | None = None,
        connection: Any | None = None,
        hook: Any | None = None,
        engine_id: str | None = None,
        server_version: str | None = None,
        duration_ms: float | None = None,
        error: BaseException | None = None,
        outcome_known: bool = True,
        schema: str | None = None,
    ) -> None:
        self.text = text
        self.query_id = query_id
        self.started_at = started_at
        self.conn_id = conn_id
        self.connection = connection
        self.hook = hook
        self.engine_id = engine_id
        self.server_version = server_version
        self.duration_ms = duration_ms
        self.error = error
        self.outcome_known = outcome_known
        self.schema = schema

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.query_id!r}, conn_id={self.conn_id!r}, engine_id={self.engine_id!r})"


def text_or_none(value: object) -> str | None:
    """Return a name or an id as text; ``None`` if it is blank, or neither text nor a number.

    :param value: what a foreign object has in an attribute
    """
    return str(value) if isinstance(value, (str, int)) and str(value).strip() else None


class StatementProcessor(Protocol):
    """What is notified of statements; called from any thread, and whatever it raises stays here."""

    def on_hook_created(self) -> None:
        """Get ready: a hook is made, and its statements will not be long in coming."""

    def on_start(self, statement: Statement) -> None:
        """Record a statement before the engine is asked."""

    def on_end(self, statement: Statement) -> None:
        """Record its end, once; duration, error and engine id are filled in."""

    def on_discard(self, statement: Statement) -> None:
        """Forget a statement, instead of its end: it was not run after all."""
