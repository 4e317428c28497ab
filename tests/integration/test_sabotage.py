"""Each function of ours in a task's way, made to fail: the task's outcome is what it would be without us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.airflow_home import AirflowHome

pytestmark = pytest.mark.integration

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
    f"{PACKAGE}.query_builder.task_facts:TaskFacts.of",
    f"{PACKAGE}.listener.policy:ReportingPolicy.includes_task",
    f"{PACKAGE}.listener.policy:ReportingPolicy.includes_statement",
    f"{PACKAGE}.listener.delivery:TaskDelivery.run",
    f"{PACKAGE}.listener.delivery:TaskDelivery._client",
    f"{PACKAGE}.listener.task_report:preload",
    f"{PACKAGE}.listener.task_report:wait_for_imports",
    f"{PACKAGE}.listener.task_report:TaskReport._get_writer",
    f"{PACKAGE}.listener.metrics:count",
    f"{PACKAGE}.failures.classify:failure_info",
    f"{PACKAGE}.failures.drivers:read_driver_error",
    f"{PACKAGE}.redaction.redact:redact",
    f"{PACKAGE}.settings:read",
    f"{PACKAGE}.sql.query_type:query_type",
    f"{PACKAGE}.outbox.journal:Journal.record_start",
    f"{PACKAGE}.outbox.journal:Journal.record_end",
    f"{PACKAGE}.outbox.journal:Journal.close_journal",
    f"{PACKAGE}.ingest.query_template:QueryTemplate.encode",
    f"{PACKAGE}.ingest.client:IngestClient.push_lines",
]
# What runs in the thread that delivers may hang, too.
THREAD = [
    f"{PACKAGE}.listener.delivery:TaskDelivery._client",
    f"{PACKAGE}.ingest.client:IngestClient.push_lines",
]


def short(function: str) -> str:
    module, _, name = function.rpartition(":")
    return f"{module.rpartition('.')[2]}.{name}"


@pytest.mark.parametrize(
    ("by", "function"),
    [("OwnFault", function) for function in FUNCTIONS] + [("hang", function) for function in THREAD],
    ids=lambda value: short(value) if ":" in value else value,
)
def test_a_function_that_fails_or_hangs_changes_no_outcome(
    shared_home: AirflowHome, own_environment: dict[str, str], tmp_path: Path, by: str, function: str
) -> None:
    """It fails with what is no ``Exception``: code that survives that survives the rest."""
    sabotage = {"SABOTAGE": function, "SABOTAGE_BY": by, "AIRFLOW__RYFT__DELIVERY_TIMEOUT": "1"}
    wanted = {"succeeds": "success", "fails": "failed", "reads": "success"}
    run = {"dag_id": "sabotaged", "run_id": tmp_path.name}
    found = shared_home.supervise(*({**run, "task_id": task} for task in wanted), **own_environment, **sabotage)
    assert [outcome["state"] for outcome in found] == list(wanted.values())


def test_a_function_that_is_sabotaged_fails_in_the_task(
    shared_home: AirflowHome, own_environment: dict[str, str], tmp_path: Path
) -> None:
    """Otherwise no outcome above would show anything: without a connection a task does fail, and only that one."""
    sabotage = {"SABOTAGE": "airflow.providers.sqlite.hooks.sqlite:SqliteHook.get_conn", "SABOTAGE_BY": "OwnFault"}
    task = {"dag_id": "sabotaged", "task_id": "succeeds"}
    (failed,) = shared_home.supervise({**task, "run_id": f"{tmp_path.name}1"}, **own_environment, **sabotage)
    (succeeded,) = shared_home.supervise({**task, "run_id": f"{tmp_path.name}2"}, **own_environment)
    assert [failed["state"], succeeded["state"]] == ["failed", "success"]
