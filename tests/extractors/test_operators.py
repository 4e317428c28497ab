"""Operators without an observed hook: what they ran, read from operators of the providers' shape."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from airflow_provider_ryft.capture.declared_connection import DeclaredConnection
from airflow_provider_ryft.capture.statement import Statement
from airflow_provider_ryft.extractors import operators
from airflow_provider_ryft.extractors.operators import describe_operator, extract_statements

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test registers to itself."""
    monkeypatch.setattr(operators, "OPERATOR_SPECS", dict(operators.OPERATOR_SPECS))


def operator(path: str, **attributes: Any) -> Any:
    """Make an operator of a class with a provider's name, and with the attributes that it has at the end of a task."""
    module, _, name = path.rpartition(".")
    made = type(name, (), {"__module__": module})()
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


def ran(task: Any, error: BaseException | None = None, **facts: Any) -> list[Statement]:
    return extract_statements(task, error=error, started_at=NOON, duration_ms=1500.0, **facts)


AWS = "airflow.providers.amazon.aws.operators"
BIGQUERY = "airflow.providers.google.cloud.operators.bigquery"
JOB = "my_job_0123456789abcdef0123456789abcdef"
CASES: list[tuple[Any, list[tuple[str, str | None]], str | None, DeclaredConnection]] = [
    (
        operator(
            f"{AWS}.athena.AthenaOperator",
            query="SELECT 1",
            query_execution_id="q-1",
            aws_conn_id="aws_default",
            catalog="AwsDataCatalog",
            database="gold",
        ),
        [("SELECT 1", "q-1")],
        "aws_default",
        DeclaredConnection(conn_type="athena", catalog="AwsDataCatalog", schema="gold"),
    ),
    (
        operator(
            f"{AWS}.redshift_data.RedshiftDataOperator",
            sql=["SELECT 1", "SELECT 2"],
            statement_id="s-1",
            aws_conn_id="aws_default",
            database="dev",
            db_user="etl",
        ),
        [("SELECT 1", "s-1:1"), ("SELECT 2", "s-1:2")],
        "aws_default",
        DeclaredConnection(conn_type="redshift", catalog="dev", user="etl"),
    ),
    (
        operator(f"{AWS}.redshift_data.RedshiftDataOperator", sql="SELECT 1", statement_id="s-1", aws_conn_id="a"),
        [("SELECT 1", "s-1")],
        "a",
        DeclaredConnection(conn_type="redshift"),
    ),
    (
        operator(
            "airflow.providers.google.cloud.operators.bigquery.BigQueryInsertJobOperator",
            configuration={"query": {"query": "SELECT 1", "defaultDataset": {"datasetId": "gold"}}},
            job_id=JOB,
            gcp_conn_id="gcp",
            project_id="lake",
        ),
        [("SELECT 1", JOB)],
        "gcp",
        DeclaredConnection(conn_type="gcpbigquery", catalog="lake", schema="gold"),
    ),
    (
        operator(
            "airflow.providers.google.cloud.operators.bigquery.BigQueryInsertJobOperator",
            configuration={"load": {"sourceUris": ["gs://x"]}},
            job_id="j-1",
            gcp_conn_id="gcp",
        ),
        [],
        None,
        DeclaredConnection(),
    ),
    (
        operator(
            "airflow.providers.databricks.operators.databricks.DatabricksSQLStatementsOperator",
            statement="SELECT 1",
            statement_id="d-1",
            databricks_conn_id="dbx",
            catalog="main",
            schema="gold",
        ),
        [("SELECT 1", "d-1")],
        "dbx",
        DeclaredConnection(conn_type="databricks", catalog="main", schema="gold"),
    ),
    (
        operator(
            "airflow.providers.snowflake.operators.snowflake.SnowflakeSqlApiOperator",
            sql="SELECT 1; SELECT 2;\n",
            query_ids=["s-1", "s-2"],
            snowflake_conn_id="snow",
            hook_params={"database": "D", "schema": "S"},
        ),
        [("SELECT 1", "s-1"), (" SELECT 2", "s-2")],
        "snow",
        DeclaredConnection(conn_type="snowflake", catalog="D", schema="S"),
    ),
    (
        operator(
            "airflow.providers.snowflake.operators.snowflake.SnowflakeSqlApiOperator",
            sql="SELECT ';'; SELECT 2",
            query_ids=["s-1", "s-2"],
            snowflake_conn_id="snow",
        ),
        [("SELECT ';'", "s-1"), (" SELECT 2", "s-2")],
        "snow",
        DeclaredConnection(conn_type="snowflake"),
    ),
    (
        operator(
            f"{BIGQUERY}.BigQueryCheckOperator", sql="SELECT 1", deferrable=True, gcp_conn_id="gcp", project_id="lake"
        ),
        [("SELECT 1", None)],
        "gcp",
        DeclaredConnection(conn_type="gcpbigquery", catalog="lake"),
    ),
    (
        operator(f"{BIGQUERY}.BigQueryCheckOperator", sql="SELECT 1", deferrable=False, gcp_conn_id="gcp"),
        [],
        None,
        DeclaredConnection(),
    ),
    (
        operator(f"{BIGQUERY}.BigQueryValueCheckOperator", sql="SELECT 1", deferrable=True, gcp_conn_id="gcp"),
        [("SELECT 1", None)],
        "gcp",
        DeclaredConnection(conn_type="gcpbigquery"),
    ),
    (
        operator(
            f"{BIGQUERY}.BigQueryIntervalCheckOperator",
            sql1="SELECT 1",
            sql2="SELECT 2",
            deferrable=True,
            gcp_conn_id="gcp",
        ),
        [("SELECT 1", None), ("SELECT 2", None)],
        "gcp",
        DeclaredConnection(conn_type="gcpbigquery"),
    ),
    (
        operator(
            "airflow.providers.google.cloud.operators.dataproc.DataprocSubmitJobOperator",
            job={"placement": {}, "spark_sql_job": {"query_list": {"queries": ["SELECT 1", "SELECT 2"]}}},
            gcp_conn_id="gcp",
            job_id="d-1",
        ),
        [("SELECT 1", None), ("SELECT 2", None)],
        "gcp",
        DeclaredConnection(),
    ),
    (
        operator(
            "airflow.providers.google.cloud.operators.dataproc.DataprocSubmitJobOperator",
            job={"hive_job": {"query_file_uri": "gs://x"}, "pyspark_job": {}},
            gcp_conn_id="gcp",
        ),
        [],
        None,
        DeclaredConnection(),
    ),
    (
        operator("airflow.providers.teradata.operators.bteq.BteqOperator", sql="SELECT 1;", teradata_conn_id="td"),
        [("SELECT 1;", None)],
        "td",
        DeclaredConnection(conn_type="teradata"),
    ),
    (
        operator("airflow.providers.teradata.operators.tpt.DdlOperator", ddl=["DROP TABLE t"], teradata_conn_id="td"),
        [("DROP TABLE t", None)],
        "td",
        DeclaredConnection(conn_type="teradata"),
    ),
    (
        operator(
            "airflow.providers.oracle.transfers.oracle_to_oracle.OracleToOracleOperator",
            source_sql="SELECT 1 FROM dual",
            oracle_source_conn_id="ora",
        ),
        [("SELECT 1 FROM dual", None)],
        "ora",
        DeclaredConnection(conn_type="oracle"),
    ),
    (
        operator(
            "airflow.providers.teradata.transfers.teradata_to_teradata.TeradataToTeradataOperator",
            sql="SELECT 1",
            source_teradata_conn_id="td",
        ),
        [("SELECT 1", None)],
        "td",
        DeclaredConnection(conn_type="teradata"),
    ),
    (
        operator(
            "airflow.providers.apache.hive.transfers.mysql_to_hive.MySqlToHiveOperator",
            sql="SELECT 1",
            mysql_conn_id="my",
        ),
        [("SELECT 1", None)],
        "my",
        DeclaredConnection(conn_type="mysql"),
    ),
    (
        operator(
            "airflow.providers.apache.hive.operators.hive.HiveOperator",
            hql="SELECT 1",
            hive_cli_conn_id="hive",
            schema="gold",
            proxy_user=None,
        ),
        [("SELECT 1", None)],
        "hive",
        DeclaredConnection(conn_type="hive_cli", schema="gold"),
    ),
    (
        operator("airflow.providers.apache.spark.operators.spark_sql.SparkSqlOperator", sql="SELECT 1", _conn_id="s"),
        [("SELECT 1", None)],
        "s",
        DeclaredConnection(conn_type="spark_sql"),
    ),
    (
        operator("airflow.providers.apache.spark.operators.spark_sql.SparkSqlOperator", sql=" /a/b.sql ", _conn_id="s"),
        [],
        None,
        DeclaredConnection(),
    ),
    (
        operator(
            "airflow_clickhouse_plugin.operators.clickhouse.ClickHouseOperator",
            _sql=("SELECT 1", "SELECT 2"),
            _query_id="same",
            _clickhouse_conn_id="ch",
            _database="gold",
        ),
        [("SELECT 1", None), ("SELECT 2", None)],
        "ch",
        DeclaredConnection(conn_type="clickhouse", schema="gold"),
    ),
    (
        operator(
            "cosmos.operators.local.AbstractDbtLocalBase",
            compiled_sql="-- models/a.sql\nSELECT 1",
            profile_config=SimpleNamespace(
                profile_mapping=SimpleNamespace(conn_id="pg", airflow_connection_type="postgres")
            ),
        ),
        [("-- models/a.sql\nSELECT 1", None)],
        "pg",
        DeclaredConnection(conn_type="postgres"),
    ),
    (
        operator(
            "cosmos.operators.local.AbstractDbtLocalBase",
            compiled_sql="",
            profile_config=SimpleNamespace(profile_mapping=None),
        ),
        [],
        None,
        DeclaredConnection(),
    ),
    (
        operator(
            "airflow.providers.google.cloud.transfers.trino_to_gcs.TrinoToGCSOperator",
            sql="SELECT 1",
            trino_conn_id="t",
        ),
        [("SELECT 1", None)],
        "t",
        DeclaredConnection(conn_type="trino"),
    ),
]


@pytest.mark.parametrize(
    ("task", "expected", "conn_id", "stated"),
    CASES,
    ids=[f"{n}-{type(case[0]).__name__}" for n, case in enumerate(CASES)],
)
def test_known_operators(
    task: Any, expected: list[tuple[str, str | None]], conn_id: str | None, stated: DeclaredConnection
) -> None:
    """Texts and ids are where the table says; outcome and times are the task's."""
    error = RuntimeError("no")
    found = ran(task, error)
    assert [(statement.text, statement.engine_id) for statement in found] == expected
    for statement in found:
        assert statement.conn_id == conn_id
        assert statement.connection == stated
        assert (statement.started_at, statement.duration_ms, statement.error) == (NOON, 1500.0, error)
        assert statement.hook is None
    assert len({statement.query_id for statement in found}) == len(found)


def test_every_engine_of_the_table_is_tested() -> None:
    """An operator that is added to the table is tested, too."""
    tested = {f"{type(case[0]).__module__}.{type(case[0]).__qualname__}" for case in CASES}
    assert {path for path in operators.OPERATOR_SPECS if ".transfers." not in path} == tested - {
        path for path in tested if ".transfers." in path
    }


@pytest.mark.parametrize("path", sorted(operators.OPERATOR_SPECS))
def test_the_table_names_what_the_providers_have(path: str) -> None:
    """The class exists where its provider is installed, and mentions what the table reads first."""
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, RuntimeError) as error:  # the latter of a hook that misses its driver
        pytest.skip(f"not installed: {error}")
    source = "".join(inspect.getsource(base) for base in cls.__mro__ if base is not object)
    known = operators.OPERATOR_SPECS[path]
    paths = (known.sql,) if isinstance(known.sql, str) else known.sql
    conditions = (condition.removeprefix("not ") for condition in (known.runs, known.waits) if condition)
    for attribute in filter(None, (*paths, known.query_id, known.conn_id, *conditions)):
        assert attribute.split(".")[0] in source


def test_a_subclass_is_reported_alike() -> None:
    """Who derives an operator keeps its attributes."""
    base = type(CASES[0][0])
    derived = type("Mine", (base,), {"__module__": "my_package"})()
    derived.query, derived.query_execution_id = "SELECT 2", "q-2"
    assert [(statement.text, statement.engine_id) for statement in ran(derived)] == [("SELECT 2", "q-2")]


def test_users_describe_their_own() -> None:
    """One call makes an operator known: the attributes may be deep, and of any kind of container."""
    task = operator(
        "my_package.mine.Mine", job=SimpleNamespace(ids=["1"], texts={"main": ["SELECT 1"]}), where="trino_x"
    )
    assert ran(task) == []
    describe_operator(
        "my_package.mine.Mine",
        sql="job.texts.main",
        query_id="job.ids",
        conn_id="where",
        conn_type="trino",
        user="nobody",
    )
    (statement,) = ran(task)
    assert (statement.text, statement.engine_id, statement.conn_id) == ("SELECT 1", "1", "trino_x")
    assert statement.connection == DeclaredConnection(conn_type="trino")
    assert statement.error is None


def numbers() -> Iterator[str]:
    yield "SELECT 1"


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        (None, []),
        ("", []),
        ("  \n", []),
        (5, []),
        (["SELECT 1", None, "", 5], ["SELECT 1"]),
        (("SELECT 1",), ["SELECT 1"]),
        (numbers(), []),
        ({"a": "SELECT 1"}, []),
        ("script.hql", []),
        ("SELECT '.sql", ["SELECT '.sql"]),
    ],
)
def test_odd_texts(sql: Any, texts: list[str]) -> None:
    """What is no text is not reported, and no generator is read that the operator may still want."""
    describe_operator("my_package.Mine", sql="sql", query_id="missing", conn_id="missing.too", conn_type="trino")
    assert [statement.text for statement in ran(operator("my_package.Mine", sql=sql))] == texts


def test_a_property_that_fails_is_left_out() -> None:
    """An operator whose attribute asks a service that is gone is reported without it."""

    class Mine:
        sql = "SELECT 1"

        @property
        def job_id(self) -> str:
            raise RuntimeError("gone")

    describe_operator(f"{Mine.__module__}.{Mine.__qualname__}", sql="sql", query_id="job_id")
    (statement,) = ran(Mine())
    assert (statement.text, statement.engine_id) == ("SELECT 1", None)


@pytest.mark.parametrize(
    ("sql", "ids", "paired"),
    [
        (["a", "b"], ["1", "2"], [("a", "1"), ("b", "2")]),
        (["a", "b"], ["1"], [("a", None), ("b", None)]),
        (["a"], ["1", "2"], [("a", None)]),
        ("a; b", ["1", "2"], [("a", "1"), (" b", "2")]),
        ("a; b; c", ["1", "2"], [("a; b; c", None)]),
        ("-- a; b\na; /* c; */ 'b;'; -- d", ["1", "2"], [("-- a; b\na", "1"), (" /* c; */ 'b;'", "2")]),
        ("'a\\'; b'; c", ["1", "2"], [("'a\\'; b'; c", None)]),  # dialects differ in where the string ends
        ("a", [], [("a", None)]),
        ("a", "", [("a", None)]),
        ("a", 7, [("a", None)]),
    ],
)
def test_ids_are_paired_only_where_they_fit(sql: Any, ids: Any, paired: list[tuple[str, str | None]]) -> None:
    """No id is better than a wrong one."""
    describe_operator("my_package.Mine", sql="sql", query_id="ids")
    found = ran(operator("my_package.Mine", sql=sql, ids=ids))
    assert [(statement.text, statement.engine_id) for statement in found] == paired


def test_what_was_skipped_did_not_run() -> None:
    """A skip may come before the text went anywhere; an id of the engine's shows that it did, the user's does not."""
    athena = operator(f"{AWS}.athena.AthenaOperator", query="DELETE FROM t", query_execution_id=None)
    assert ran(athena, skipped=True) == []
    athena.query_execution_id = "q-1"
    (statement,) = ran(athena, skipped=True)
    assert (statement.engine_id, statement.outcome_known) == ("q-1", False)
    assert ran(operator(CLICKHOUSE, _sql="SELECT 1", _query_id="chosen"), skipped=True) == []


def test_a_dry_run_is_not_reported() -> None:
    """BigQuery checks the text then, and runs nothing."""
    configuration = {"query": {"query": "SELECT 1"}, "dryRun": True}
    assert ran(operator(INSERT_JOB, configuration=configuration, job_id="j")) == []
    assert len(ran(operator(INSERT_JOB, configuration={**configuration, "dryRun": False}, job_id="j"))) == 1


REDSHIFT = f"{AWS}.redshift_data.RedshiftDataOperator"
DATABRICKS = "airflow.providers.databricks.operators.databricks.DatabricksSQLStatementsOperator"
INSERT_JOB = f"{BIGQUERY}.BigQueryInsertJobOperator"
CLICKHOUSE = "airflow_clickhouse_plugin.operators.clickhouse.ClickHouseOperator"
TO_GCS = "airflow.providers.google.cloud.transfers.postgres_to_gcs.PostgresToGCSOperator"


@pytest.mark.parametrize(
    ("task", "error", "known"),
    [
        (operator(REDSHIFT, sql="SELECT 1", statement_id="s", wait_for_completion=True), None, True),
        (operator(REDSHIFT, sql="SELECT 1", statement_id="s", wait_for_completion=False), None, False),
        (operator(REDSHIFT, sql="SELECT 1", statement_id="s", wait_for_completion=False), OSError(), False),
        (operator(REDSHIFT, sql="SELECT 1", wait_for_completion=False), OSError(), True),  # it was not submitted
        (operator(DATABRICKS, statement="SELECT 1", statement_id="s", wait_for_termination=True), None, True),
        (operator(DATABRICKS, statement="SELECT 1", statement_id="s", wait_for_termination=False), None, False),
        (operator(f"{AWS}.athena.AthenaOperator", query="SELECT 1", query_execution_id="q"), None, True),
        (operator(TO_GCS, sql="SELECT 1"), None, True),
        (operator(TO_GCS, sql="SELECT 1"), OSError("the bucket is gone"), False),
    ],
)
def test_an_outcome_that_is_not_the_statements_says_so(task: Any, error: BaseException | None, known: bool) -> None:
    """Who did not wait does not know it; who does more than run the statement may have failed with that."""
    assert [statement.outcome_known for statement in ran(task, error)] == [known]


def test_a_batch_is_numbered_as_it_was_given() -> None:
    """Also a batch of one; the service counts what we do not report."""
    assert [each.engine_id for each in ran(operator(REDSHIFT, sql=["SELECT 1"], statement_id="s"))] == ["s:1"]
    batch = operator(REDSHIFT, sql=["SELECT 1", "", "SELECT 2"], statement_id="s")
    assert [each.engine_id for each in ran(batch)] == ["s:1", "s:3"]


def test_of_several_statements_the_failure_names_the_one_that_failed() -> None:
    """What the other ones did is not known."""
    task = operator(SNOWFLAKE, sql="SELECT 1; SELECT 2", query_ids=["s-1", "s-2"])
    assert [statement.outcome_known for statement in ran(task, RuntimeError("{'s-2': 'bad'}"))] == [False, True]
    assert [statement.outcome_known for statement in ran(task)] == [True, True]
    batch = operator(REDSHIFT, sql=["SELECT 1", "SELECT 2"], statement_id="s", wait_for_completion=True)
    assert [statement.outcome_known for statement in ran(batch, RuntimeError())] == [True, True]


SNOWFLAKE = "airflow.providers.snowflake.operators.snowflake.SnowflakeSqlApiOperator"


@pytest.mark.parametrize(
    ("task", "event", "engine_id"),
    [
        (operator(REDSHIFT, sql="SELECT 1"), {"status": "success", "statement_id": "s-1"}, "s-1"),
        (operator(REDSHIFT, sql="SELECT 1"), {"status": "error", "statement_id": "s-1"}, "s-1"),
        (operator(SNOWFLAKE, sql="SELECT 1", query_ids=[]), {"status": "error", "statement_query_ids": ["s"]}, "s"),
        (operator(f"{AWS}.athena.AthenaOperator", query="SELECT 1"), {"status": "success", "value": "q-1"}, "q-1"),
        (operator(INSERT_JOB, configuration={"query": {"query": "SELECT 1"}}, job_id="my_job"), {"job_id": JOB}, JOB),
        (operator(INSERT_JOB, configuration={"query": {"query": "SELECT 1"}}, job_id="my_job"), {}, None),
        (operator(DATABRICKS, statement="SELECT 1", statement_id="d-1"), {"statement_id": "d-1"}, "d-1"),
    ],
)
def test_an_operator_that_was_deferred(task: Any, event: Any, engine_id: str | None) -> None:
    """It is a new object, and its event says what it ran; it knows how that ended, even if it would not have waited."""
    (statement,) = ran(task, event=event)
    assert (statement.engine_id, statement.outcome_known) == (engine_id, True)


def test_what_fails_after_the_statement_is_not_its_failure() -> None:
    """Such as a check of its result."""
    check = operator(f"{BIGQUERY}.BigQueryCheckOperator", sql="SELECT 0", deferrable=True)
    error = RuntimeError("Test failed.")
    (statement,) = ran(check, error, event={"status": "success", "records": [0]})
    assert (statement.error, statement.outcome_known) == (None, True)
    for event in (None, {"status": "error"}):
        (statement,) = ran(check, error, event=event)
        assert (statement.error, statement.outcome_known) == (error, False)


# --- the providers' own operators, resumed


def test_redshift_data_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("airflow.providers.amazon.aws.operators.redshift_data")
    monkeypatch.setattr(module.RedshiftDataOperator, "hook", mock.MagicMock())
    task = module.RedshiftDataOperator(task_id="a", sql="SELECT 1", database="d", deferrable=True)
    event = {"status": "success", "statement_id": "s-1", "message": ""}
    task.execute_complete({}, event)
    assert [statement.engine_id for statement in ran(task, event=event)] == ["s-1"]


def test_a_bigquery_job_itself() -> None:
    module = pytest.importorskip(BIGQUERY)
    configuration = {"query": {"query": "SELECT 1"}}
    task = module.BigQueryInsertJobOperator(task_id="a", configuration=configuration, job_id="my_job", deferrable=True)
    event = {"status": "error", "message": "no", "job_id": JOB}
    with pytest.raises(Exception, match="no") as raised:
        task.execute_complete({}, event)
    for facts, engine_id in (({"event": event}, JOB), ({"event": {"status": "error"}}, None)):
        (statement,) = ran(task, raised.value, **facts)
        assert (statement.engine_id, statement.error, statement.outcome_known) == (engine_id, raised.value, True)


def test_snowflake_statements_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("airflow.providers.snowflake.operators.snowflake")
    task = module.SnowflakeSqlApiOperator(task_id="a", sql="SELECT 1; SELECT ';'", statement_count=2, deferrable=True)
    event = {"status": "error", "message": "no: q2", "statement_query_ids": ["q1", "q2"]}
    with pytest.raises(Exception, match="no") as raised:
        task.execute_complete({}, event)
    found = ran(task, raised.value, event=event)
    assert [(statement.text, statement.engine_id) for statement in found] == [("SELECT 1", "q1"), (" SELECT ';'", "q2")]
