"""Statements that a hook submits to a service, and whose end it does not see.

The hooks of Athena, Redshift Data, Databricks' and Snowflake's statement APIs, BigQuery jobs that are not waited for
and Hive's command line report to hook lineage what they submit. It is kept until the task ends: what is not
extracted from the operator is reported then.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple
from uuid import uuid4

from airflow_provider_ryft.capture.declared_connection import DeclaredConnection
from airflow_provider_ryft.capture.statement import Statement

# An AWS connection is of the same type for each service.
_SERVICES = {"AthenaHook": "athena", "RedshiftDataHook": "redshift"}

# They report when the statement has ended, and only one that succeeded.
_REPORT_LATE = frozenset({"HiveCliHook"})

MAX_SUBMISSIONS = 10_000  # the oldest are forgotten first


class _Submission(NamedTuple):
    statement: Statement
    is_over: bool
    is_awaited: bool


_submissions: deque[_Submission] = deque(maxlen=MAX_SUBMISSIONS)


def record_submission(
    hook: Any, text: str, engine_id: Any, *, connections: Mapping[str, Any], catalog: Any = None, schema: Any = None
) -> None:
    """Keep what a hook has submitted until :func:`drain_submissions`.

    :param hook: the hook, or another object that reports it
    :param text: the statement
    :param engine_id: the service's id of it
    :param connections: the Airflow connections that hooks have looked up for themselves, by id
    :param catalog: the catalog of unqualified names
    :param schema: the schema of unqualified names
    """
    if not text.strip():
        return
    names = {cls.__name__ for cls in type(hook).__mro__}
    conn_type = next((_SERVICES[name] for name in _SERVICES if name in names), getattr(hook, "conn_type", None))
    name = getattr(hook, "conn_name_attr", None)
    conn_id = _text(getattr(hook, name, None)) if isinstance(name, str) else None
    connection = getattr(hook, "_connection", None) or connections.get(conn_id or "")
    if connection is None or catalog or schema or not hasattr(hook, "_run_command"):
        # Only a hook for SQL has the connection's own schema for that of the statement's names.
        connection = DeclaredConnection(conn_type=_text(conn_type), catalog=_text(catalog), schema=_text(schema))
    statement = Statement(
        text=text,
        query_id=str(uuid4()),
        started_at=datetime.now(timezone.utc),
        conn_id=conn_id,
        connection=connection,
        hook=hook,
        engine_id=_text(engine_id),
    )
    _submissions.append(_Submission(statement, is_over=bool(names & _REPORT_LATE), is_awaited=_is_awaited(hook)))


def clear_submissions() -> None:
    """Forget what another task has submitted in this process."""
    _submissions.clear()


def drain_submissions(
    task: Any, described: Sequence[Statement], *, error: BaseException | None, has_ended: bool
) -> Iterator[Statement]:
    """Yield what was submitted and is not extracted from the operator, and forget it.

    :param task: the operator, if what it ran is extracted now or later
    :param described: what is extracted now; of these, one without an id is given the one that its hook reported
    :param error: what the task failed with
    :param has_ended: whether the task went on to its end, or to its deferral
    """
    from airflow_provider_ryft.extractors import operators

    while _submissions:
        submission = _submissions.popleft()
        statement = submission.statement
        if operators.will_extract(task, statement):
            _copy_id(described, statement)
            continue
        if not submission.is_over:
            statement.error = error
            statement.outcome_known = submission.is_awaited and has_ended and _is_outcome_of(error, statement)
        yield statement


def _copy_id(described: Sequence[Statement], submitted: Statement) -> None:
    for statement in described:
        if statement.engine_id is None and statement.text.strip() == submitted.text.strip():
            statement.engine_id = submitted.engine_id
            return


def _is_outcome_of(error: BaseException | None, statement: Statement) -> bool:
    """Return whether the outcome of a task is that of a statement that was waited for: its failure names it."""
    return error is None or (statement.engine_id is not None and statement.engine_id in str(error))


def _is_awaited(hook: Any) -> bool:
    """Return whether the method that is submitting is going to wait: only its own argument says so."""
    frame = sys._getframe(1)
    for _ in range(_DEPTH):
        if "wait_for_completion" in frame.f_code.co_varnames and frame.f_locals.get("self") is hook:
            return frame.f_locals["wait_for_completion"] is True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False


_DEPTH = 16  # how far above the hook's method may be: hook lineage, and what listens to it, here and elsewhere


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
