"""Statements of operators that run SQL without a hook that is observed, read when their task ends.

They hand a text to a service or a program and wait. Their statements have the outcome and the duration of the task;
where that outcome need not be the statement's, the statement says so. The table of operators says where to read;
:func:`describe_operator` adds to it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_ryft.extractors.operator_table import OPERATOR_SPECS, OperatorSpec

if TYPE_CHECKING:
    from airflow_provider_ryft.capture.statement import Statement

log = logging.getLogger(__name__)


def describe_operator(
    operator: str,
    *,
    sql: str,
    query_id: str | None = None,
    conn_id: str | None = None,
    conn_type: str | None = None,
    catalog: str | None = None,
    schema: str | None = None,
    user: str | None = None,
) -> None:
    """Report an operator of your own that runs SQL without a ``DbApiHook``; call it where the operator is defined.

    ::

        describe_operator("my_package.MyOperator", sql="statement", query_id="job.id", conn_type="trino")

    Each argument is the name of an attribute of the operator, or a path of names and keys with dots, as it is when the
    task ends. A subclass of the operator is reported alike.

    :param operator: the full name of its class
    :param sql: the text that it runs, or a list of texts
    :param query_id: the engine's id, or a list of ids
    :param conn_id: the id of its Airflow connection
    :param conn_type: the type of its connection, which is also the SQL dialect: itself, not a path
    :param catalog: the catalog of unqualified names
    :param schema: the schema of unqualified names
    :param user: the user that ran it
    """
    OPERATOR_SPECS[operator] = OperatorSpec(
        sql=sql, query_id=query_id, conn_id=conn_id, conn_type=conn_type, catalog=catalog, schema=schema, user=user
    )


def extract_statements(
    task: Any,
    *,
    error: BaseException | None,
    started_at: datetime,
    duration_ms: float,
    skipped: bool = False,
    event: Mapping[str, Any] | None = None,
) -> list[Statement]:
    """Return what an operator ran, if the table has it; never raises.

    :param task: the operator, at the end of its task
    :param error: what the task failed with, ``None`` if it succeeded
    :param started_at: when the task started; aware, in UTC
    :param duration_ms: how long the task ran
    :param skipped: whether the task skipped itself, perhaps before it ran anything: only the engine's id shows
    :param event: what the trigger said that ended the task's deferral, if it was deferred
    """
    spec = _find(task)
    if spec is None or not _holds(task, spec.runs) or (skipped and spec.is_id_chosen):
        return []
    if event is not None and event.get("status") == "success":
        error = None  # whatever failed came later
    sql = _sql(task, spec)
    texts = [text for text in _texts(sql) if not _is_file(text)]
    ids = _ids(task, spec, event)
    if spec.batch_id is not None and isinstance(sql, (list, tuple)) and len(ids) == 1:
        ids = [spec.batch_id.format(id=ids[0], number=number) for number, text in enumerate(sql, 1) if _text(text)]
    from airflow_provider_ryft.capture.declared_connection import DeclaredConnection
    from airflow_provider_ryft.capture.statement import Statement

    declared = DeclaredConnection(
        conn_type=_text(_at(task, spec.conn_type)) if "." in (spec.conn_type or "") else spec.conn_type,
        catalog=_text(_at(task, spec.catalog)),
        schema=_text(_at(task, spec.schema)),
        user=_text(_at(task, spec.user)),
    )
    pairs = list(_with_ids(texts, ids, declared.conn_type))
    return [
        Statement(
            text=text,
            query_id=str(uuid4()),
            started_at=started_at,
            conn_id=_text(_at(task, spec.conn_id)),
            connection=declared,
            engine_id=engine_id,
            duration_ms=duration_ms,
            error=error,
            outcome_known=not skipped
            and (event is not None or _waited(task, spec, error, engine_id))
            and not (error is not None and _may_be_of_another(error, spec, engine_id, len(pairs))),
        )
        for text, engine_id in pairs
        if engine_id or not skipped
    ]


def _waited(task: Any, spec: OperatorSpec, error: BaseException | None, engine_id: str | None) -> bool:
    """Return whether the operator has waited for the end of its statement, or the service did not accept it."""
    return _holds(task, spec.waits) or (error is not None and spec.query_id is not None and engine_id is None)


def _may_be_of_another(error: BaseException, spec: OperatorSpec, engine_id: str | None, number: int) -> bool:
    """Return whether what failed the operator may be another thing than this one of its statements.

    A batch with one id is one transaction.
    """
    if spec.does_more:
        return True
    return number > 1 and spec.batch_id is None and (engine_id is None or engine_id not in str(error))


def _sql(task: Any, spec: OperatorSpec) -> Any:
    if isinstance(spec.sql, str):
        return _at(task, spec.sql)
    return [text for path in spec.sql for text in _texts(_at(task, path))]


def _ids(task: Any, spec: OperatorSpec, event: Mapping[str, Any] | None) -> list[str]:
    """Return the engine's ids.

    An operator that was deferred is a new object: what it knew before is what its event says.
    """
    found = _texts(event.get(spec.event_id)) if event is not None and spec.event_id is not None else []
    found = found or _texts(_at(task, spec.query_id))
    form = re.compile(spec.id_form) if spec.id_form is not None else None
    return [engine_id for engine_id in found if form is None or form.search(engine_id)]


def will_extract(task: Any, submitted: Statement) -> bool:
    """Return whether :func:`extract_statements` will return a statement that a hook submitted before.

    :param task: the operator
    :param submitted: what its hook submitted
    """
    spec = _find(task)
    if spec is None:
        return False
    ids = _ids(task, spec, None)
    if ids and submitted.engine_id is not None:
        return submitted.engine_id in ids
    # A hook may have joined several texts, put something before one, or cut one into several.
    whole = submitted.text.strip()
    return any(text.strip() in whole or whole in text for text in _texts(_sql(task, spec)))


def _find(task: Any) -> OperatorSpec | None:
    for cls in type(task).__mro__:
        spec = OPERATOR_SPECS.get(f"{cls.__module__}.{cls.__qualname__}")
        if spec is not None:
            return spec
    return None


def _at(task: Any, path: str | None) -> Any:
    """Follow a path of attributes and keys; ``None`` where it ends early."""
    value = task
    for name in path.split(".") if path else ():
        try:
            value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        except Exception as error:  # a property that asks a service which is not there
            log.debug("%s of %s cannot be read: %s", path, type(task).__name__, type(error).__name__)
            return None
    return None if value is task else value


def _holds(task: Any, condition: str | None) -> bool:
    """Return whether a condition of the table is met; one that is not set is."""
    if condition is None:
        return True
    path = condition.removeprefix("not ")
    return bool(_at(task, path)) is (path == condition)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _texts(value: Any) -> list[str]:
    """Return the texts of one, or of a list; a generator was read by the operator and is not read again."""
    several = value if isinstance(value, (list, tuple)) else [value]
    return [text for text in several if _text(text)]


def _is_file(text: str) -> bool:
    """Return whether a text is a script's path, which Hive's and Spark's programs take too; no SQL ends like that."""
    return len(text.split()) == 1 and text.rstrip().endswith((".sql", ".hql"))


def _with_ids(texts: list[str], ids: list[str], dialect: str | None) -> Iterator[tuple[str, str | None]]:
    """Pair texts with the engine's ids; where they do not fit, no id is better than a wrong one.

    A service may also cut one text into statements, and have an id for each.
    """
    if len(ids) > 1 and len(texts) == 1:
        pieces = _pieces(texts[0], dialect)
        texts = pieces if len(pieces) == len(ids) else texts
    fits = len(ids) == len(texts)
    for position, text in enumerate(texts):
        yield text, ids[position] if fits else None


def _pieces(text: str, dialect: str | None) -> list[str]:
    """Cut a text into statements; where its dialect leaves open how, it stays whole."""
    from airflow_provider_ryft.sql import tokenizer
    from airflow_provider_ryft.sql.dialects import possible_rules

    found = set()
    for rules in possible_rules(text, dialect):
        pieces, start, has_code = [], 0, False
        for kind, _, end in (*tokenizer.tokens(text, rules), (tokenizer.END, 0, len(text) + 1)):
            if kind == tokenizer.END:
                if has_code:
                    pieces.append(text[start : end - 1])
                start, has_code = end, False
            elif kind != tokenizer.COMMENT:
                has_code = True
        found.add(tuple(pieces))
    return list(found.pop()) if len(found) == 1 else [text]
