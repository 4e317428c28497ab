"""Statements, and what a query builder makes of them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from airflow_provider_ryft.capture.statement import Statement
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.query_builder.builder import QueryBuilder
from airflow_provider_ryft.query_builder.task_facts import TaskFacts
from airflow_provider_ryft.settings import Settings

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
FACTS = TaskFacts(
    dag_id="etl",
    task_id="load",
    run_id="manual__1",
    try_number=2,
    operator="SQLExecuteQueryOperator",
    owner="data",
    dag_tags=("a", "nightly"),
)


def make_statement(text: str = "SELECT 1", **fields: Any) -> Statement:
    fields.setdefault("query_id", "q-1")
    fields.setdefault("started_at", NOON)
    fields.setdefault("duration_ms", 12.5)
    return Statement(text=text, **fields)


def connection(conn_type: str = "trino", **parts: Any) -> Any:
    from airflow.providers.common.compat.sdk import Connection

    return Connection(conn_id="lake", conn_type=conn_type, **parts)


class DecodingBuilder(QueryBuilder):
    """Builds queries, and decodes them."""

    def query(self, statement: Statement) -> Query:
        return Query.from_payload(json.loads(self.build_finished(statement)))

    def interrupted(self, statement: Statement) -> Query:
        return Query.from_payload(json.loads(self.build_interrupted(statement)))


def query_builder(facts: TaskFacts = FACTS, **options: Any) -> DecodingBuilder:
    return DecodingBuilder(Settings(**options), facts)


def encoded(query: Query) -> str:
    return query.encode().decode()


class Refused(Exception):
    """What a driver may raise."""
