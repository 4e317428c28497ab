"""Pushes a DAG's own query history to Ryft, in each form that ``RyftPushQueriesOperator`` takes.

It needs the connection ``ryft_default``.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.providers.common.compat.sdk import dag, task

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query, QueryContext, QueryState, QueryType
from airflow_provider_ryft.operators.ryft import RyftPushQueriesOperator

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False, tags=["example"])
def ryft_push_queries() -> None:
    """Push a payload, JSON text, objects, and what another task returned."""
    RyftPushQueriesOperator(
        task_id="one_payload",
        queries={
            "query": "SELECT * FROM gold.orders WHERE day = DATE '{{ ds }}'",
            "queryState": "FINISHED",
            "timestamp": "2026-03-10T12:00:00.000Z",
            "duration_ms": 1230,
        },
        context={"catalog": "iceberg", "schema": "gold", "queryType": "SELECT"},
        tags=["source:my-engine"],
    )

    RyftPushQueriesOperator(
        task_id="json_text",
        queries="""[{"query": "ANALYZE gold.orders", "queryState": "SUCCEEDED", "context": {"queryType": "ANALYZE"},
                     "timestamp": "2026-03-10T13:00:00+01:00", "duration_ms": 45.5}]""",
    )

    RyftPushQueriesOperator(
        task_id="objects",
        queries=[
            Query(
                query_id="example-0001",
                query="MERGE INTO gold.orders USING bronze.orders ON id = order_id WHEN MATCHED THEN DELETE",
                query_state=QueryState.FAILED,
                timestamp=NOON,
                duration_ms=812,
                context=QueryContext(catalog="iceberg", query_type=QueryType.MERGE, user="etl"),
                failure_info=FailureInfo(
                    error_type=ErrorType.USER_ERROR,
                    error_name="COLUMN_NOT_FOUND",
                    failure_message="Column 'order_id' cannot be resolved",
                ),
            )
        ],
    )

    @task
    def history() -> list[dict[str, Any]]:
        """Stand in for a task that reads an engine's query history."""
        return [
            {
                "queryId": f"history-{number}",
                "query": f"SELECT count(*) FROM events WHERE shard = {number}",
                "queryState": "FINISHED",
                "timestamp": NOON.isoformat(),
                "duration_ms": 10 * number,
            }
            for number in range(3)
        ]

    RyftPushQueriesOperator(task_id="from_a_task", queries=history(), on_refused="skip")


ryft_push_queries()
