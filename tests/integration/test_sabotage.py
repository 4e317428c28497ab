"""Each function of ours in a task's way, made to fail: the task's outcome is what it would be without us."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_home import AirflowHome

pytestmark = pytest.mark.integration

DAG = Path(__file__).parent / "dags" / "sabotaged.py"
LISTENER = "airflow_provider_ryft.listener"
FUNCTIONS = [
    f"{LISTENER}.report:begin",
    f"{LISTENER}.report:end",
    f"{LISTENER}.report:leave",
    f"{LISTENER}.report:_settings",
    f"{LISTENER}.report:Report.begin",
    f"{LISTENER}.report:Report.end",
    f"{LISTENER}.report:Report.deliver",
    f"{LISTENER}.report:Report.add_operator",
    f"{LISTENER}.report:Report.add_submitted",
    f"{LISTENER}.submitted:note",
    f"{LISTENER}.submitted:take",
    f"{LISTENER}.capture:start",
    f"{LISTENER}.capture:stop",
    f"{LISTENER}.describe:Describer.ended",
    f"{LISTENER}.describe:Describer.begun",
    f"{LISTENER}.describe:TaskFacts.of",
    f"{LISTENER}.policy:Policy.wants_task",
    f"{LISTENER}.policy:Policy.wants_statement",
    f"{LISTENER}.delivery:Delivery.run",
    f"{LISTENER}.delivery:Delivery._client",
    f"{LISTENER}.report:warm_up",
    f"{LISTENER}.report:wait",
    f"{LISTENER}.report:Report._take_pen",
    f"{LISTENER}.metrics:count",
    f"{LISTENER}.failures:failure_info",
    f"{LISTENER}.driver_errors:read",
    f"{LISTENER}.secrets:redact",
    "airflow_provider_ryft.settings:read",
    "airflow_provider_ryft.sql.query_type:query_type",
    "airflow_provider_ryft.ingest.journal:Journal.begin",
    "airflow_provider_ryft.ingest.journal:Journal.end",
    "airflow_provider_ryft.ingest.journal:Journal.close",
    "airflow_provider_ryft.ingest.stencil:Stencil.encode",
    "airflow_provider_ryft.ingest.client:IngestClient.push_lines",
]
# What runs in the thread that delivers may hang, too.
THREAD = [
    f"{LISTENER}.delivery:Delivery._client",
    "airflow_provider_ryft.ingest.client:IngestClient.push_lines",
]


def outcomes(home: AirflowHome, function: str, by: str) -> dict[str, str]:
    shutil.copy(DAG, home.dags)
    home.connect("lite", conn_type="sqlite", host=str(home.path / "lite.db"))
    home.environment.update(SABOTAGE=function, SABOTAGE_BY=by, AIRFLOW__RYFT__DELIVERY_TIMEOUT="1")
    tasks = ("succeeds", "fails", "reads")
    found = home.supervise(*({"dag_id": "sabotaged", "task_id": task} for task in tasks))
    return {task: outcome["state"] for task, outcome in zip(tasks, found, strict=True)}


def short(function: str) -> str:
    module, _, name = function.rpartition(":")
    return f"{module.rpartition('.')[2]}.{name}"


@pytest.mark.parametrize("function", FUNCTIONS, ids=short)
def test_a_function_that_fails_changes_no_outcome(airflow_home: AirflowHome, function: str) -> None:
    """With what is no ``Exception``: who survives that survives the rest."""
    found = outcomes(airflow_home, function, "OwnFault")
    assert found == {"succeeds": "success", "fails": "failed", "reads": "success"}


@pytest.mark.parametrize("function", THREAD, ids=short)
def test_a_delivery_that_hangs_changes_no_outcome(airflow_home: AirflowHome, function: str) -> None:
    found = outcomes(airflow_home, function, "hang")
    assert found == {"succeeds": "success", "fails": "failed", "reads": "success"}
