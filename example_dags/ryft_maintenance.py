"""Sends, every ten minutes, what tasks on this machine could not deliver.

Every task that runs SQL sends some of it too, so this is for machines that may have no such task for a while. It needs
the connection ``ryft_default``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import dag

from airflow_provider_ryft.operators.ryft import RyftShipOutboxOperator


@dag(
    schedule=timedelta(minutes=10),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["example"],
)
def ryft_maintenance() -> None:
    """Send what is left, once for each machine that runs tasks."""
    # [START howto_operator_ryft_ship_outbox]
    RyftShipOutboxOperator(task_id="ship_outbox", timeout=120)
    # [END howto_operator_ryft_ship_outbox]


ryft_maintenance()
