"""What hooks hand to services, and what a report makes of it: the providers' own hooks, with the service replaced."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.sql.hooks import lineage

from airflow_provider_ryft.capture.declared_connection import DeclaredConnection
from airflow_provider_ryft.capture.statement import Statement
from airflow_provider_ryft.extractors import submissions
from airflow_provider_ryft.extractors.submissions import drain_submissions
from airflow_provider_ryft.listener import task_report


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    submissions.clear_submissions()
    yield
    submissions.clear_submissions()


@pytest.fixture
def aws(connect: Callable[..., str]) -> str:
    extra = {"region_name": "eu-west-1"}
    return connect(json.dumps({"conn_type": "aws", "login": "a", "password": "b", "extra": extra}), "lake")


def taken(task: Any = None, error: BaseException | None = None, **facts: Any) -> list[Statement]:
    return list(drain_submissions(task, (), **{"error": error, "has_ended": True, **facts}))


def athena(monkeypatch: pytest.MonkeyPatch, conn_id: str) -> Any:
    module = pytest.importorskip("airflow.providers.amazon.aws.hooks.athena")
    client = SimpleNamespace(start_query_execution=lambda **_options: {"QueryExecutionId": "q-1"})
    monkeypatch.setattr(module.AthenaHook, "get_conn", lambda _self: client)
    return module.AthenaHook(conn_id)


def redshift(monkeypatch: pytest.MonkeyPatch, conn_id: str, status: str = "FINISHED") -> Any:
    module = pytest.importorskip("airflow.providers.amazon.aws.hooks.redshift_data")
    client = SimpleNamespace(
        execute_statement=lambda **_options: {"Id": "s-1"},
        batch_execute_statement=lambda **_options: {"Id": "s-1"},
        describe_statement=lambda **_options: {"Id": "s-1", "Status": status},
    )
    monkeypatch.setattr(module.RedshiftDataHook, "conn", client)
    return module.RedshiftDataHook(conn_id)


def test_athena(processor: Any, monkeypatch: pytest.MonkeyPatch, aws: str) -> None:
    """The hook does not wait: the state is the task's, which is all that is known."""
    athena(monkeypatch, aws).run_query("SELECT 1", {"Database": "d"}, {})
    assert processor.texts == []
    error = RuntimeError("another thing")
    (statement,) = taken(error=error)
    assert (statement.text, statement.engine_id, statement.conn_id) == ("SELECT 1", "q-1", "lake")
    assert statement.connection == DeclaredConnection(conn_type="athena")
    assert (statement.error, statement.outcome_known, statement.duration_ms) == (error, False, None)
    assert taken() == []


@pytest.mark.parametrize(
    ("waits", "status", "fails", "known"),
    [(True, "FINISHED", False, True), (True, "FAILED", True, True), (False, "FAILED", False, False)],
)
def test_redshift(
    processor: Any, monkeypatch: pytest.MonkeyPatch, aws: str, waits: bool, status: str, fails: bool, known: bool
) -> None:
    """The hook reports what it submits before it waits, if it does."""
    hook, error = redshift(monkeypatch, aws, status), None
    try:
        hook.execute_query("SELECT 1", database="dev", cluster_identifier="c", wait_for_completion=waits)
    except Exception as raised:
        error = raised
    assert (error is not None) is fails
    (statement,) = taken(error=error)
    assert (statement.engine_id, statement.error, statement.outcome_known) == ("s-1", error, known)
    assert statement.connection == DeclaredConnection(conn_type="redshift", catalog="dev")


def test_a_failure_that_does_not_name_what_was_waited_for_may_be_another_one(
    processor: Any, monkeypatch: pytest.MonkeyPatch, aws: str
) -> None:
    for facts in ({"error": RuntimeError("later")}, {"has_ended": False}):
        redshift(monkeypatch, aws).execute_query("SELECT 1", database="dev", cluster_identifier="c")
        assert [statement.outcome_known for statement in taken(**facts)] == [False]


def test_databricks(processor: Any, monkeypatch: pytest.MonkeyPatch, connect: Callable[..., str]) -> None:
    module = pytest.importorskip("airflow.providers.databricks.hooks.databricks")
    monkeypatch.setattr(module.DatabricksHook, "_do_api_call", lambda *_a, **_k: {"statement_id": "d-1"})
    hook = module.DatabricksHook(connect(json.dumps({"conn_type": "databricks", "host": "h", "password": "t"})))
    hook.post_sql_statement({"statement": "SELECT 1", "catalog": "main", "schema": "gold"})
    (statement,) = taken()
    assert (statement.text, statement.engine_id, statement.conn_id) == ("SELECT 1", "d-1", "warehouse")
    assert statement.connection == DeclaredConnection(conn_type="databricks", catalog="main", schema="gold")


def test_snowflake(processor: Any, monkeypatch: pytest.MonkeyPatch, connect: Callable[..., str]) -> None:
    """The connection that the hook has looked up says where the names are, as for its other statements."""
    module = pytest.importorskip("airflow.providers.snowflake.hooks.sql_api", exc_type=ImportError)
    hook_class = module.SnowflakeSqlApiHook
    monkeypatch.setattr(hook_class, "_make_api_call_with_retries", lambda *_a, **_k: (200, {"statementHandle": "h-1"}))
    monkeypatch.setattr(hook_class, "get_headers", lambda _self: {})
    extra = {"account": "a", "database": "D"}
    definition = {"conn_type": "snowflake", "login": "u", "password": "p", "extra": extra}
    hook_class(connect(json.dumps(definition))).execute_query("SELECT 1", 1)
    assert processor.texts == []
    (statement,) = taken()
    assert (statement.text, statement.engine_id, statement.outcome_known) == ("SELECT 1", "h-1", False)
    assert statement.connection.extra_dejson["database"] == "D"


def test_bigquery(processor: Any, monkeypatch: pytest.MonkeyPatch, connect: Callable[..., str]) -> None:
    """A job that is not waited for."""
    module = pytest.importorskip("airflow.providers.google.cloud.hooks.bigquery")

    class QueryJob(module.QueryJob):  # type: ignore[misc,name-defined]
        def _begin(self, *_args: Any, **_kwargs: Any) -> None:
            pass

    client = SimpleNamespace(project="lake", location="EU", _connection=None, default_query_job_config=None)
    monkeypatch.setattr(module, "QueryJob", QueryJob)
    monkeypatch.setattr(module.BigQueryHook, "get_credentials_and_project_id", lambda _self: (None, "lake"))
    monkeypatch.setattr(module.BigQueryHook, "get_client", lambda _self, **_options: client)
    hook = module.BigQueryHook(gcp_conn_id=connect(json.dumps({"conn_type": "google_cloud_platform"})))
    dataset = {"projectId": "lake", "datasetId": "gold"}
    configuration = {"query": {"query": "SELECT 1", "useLegacySql": False, "defaultDataset": dataset}}
    hook.insert_job(configuration=configuration, job_id="j-1", project_id="lake", location="EU", nowait=True)
    assert processor.texts == []
    (statement,) = taken()
    assert (statement.text, statement.engine_id, statement.outcome_known) == ("SELECT 1", "j-1", False)
    assert statement.connection == DeclaredConnection(conn_type="gcpbigquery", catalog="lake", schema="gold")


def test_hive_tells_when_it_has_succeeded(processor: Any, connect: Callable[..., str]) -> None:
    """A later failure of the task is not its own."""

    class HiveCliHook:
        conn_type = "hive_cli"

    lineage.send_sql_hook_lineage(context=HiveCliHook(), sql="USE gold;\nSELECT 1\n")
    (statement,) = taken(error=RuntimeError("later"))
    assert (statement.error, statement.outcome_known) == (None, True)
    assert statement.connection == DeclaredConnection(conn_type="hive_cli")


def test_what_is_not_much_of_a_hook(processor: Any) -> None:
    """An object that reports a statement is believed; one that reports nothing is not asked."""
    lineage.send_sql_hook_lineage(context=object(), sql="SELECT 1")
    lineage.send_sql_hook_lineage(context=object(), sql=" ")
    (statement,) = taken()
    assert (statement.text, statement.conn_id, statement.connection) == ("SELECT 1", None, DeclaredConnection())


def test_a_service_called_while_a_statement_runs(processor: Any, sqlite: Any) -> None:
    """It is another statement, and its id is its own."""
    sqlite.run("SELECT 1", handler=lambda _cursor: lineage.send_sql_hook_lineage(context=object(), sql="X", job_id="x"))
    assert processor.only.engine_id is None
    assert [statement.engine_id for statement in taken()] == ["x"]


def test_outside_of_a_task_nothing_is_kept(sqlite: Any) -> None:
    lineage.send_sql_hook_lineage(context=object(), sql="SELECT 1")
    assert taken() == []


def test_what_is_kept_is_bounded() -> None:
    assert submissions._submissions.maxlen == submissions.MAX_SUBMISSIONS


def operator(**attributes: Any) -> Any:
    made = type("AthenaOperator", (), {"__module__": "airflow.providers.amazon.aws.operators.athena"})()
    made.__dict__.update(attributes)
    return made


@pytest.mark.parametrize(
    ("query", "execution_id", "reported", "reported_id", "covered"),
    [
        ("SELECT 1", "q-1", "SELECT 1", "q-1", True),
        ("SELECT 1", "q-2", "SELECT 1", "q-1", False),  # it was submitted twice
        ("SELECT 1", None, "SELECT 1", "q-1", True),
        (["SELECT 1", "SELECT 2"], None, "SELECT 1; SELECT 2", "q-1", True),
        ("SELECT 1", None, "USE gold;\nSELECT 1\n", None, True),
        ("SELECT 1; SELECT 2", None, " SELECT 2", None, True),
        ("SELECT 1", None, "SELECT 2", "q-1", False),
    ],
)
def test_what_the_operator_tells_is_not_told_twice(
    processor: Any, query: Any, execution_id: str | None, reported: str, reported_id: str | None, covered: bool
) -> None:
    """The id decides; where one of them has none, the text does."""
    lineage.send_sql_hook_lineage(context=object(), sql=reported, job_id=reported_id)
    assert (taken(operator(query=query, query_execution_id=execution_id)) == []) is covered


def test_the_operator_is_given_the_id_that_its_hook_told(processor: Any) -> None:
    """It may have failed before it made a note of it."""
    lineage.send_sql_hook_lineage(context=object(), sql="SELECT 1", job_id="q-1")
    task = operator(query="SELECT 1", query_execution_id=None)
    described = [Statement(text="SELECT 1", query_id="x", started_at=None)]  # type: ignore[arg-type]
    assert list(drain_submissions(task, described, error=None, has_ended=True)) == []
    assert described[0].engine_id == "q-1"


# --- in a task's report


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Statement]]:
    """Return what reports tell, with nothing delivered."""
    from airflow_provider_ryft.instrumentation import instrumentor

    statements: list[Statement] = []
    monkeypatch.setattr(task_report, "runs_here", lambda _instance: True)
    monkeypatch.setattr(task_report.TaskReport, "on_start", lambda _self, statement: statements.append(statement))
    monkeypatch.setattr(task_report.TaskReport, "on_end", lambda _self, statement: None)
    monkeypatch.setattr(task_report.TaskReport, "deliver", lambda _self: None)
    yield statements
    task_report._current = None
    instrumentor.stop()
    instrumentor.uninstall()


def instance(task: Any, **facts: Any) -> Any:
    names = {"dag_id": "etl", "task_id": "load", "run_id": "r1", "try_number": 1, "map_index": -1}
    return SimpleNamespace(**{**names, "task": task, "state": "running", **facts})


def run(task: Any) -> None:
    lineage.send_sql_hook_lineage(context=object(), sql=task.query, job_id=task.query_execution_id)
    lineage.send_sql_hook_lineage(context=object(), sql="SELECT 'another'", job_id="q-2")


def test_at_the_end_each_is_reported_once(reported: list[Statement]) -> None:
    task = operator(query="SELECT 1", query_execution_id="q-1")
    task_report.start_report(instance(task))
    run(task)
    task_report.finish_report(instance(task), None)
    assert [statement.engine_id for statement in reported] == ["q-1", "q-2"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"state": "deferred"}, ["q-2"]),
        ({"next_method": "execute_complete"}, ["q-2"]),  # dag.test() in 2.11
        ({"state": "up_for_reschedule"}, ["q-1", "q-2"]),  # it will start again
        ({}, ["q-1", "q-2"]),
    ],
)
def test_a_deferred_operator_is_extracted_at_its_end(
    reported: list[Statement], facts: Any, expected: list[str]
) -> None:
    task = operator(query="SELECT 1", query_execution_id="q-1")
    task_instance = instance(task, next_method=None)
    task_report.start_report(task_instance)
    run(task)
    task_instance.__dict__.update(facts)
    task_report.flush_report()
    assert [statement.engine_id for statement in reported] == expected
    assert not any(statement.outcome_known for statement in reported)


def test_the_next_task_reports_only_its_own(reported: list[Statement]) -> None:
    task_report.start_report(instance(operator(query=None)))
    submissions.record_submission(object(), "SELECT 'late'", None, connections={})
    task_report._current = None
    task_report.start_report(instance(operator(query=None)))
    task_report.finish_report(instance(operator(query=None)), None)
    assert reported == []


def test_hooks_of_services_are_heard_without_the_hooks_of_sql() -> None:
    """They import the lineage and nothing else."""
    code = """
import sys
from airflow_provider_ryft.instrumentation import instrumentor
from airflow_provider_ryft.extractors import submissions
class Processor:
    begin = end = lambda self, statement: None
instrumentor.start(Processor())
from airflow.providers.common.sql.hooks.lineage import send_sql_hook_lineage
assert "airflow.providers.common.sql.hooks.sql" not in sys.modules
send_sql_hook_lineage(context=object(), sql="SELECT 1")
print("TOLD", [submission.statement.text for submission in submissions._submissions])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "TOLD ['SELECT 1']" in done.stdout
