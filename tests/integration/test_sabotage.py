"""Each function of ours in a task's way, made to fail: the task's outcome is what it would be without us."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.airflow_home import AirflowHome

pytestmark = pytest.mark.integration

DAG = Path(__file__).parent / "dags" / "sabotaged.py"
PACKAGE = "airflow_provider_ryft"
FUNCTIONS = [
    f"{PACKAGE}.listener.task_report:start_report",
    f"{PACKAGE}.listener.task_report:finish_report",
    f"{PACKAGE}.listener.task_report:flush_report",
    f"{PACKAGE}.listener.task_report:_settings",
    f"{PACKAGE}.listener.task_report:TaskReport.on_start",
    f"{PACKAGE}.listener.task_report:TaskReport.on_end",
    f"{PACKAGE}.listener.task_report:TaskReport.deliver",
    f"{PACKAGE}.listener.task_report:TaskReport.add_operator",
    f"{PACKAGE}.listener.task_report:TaskReport.add_submitted",
    f"{PACKAGE}.extractors.submissions:record_submission",
    f"{PACKAGE}.extractors.submissions:drain_submissions",
    f"{PACKAGE}.instrumentation.instrumentor:start",
    f"{PACKAGE}.instrumentation.instrumentor:stop",
    f"{PACKAGE}.query_builder.builder:QueryBuilder.build_finished",
    f"{PACKAGE}.query_builder.builder:QueryBuilder.build_interrupted",
    f"{PACKAGE}.query_builder.builder:TaskFacts.of",
    f"{PACKAGE}.listener.policy:ReportingPolicy.includes_task",
    f"{PACKAGE}.listener.policy:ReportingPolicy.includes_statement",
    f"{PACKAGE}.listener.delivery:TaskDelivery.run",
    f"{PACKAGE}.listener.delivery:TaskDelivery._client",
    f"{PACKAGE}.listener.task_report:preload",
    f"{PACKAGE}.listener.task_report:wait_for_imports",
    f"{PACKAGE}.listener.task_report:TaskReport._get_writer",
    f"{PACKAGE}.listener.metrics:count",
    f"{PACKAGE}.failures.classify:failure_info",
    f"{PACKAGE}.failures.drivers:read",
    f"{PACKAGE}.redaction.redact:redact",
    f"{PACKAGE}.settings:read",
    f"{PACKAGE}.sql.query_type:query_type",
    f"{PACKAGE}.outbox.journal:Journal.begin",
    f"{PACKAGE}.outbox.journal:Journal.end",
    f"{PACKAGE}.outbox.journal:Journal.close",
    f"{PACKAGE}.ingest.query_template:QueryTemplate.encode",
    f"{PACKAGE}.ingest.client:IngestClient.push_lines",
]
# What runs in the thread that delivers may hang, too.
THREAD = [
    f"{PACKAGE}.listener.delivery:TaskDelivery._client",
    f"{PACKAGE}.ingest.client:IngestClient.push_lines",
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
