"""Operators that run SQL without a hook whose statements are observed: where their text and the engine's ids are.

They hand a text to a service or a program and wait. What they ran is read from the operator when its task ends, with
the task's outcome and duration; where that outcome need not be the statement's, the statement says so. One table says
where; :func:`describe_operator` adds to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from airflow_provider_ryft.listener.contexts import StatedConnection
from airflow_provider_ryft.listener.statement import Statement

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSql:
    """Where an operator keeps what it ran; each is the name of an attribute, or a path of names and keys with dots.

    :param sql: the text, or a list of texts
    :param query_id: the engine's id, or a list of ids
    :param conn_id: the id of its connection
    :param conn_type: the type of its connection, itself and not a path, or a path with a dot
    :param catalog: the catalog of unqualified names
    :param schema: the schema of unqualified names
    :param user: the user that ran it
    :param batch_id: the id of one text in a list, from the ``{id}`` of all and its ``{number}`` from 1
    :param is_id_chosen: whether the id is the user's, so that it does not show that the text was run
    :param runs: a condition without which it runs nothing here: a path to what must be true, or ``not`` and a path
    :param waits: a condition without which it does not wait for the end of the statement
    :param does_more: whether it goes on when its statement has ended, so that its failure may be another one
    """

    sql: str
    query_id: str | None = None
    conn_id: str | None = None
    conn_type: str | None = None
    catalog: str | None = None
    schema: str | None = None
    user: str | None = None
    batch_id: str | None = None
    is_id_chosen: bool = False
    runs: str | None = None
    waits: str | None = None
    does_more: bool = False


def describe_operator(
    operator: str,
    *,
    sql: str,
    query_id: str | None = None,
    conn_id: str | None = None,
    conn_type: str | None = None,
    catalog: str | None = None,
    schema: str | None = None,
    user: str | None = None,
) -> None:
    """Report an operator of your own that runs SQL without a ``DbApiHook``; call it where the operator is defined.

    ::

        describe_operator("my_package.MyOperator", sql="statement", query_id="job.id", conn_type="trino")

    Each argument is the name of an attribute of the operator, or a path of names and keys with dots, as it is when the
    task ends. A subclass of the operator is reported alike.

    :param operator: the full name of its class
    :param sql: the text that it runs, or a list of texts
    :param query_id: the engine's id, or a list of ids
    :param conn_id: the id of its Airflow connection
    :param conn_type: the type of its connection, which is also the SQL dialect: itself, not a path
    :param catalog: the catalog of unqualified names
    :param schema: the schema of unqualified names
    :param user: the user that ran it
    """
    _table[operator] = OperatorSql(
        sql=sql,
        query_id=query_id,
        conn_id=conn_id,
        conn_type=conn_type,
        catalog=catalog,
        schema=schema,
        user=user,
    )


def is_described(task: Any) -> bool:
    """Tell whether the table knows an operator.

    :param task: the operator
    """
    return _find(task) is not None


def statements(
    task: Any,
    *,
    error: BaseException | None,
    started_at: datetime,
    duration_ms: float,
    skipped: bool = False,
) -> list[Statement]:
    """Return what an operator ran, if the table knows it; never raises.

    :param task: the operator, at the end of its task
    :param error: what the task failed with, ``None`` if it succeeded
    :param started_at: when the task started; aware, in UTC
    :param duration_ms: how long the task ran
    :param skipped: whether the task skipped itself, perhaps before it ran anything: only the engine's id shows
    """
    known = _find(task)
    if known is None or not _holds(task, known.runs) or (skipped and known.is_id_chosen):
        return []
    texts = [text for text in _texts(_at(task, known.sql)) if not _is_file(text)]
    stated = StatedConnection(
        conn_type=_text(_at(task, known.conn_type)) if "." in (known.conn_type or "") else known.conn_type,
        catalog=_text(_at(task, known.catalog)),
        schema=_text(_at(task, known.schema)),
        user=_text(_at(task, known.user)),
    )
    return [
        Statement(
            text=text,
            query_id=str(uuid4()),
            started_at=started_at,
            conn_id=_text(_at(task, known.conn_id)),
            connection=stated,
            engine_id=engine_id,
            duration_ms=duration_ms,
            error=error,
            outcome_known=not skipped and _is_outcome_known(task, known, error, engine_id),
        )
        for text, engine_id in _with_ids(texts, _at(task, known.query_id), known.batch_id)
        if engine_id or not skipped
    ]


def covers(task: Any, submitted: Statement) -> bool:
    """Tell whether :func:`statements` tells of a statement, at the end of the task, that a hook submitted before.

    :param task: the operator
    :param submitted: what its hook told
    """
    known = _find(task)
    if known is None:
        return False
    ids = _texts(_at(task, known.query_id))
    if ids and submitted.engine_id is not None:
        return submitted.engine_id in ids
    # A hook may have joined several texts, put something before one, or cut one into several.
    told = submitted.text.strip()
    return any(text.strip() in told or told in text for text in _texts(_at(task, known.sql)))


def _is_outcome_known(task: Any, known: OperatorSql, error: BaseException | None, engine_id: str | None) -> bool:
    """Tell whether the task's outcome is the statement's, too."""
    if error is not None and known.does_more:
        return False
    if error is not None and known.query_id and engine_id is None:
        return True  # the service did not take it
    return _holds(task, known.waits)


def _find(task: Any) -> OperatorSql | None:
    for cls in type(task).__mro__:
        known = _table.get(f"{cls.__module__}.{cls.__qualname__}")
        if known is not None:
            return known
    return None


def _at(task: Any, path: str | None) -> Any:
    """Follow a path of attributes and keys; ``None`` where it ends early."""
    value = task
    for name in path.split(".") if path else ():
        try:
            value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        except Exception as error:  # a property that asks a service which is not there
            log.debug("%s of %s cannot be read: %s", path, type(task).__name__, type(error).__name__)
            return None
    return None if value is task else value


def _holds(task: Any, condition: str | None) -> bool:
    """Tell whether a condition of the table is met; one that is not set is."""
    if condition is None:
        return True
    path = condition.removeprefix("not ")
    return bool(_at(task, path)) is (path == condition)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _texts(value: Any) -> list[str]:
    """Return the texts of one, or of a list; a generator was read by the operator and is not read again."""
    several = value if isinstance(value, (list, tuple)) else [value]
    return [text for text in several if _text(text)]


def _is_file(text: str) -> bool:
    """Tell a script's path, which Hive's and Spark's programs take too, from a text; no text ends like that."""
    return len(text.split()) == 1 and text.rstrip().endswith((".sql", ".hql"))


def _with_ids(texts: list[str], ids: Any, batch_id: str | None) -> Iterator[tuple[str, str | None]]:
    """Pair texts with the engine's ids; where they do not fit, no id is better than a wrong one.

    A service may also cut one text into statements, and have an id for each.
    """
    known = _texts(ids)
    if len(known) > 1 and len(texts) == 1:
        pieces = [piece for piece in texts[0].split(";") if piece.strip()]
        texts = pieces if len(pieces) == len(known) else texts
    if len(known) == 1 and len(texts) > 1 and batch_id is not None:
        known = [batch_id.format(id=known[0], number=number + 1) for number in range(len(texts))]
    fits = len(known) == len(texts)
    for position, text in enumerate(texts):
        yield text, known[position] if fits else None


def _to_gcs(engine: str) -> OperatorSql:
    return OperatorSql(sql="sql", conn_id=f"{engine}_conn_id", conn_type=engine, does_more=True)


_GCS = "airflow.providers.google.cloud.transfers"

_table: dict[str, OperatorSql] = {
    "airflow.providers.amazon.aws.operators.athena.AthenaOperator": OperatorSql(
        sql="query",
        query_id="query_execution_id",
        conn_id="aws_conn_id",
        conn_type="athena",
        catalog="catalog",
        schema="database",
    ),
    "airflow.providers.amazon.aws.operators.redshift_data.RedshiftDataOperator": OperatorSql(
        sql="sql",
        query_id="statement_id",
        conn_id="aws_conn_id",
        conn_type="redshift",
        catalog="database",
        user="db_user",
        batch_id="{id}:{number}",
        waits="wait_for_completion",
    ),
    "airflow.providers.google.cloud.operators.bigquery.BigQueryInsertJobOperator": OperatorSql(
        sql="configuration.query.query",
        query_id="job_id",
        conn_id="gcp_conn_id",
        conn_type="gcpbigquery",
        catalog="project_id",
        schema="configuration.query.defaultDataset.datasetId",
        runs="not configuration.dryRun",
    ),
    "airflow.providers.databricks.operators.databricks.DatabricksSQLStatementsOperator": OperatorSql(
        sql="statement",
        query_id="statement_id",
        conn_id="databricks_conn_id",
        conn_type="databricks",
        catalog="catalog",
        schema="schema",
        waits="wait_for_termination",
    ),
    "airflow.providers.snowflake.operators.snowflake.SnowflakeSqlApiOperator": OperatorSql(
        sql="sql",
        query_id="query_ids",
        conn_id="snowflake_conn_id",
        conn_type="snowflake",
        catalog="hook_params.database",
        schema="hook_params.schema",
    ),
    "airflow.providers.apache.hive.operators.hive.HiveOperator": OperatorSql(
        sql="hql", conn_id="hive_cli_conn_id", conn_type="hive_cli", schema="schema", user="proxy_user"
    ),
    "airflow.providers.apache.spark.operators.spark_sql.SparkSqlOperator": OperatorSql(
        sql="sql", conn_id="_conn_id", conn_type="spark_sql"
    ),
    "airflow_clickhouse_plugin.operators.clickhouse.ClickHouseOperator": OperatorSql(
        sql="_sql",
        query_id="_query_id",
        conn_id="_clickhouse_conn_id",
        conn_type="clickhouse",
        schema="_database",
        is_id_chosen=True,
    ),
    # dbt's own statements are not seen; this is what it compiled, if Cosmos keeps it.
    "cosmos.operators.local.AbstractDbtLocalBase": OperatorSql(
        sql="compiled_sql",
        conn_id="profile_config.profile_mapping.conn_id",
        conn_type="profile_config.profile_mapping.airflow_connection_type",
    ),
    f"{_GCS}.mssql_to_gcs.MSSQLToGCSOperator": _to_gcs("mssql"),
    f"{_GCS}.mysql_to_gcs.MySQLToGCSOperator": _to_gcs("mysql"),
    f"{_GCS}.oracle_to_gcs.OracleToGCSOperator": _to_gcs("oracle"),
    f"{_GCS}.postgres_to_gcs.PostgresToGCSOperator": _to_gcs("postgres"),
    f"{_GCS}.presto_to_gcs.PrestoToGCSOperator": _to_gcs("presto"),
    f"{_GCS}.trino_to_gcs.TrinoToGCSOperator": _to_gcs("trino"),
}
