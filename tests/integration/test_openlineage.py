"""OpenLineage's listener in addition to ours: it reports the same of a task as without us."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox
    from support.airflow_home import AirflowHome

pytest.importorskip("airflow.providers.openlineage", reason="OpenLineage's provider is not installed")
pytestmark = pytest.mark.integration

DAG = Path(__file__).parent / "dags" / "every_way.py"
TASKS = ("sqlite", "duckdb", "no_sql")


def reported(home: AirflowHome, name: str) -> list[tuple[str, str, str]]:
    """Run the tasks; return what OpenLineage reported: kind of event, job, and its SQL."""
    events = home.path / f"{name}.json"
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    for file in home.path.glob("*.duckdb"):
        file.unlink()
    home.connect("lite", conn_type="sqlite", host=str(home.path / f"{name}.db"))
    home.connect("duck", conn_type="duckdb", host=str(home.path / f"{name}.duckdb"))
    home.environment["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(transport)
    home.environment["AIRFLOW__OPENLINEAGE__NAMESPACE"] = "matrix"
    found = home.supervise(*({"dag_id": "every_way", "task_id": task, "run_id": name} for task in TASKS))
    assert [outcome["state"] for outcome in found] == ["success"] * len(TASKS)
    return sorted(map(_essence, map(json.loads, events.read_text().splitlines())))


def _essence(event: dict[str, Any]) -> tuple[str, str, str]:
    sql = event["job"].get("facets", {}).get("sql", {}).get("query", "")
    return event["eventType"], event["job"]["name"], sql


def test_openlineage_tells_the_same_with_and_without_us(airflow_home: AirflowHome, sandbox: Sandbox) -> None:
    shutil.copy(DAG, airflow_home.dags)
    together = reported(airflow_home, "together")
    assert len(sandbox.records()) == 4
    airflow_home.environment["AIRFLOW__RYFT__DISABLED"] = "True"
    alone = reported(airflow_home, "alone")
    assert len(sandbox.records()) == 4
    assert together == alone
    assert len(alone) >= 2 * len(TASKS)
