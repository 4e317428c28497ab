"""Operators without an observed hook: what they ran, read from operators of the providers' shape."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.listener import operators
from airflow_provider_ryft.listener.contexts import StatedConnection
from airflow_provider_ryft.listener.operators import describe_operator, is_described, statements
from airflow_provider_ryft.listener.statement import Statement

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test registers to itself."""
    monkeypatch.setattr(operators, "_table", dict(operators._table))


def operator(path: str, **attributes: Any) -> Any:
    """Make an operator of a class with a provider's name, and with the attributes that it has at the end of a task."""
    module, _, name = path.rpartition(".")
    made = type(name, (), {"__module__": module})()
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


def ran(task: Any, error: BaseException | None = None, **facts: Any) -> list[Statement]:
    return statements(task, error=error, started_at=NOON, duration_ms=1500.0, **facts)


AWS = "airflow.providers.amazon.aws.operators"
CASES: list[tuple[Any, list[tuple[str, str | None]], str | None, StatedConnection]] = [
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
        StatedConnection(conn_type="athena", catalog="AwsDataCatalog", schema="gold"),
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
        StatedConnection(conn_type="redshift", catalog="dev", user="etl"),
    ),
    (
        operator(f"{AWS}.redshift_data.RedshiftDataOperator", sql="SELECT 1", statement_id="s-1", aws_conn_id="a"),
        [("SELECT 1", "s-1")],
        "a",
        StatedConnection(conn_type="redshift"),
    ),
    (
        operator(
            "airflow.providers.google.cloud.operators.bigquery.BigQueryInsertJobOperator",
            configuration={"query": {"query": "SELECT 1", "defaultDataset": {"datasetId": "gold"}}},
            job_id="j-1",
            gcp_conn_id="gcp",
            project_id="lake",
        ),
        [("SELECT 1", "j-1")],
        "gcp",
        StatedConnection(conn_type="gcpbigquery", catalog="lake", schema="gold"),
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
        StatedConnection(),
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
        StatedConnection(conn_type="databricks", catalog="main", schema="gold"),
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
        StatedConnection(conn_type="snowflake", catalog="D", schema="S"),
    ),
    (
        operator(
            "airflow.providers.snowflake.operators.snowflake.SnowflakeSqlApiOperator",
            sql="SELECT ';'; SELECT 2",
            query_ids=["s-1", "s-2"],
            snowflake_conn_id="snow",
        ),
        [("SELECT ';'; SELECT 2", None)],
        "snow",
        StatedConnection(conn_type="snowflake"),
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
        StatedConnection(conn_type="hive_cli", schema="gold"),
    ),
    (
        operator("airflow.providers.apache.spark.operators.spark_sql.SparkSqlOperator", sql="SELECT 1", _conn_id="s"),
        [("SELECT 1", None)],
        "s",
        StatedConnection(conn_type="spark_sql"),
    ),
    (
        operator("airflow.providers.apache.spark.operators.spark_sql.SparkSqlOperator", sql=" /a/b.sql ", _conn_id="s"),
        [],
        None,
        StatedConnection(),
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
        StatedConnection(conn_type="clickhouse", schema="gold"),
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
        StatedConnection(conn_type="postgres"),
    ),
    (
        operator(
            "cosmos.operators.local.AbstractDbtLocalBase",
            compiled_sql="",
            profile_config=SimpleNamespace(profile_mapping=None),
        ),
        [],
        None,
        StatedConnection(),
    ),
    (
        operator(
            "airflow.providers.google.cloud.transfers.trino_to_gcs.TrinoToGCSOperator",
            sql="SELECT 1",
            trino_conn_id="t",
        ),
        [("SELECT 1", None)],
        "t",
        StatedConnection(conn_type="trino"),
    ),
]


@pytest.mark.parametrize(
    ("task", "expected", "conn_id", "stated"),
    CASES,
    ids=[f"{n}-{type(case[0]).__name__}" for n, case in enumerate(CASES)],
)
def test_known_operators(
    task: Any, expected: list[tuple[str, str | None]], conn_id: str | None, stated: StatedConnection
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
    assert is_described(task)


def test_every_engine_of_the_table_is_tested() -> None:
    """An operator that is added to the table is tested, too."""
    tested = {f"{type(case[0]).__module__}.{type(case[0]).__qualname__}" for case in CASES}
    assert {path for path in operators._table if ".transfers." not in path} == tested - {
        path for path in tested if ".transfers." in path
    }


@pytest.mark.parametrize("path", sorted(operators._table))
def test_the_table_names_what_the_providers_have(path: str) -> None:
    """The class exists where its provider is installed, and mentions what the table reads first."""
    module, _, name = path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, RuntimeError) as error:  # the latter of a hook that misses its driver
        pytest.skip(f"not installed: {error}")
    source = "".join(inspect.getsource(base) for base in cls.__mro__ if base is not object)
    known = operators._table[path]
    for attribute in filter(None, (known.sql, known.query_id, known.conn_id)):
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
    assert not is_described(task)
    assert ran(task) == []
    describe_operator(
        "my_package.mine.Mine",
        sql="job.texts.main",
        query_id="job.ids",
        conn_id="where",
        conn_type="trino",
        user="nobody",
    )
    assert is_described(task)
    (statement,) = ran(task)
    assert (statement.text, statement.engine_id, statement.conn_id) == ("SELECT 1", "1", "trino_x")
    assert statement.connection == StatedConnection(conn_type="trino")
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
    assert ran(operator(BIGQUERY, configuration=configuration, job_id="j")) == []
    assert len(ran(operator(BIGQUERY, configuration={**configuration, "dryRun": False}, job_id="j"))) == 1


REDSHIFT = f"{AWS}.redshift_data.RedshiftDataOperator"
DATABRICKS = "airflow.providers.databricks.operators.databricks.DatabricksSQLStatementsOperator"
BIGQUERY = "airflow.providers.google.cloud.operators.bigquery.BigQueryInsertJobOperator"
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
