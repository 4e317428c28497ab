"""What the statements of a task are written with, made with the first of them."""

from __future__ import annotations

from typing import Any

from airflow_provider_ryft import configured_outbox
from airflow_provider_ryft.query_builder.builder import QueryBuilder
from airflow_provider_ryft.query_builder.task_facts import TaskFacts
from airflow_provider_ryft.settings import Settings


class StatementWriter:
    """The query builder and the journal of one task.

    :param settings: the options of ``[ryft]``
    :param task_instance: Airflow's, of the task
    """

    def __init__(self, settings: Settings, task_instance: Any) -> None:
        facts = TaskFacts.of(task_instance)
        self.tags = {"dag_id": facts.dag_id or "", "task_id": facts.task_id or ""}
        self.builder = QueryBuilder(settings, facts)
        self.outbox = configured_outbox.local(settings)
        self.store = configured_outbox.store(settings)
        self.journal = self.outbox.open_journal()
