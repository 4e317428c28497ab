"""Which statements are reported.

What an administrator excludes in ``[ryft]`` stays excluded; what is left, a DAG's author can turn off and on in the
DAG's code, for the whole DAG or for one task.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_ryft.settings import Settings

if TYPE_CHECKING:
    from airflow_provider_ryft.capture.statement import Statement

MARK = "_ryft_reported"  # the attribute that disable_ryft() and enable_ryft() set at a DAG or a task


class ReportingPolicy:
    """Decides by the options and by the marks in the DAG's code.

    :param settings: the options of ``[ryft]``
    """

    def __init__(self, settings: Settings) -> None:
        self._selective = settings.selective_enable
        self._dags = _pattern(settings.exclude_dags)
        self._operators = _pattern(settings.exclude_operators)
        self._connections = _pattern(settings.exclude_connections)
        self._types = _pattern(settings.exclude_connection_types)

    def includes_task(self, task: Any) -> bool:
        """Return whether any statement of a task may be reported.

        :param task: the operator that runs, as its task instance holds it
        """
        if _matches(self._dags, [getattr(task, "dag_id", None)]) or _matches(self._operators, _names(task)):
            return False
        mark = _mark_of(task)
        return mark if mark is not None else not self._selective

    def includes_statement(self, statement: Statement) -> bool:
        """Return whether a statement of a task that is reported may be reported.

        :param statement: its connection id and the type of its connection decide
        """
        if self._connections is not None and _matches(self._connections, [statement.conn_id]):
            return False
        if self._types is None:
            return True
        connection, hook = statement.connection, statement.hook
        from airflow_provider_ryft.query_builder.connection_context import sql_dialect

        types = [
            getattr(connection, "conn_type", None),
            getattr(hook, "conn_type", None),
            sql_dialect(connection, hook),
        ]
        return not _matches(self._types, types)


def _pattern(globs: Iterable[str]) -> re.Pattern[str] | None:
    alternatives = "|".join(fnmatch.translate(glob) for glob in globs)
    return re.compile(alternatives) if alternatives else None


def _matches(pattern: re.Pattern[str] | None, names: Iterable[object]) -> bool:
    """Return whether one of the names matches; one that is not known is empty, so that ``*`` matches it too."""
    return pattern is not None and any(pattern.match(name if isinstance(name, str) else "") for name in names)


def _names(task: Any) -> Iterable[object]:
    """Yield what an operator may be called: its class, with and without its module, and its decorator."""
    cls = type(task)
    yield cls.__name__
    yield f"{cls.__module__}.{cls.__qualname__}"
    yield getattr(task, "task_type", None)
    yield getattr(task, "operator_name", None)


def _mark_of(task: Any) -> bool | None:
    """Find the mark of a task, or of its DAG.

    Each instance of a mapped task is a new operator; its mark is at the task that the DAG holds.
    """
    dag = getattr(task, "dag", None)
    in_dag = getattr(dag, "task_dict", {}).get(getattr(task, "task_id", None))
    for holder in (task, in_dag, dag):
        mark: bool | None = getattr(holder, MARK, None)
        if mark is not None:
            return mark
    return None
