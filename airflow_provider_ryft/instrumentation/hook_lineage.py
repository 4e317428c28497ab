"""Listens to what hooks report to hook lineage about the SQL that they ran, without taking part in it.

``send_sql_hook_lineage`` is imported by name into every provider; but it looks its collector up by a name of its own
module, and that one name reaches every caller. What is reported goes on to the collector that would have had it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from airflow_provider_ryft.capture import correlation, session
from airflow_provider_ryft.capture.dbapi import statement_text
from airflow_provider_ryft.guard import isolated

_NAME = "get_hook_lineage_collector"


def listen(module: ModuleType) -> Callable[[], None]:
    """Listen to what a module sends.

    :param module: ``airflow.providers.common.sql.hooks.lineage``
    :return: what puts the original back, if nothing else has been put there since
    """
    original: Callable[[], Any] = getattr(module, _NAME)

    @functools.wraps(original)
    def get_hook_lineage_collector() -> Any:
        return ForwardingCollector(original) if session.active is not None else original()

    def undo() -> None:
        if module.__dict__.get(_NAME) is get_hook_lineage_collector:
            setattr(module, _NAME, original)

    setattr(module, _NAME, get_hook_lineage_collector)
    return undo


class ForwardingCollector:
    """Stands for the collector while a task is observed."""

    def __init__(self, original: Callable[[], Any]) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original(), name)

    def add_extra(self, context: Any, key: str, value: Any) -> Any:
        """Forward to the collector what a hook reports, having listened to it."""
        with isolated():
            if not correlation.on_lineage(context, value):
                _record_submission(context, value)
        return self._original().add_extra(context=context, key=key, value=value)


def _record_submission(hook: Any, lineage: dict[str, Any]) -> None:
    from airflow_provider_ryft.extractors.submissions import record_submission

    record_submission(
        hook,
        statement_text(lineage.get("sql")),
        lineage.get("job_id"),
        connections=session.active.connections if session.active is not None else {},
        catalog=lineage.get("default_db"),
        schema=lineage.get("default_schema"),
    )
