"""Operators that run SQL without a hook whose statements are observed: where their text and the engine's ids are.

They hand a text to a service or a program and wait. What they ran is read from the operator when its task ends, with
the task's outcome and duration; where that outcome need not be the statement's, the statement says so. One table says
where; :func:`describe_operator` adds to it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

if TYPE_CHECKING:
    from airflow_provider_ryft.capture.statement import Statement

log = logging.getLogger(__name__)


class OperatorSpec(NamedTuple):
    """Where an operator keeps what it ran; each is the name of an attribute, or a path of names and keys with dots.

    :param sql: the text, or a list of texts; several paths lead to several texts
    :param query_id: the engine's id, or a list of ids
    :param conn_id: the id of its connection
    :param conn_type: the type of its connection, itself and not a path, or a path with a dot
    :param catalog: the catalog of unqualified names
    :param schema: the schema of unqualified names
    :param user: the user that ran it
    :param batch_id: the id of one text in a list, from the ``{id}`` of all and its ``{number}`` from 1
    :param event_id: where the event has the engine's id, or ids, with which the task is resumed when it was deferred
    :param id_form: what the engine's ids look like, where the attribute may hold another, as a regular expression
    :param is_id_chosen: whether the id is the user's, so that it does not show that the text was run
    :param runs: a condition without which it runs nothing here: a path to what must be true, or ``not`` and a path
    :param waits: a condition without which it does not wait for the end of the statement
    :param does_more: whether it goes on when its statement has ended, so that its failure may be another one
    """

    sql: str | tuple[str, ...]
    query_id: str | None = None
    conn_id: str | None = None
    conn_type: str | None = None
    catalog: str | None = None
    schema: str | None = None
    user: str | None = None
    batch_id: str | None = None
    event_id: str | None = None
    id_form: str | None = None
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
    _table[operator] = OperatorSpec(
        sql=sql,
        query_id=query_id,
        conn_id=conn_id,
        conn_type=conn_type,
        catalog=catalog,
        schema=schema,
        user=user,
    )


def extract_statements(
    task: Any,
    *,
    error: BaseException | None,
    started_at: datetime,
    duration_ms: float,
    skipped: bool = False,
    event: Mapping[str, Any] | None = None,
) -> list[Statement]:
    """Return what an operator ran, if the table knows it; never raises.

    :param task: the operator, at the end of its task
    :param error: what the task failed with, ``None`` if it succeeded
    :param started_at: when the task started; aware, in UTC
    :param duration_ms: how long the task ran
    :param skipped: whether the task skipped itself, perhaps before it ran anything: only the engine's id shows
    :param event: what the trigger said that ended the task's deferral, if it was deferred
    """
    known = _find(task)
    if known is None or not _holds(task, known.runs) or (skipped and known.is_id_chosen):
        return []
    if event is not None and event.get("status") == "success":
        error = None  # whatever failed came later
    sql = _sql(task, known)
    texts = [text for text in _texts(sql) if not _is_file(text)]
    ids = _ids(task, known, event)
    if known.batch_id is not None and isinstance(sql, (list, tuple)) and len(ids) == 1:
        ids = [known.batch_id.format(id=ids[0], number=number) for number, text in enumerate(sql, 1) if _text(text)]
    from airflow_provider_ryft.capture.statement import DeclaredConnection, Statement

    stated = DeclaredConnection(
        conn_type=_text(_at(task, known.conn_type)) if "." in (known.conn_type or "") else known.conn_type,
        catalog=_text(_at(task, known.catalog)),
        schema=_text(_at(task, known.schema)),
        user=_text(_at(task, known.user)),
    )
    pairs = list(_with_ids(texts, ids, stated.conn_type))
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
            outcome_known=not skipped
            and (event is not None or _waited(task, known, error, engine_id))
            and not (error is not None and _may_be_of_another(error, known, engine_id, len(pairs))),
        )
        for text, engine_id in pairs
        if engine_id or not skipped
    ]


def _waited(task: Any, known: OperatorSpec, error: BaseException | None, engine_id: str | None) -> bool:
    """Tell whether the operator has seen the end of its statement, or the service did not take it."""
    return _holds(task, known.waits) or (error is not None and known.query_id is not None and engine_id is None)


def _may_be_of_another(error: BaseException, known: OperatorSpec, engine_id: str | None, number: int) -> bool:
    """Tell whether what failed the operator may be another thing than this one of its statements.

    A batch with one id is one transaction.
    """
    if known.does_more:
        return True
    return number > 1 and known.batch_id is None and (engine_id is None or engine_id not in str(error))


def _sql(task: Any, known: OperatorSpec) -> Any:
    if isinstance(known.sql, str):
        return _at(task, known.sql)
    return [text for path in known.sql for text in _texts(_at(task, path))]


def _ids(task: Any, known: OperatorSpec, event: Mapping[str, Any] | None) -> list[str]:
    """Return the engine's ids.

    An operator that was deferred is made anew: what it knew before is what its event says.
    """
    found = _texts(event.get(known.event_id)) if event is not None and known.event_id is not None else []
    found = found or _texts(_at(task, known.query_id))
    form = re.compile(known.id_form) if known.id_form is not None else None
    return [engine_id for engine_id in found if form is None or form.search(engine_id)]


def will_extract(task: Any, submitted: Statement) -> bool:
    """Return whether :func:`extract_statements` will return a statement that a hook submitted before.

    :param task: the operator
    :param submitted: what its hook told
    """
    known = _find(task)
    if known is None:
        return False
    ids = _ids(task, known, None)
    if ids and submitted.engine_id is not None:
        return submitted.engine_id in ids
    # A hook may have joined several texts, put something before one, or cut one into several.
    told = submitted.text.strip()
    return any(text.strip() in told or told in text for text in _texts(_sql(task, known)))


def _find(task: Any) -> OperatorSpec | None:
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


def _with_ids(texts: list[str], ids: list[str], dialect: str | None) -> Iterator[tuple[str, str | None]]:
    """Pair texts with the engine's ids; where they do not fit, no id is better than a wrong one.

    A service may also cut one text into statements, and have an id for each.
    """
    if len(ids) > 1 and len(texts) == 1:
        pieces = _pieces(texts[0], dialect)
        texts = pieces if len(pieces) == len(ids) else texts
    fits = len(ids) == len(texts)
    for position, text in enumerate(texts):
        yield text, ids[position] if fits else None


def _pieces(text: str, dialect: str | None) -> list[str]:
    """Cut a text into statements; where its dialect leaves open how, it stays whole."""
    from airflow_provider_ryft.sql import tokenizer
    from airflow_provider_ryft.sql.dialects import possible_rules

    found = set()
    for rules in possible_rules(text, dialect):
        pieces, start, has_code = [], 0, False
        for kind, _, end in (*tokenizer.tokens(text, rules), (tokenizer.END, 0, len(text) + 1)):
            if kind == tokenizer.END:
                if has_code:
                    pieces.append(text[start : end - 1])
                start, has_code = end, False
            elif kind != tokenizer.COMMENT:
                has_code = True
        found.add(tuple(pieces))
    return list(found.pop()) if len(found) == 1 else [text]


def _transfer(engine: str, *, sql: str = "sql", conn_id: str | None = None) -> OperatorSpec:
    """Describe an operator that reads from a database, with a cursor of its own, and writes elsewhere."""
    return OperatorSpec(sql=sql, conn_id=conn_id or f"{engine}_conn_id", conn_type=engine, does_more=True)


def _bigquery_check(*sql: str) -> OperatorSpec:
    """Describe a check that is deferred; one that is not runs its statement through a hook that is observed."""
    return OperatorSpec(
        sql=sql,
        conn_id="gcp_conn_id",
        conn_type="gcpbigquery",
        catalog="project_id",
        runs="deferrable",
        does_more=True,
    )


_BIGQUERY = "airflow.providers.google.cloud.operators.bigquery"
_GCS = "airflow.providers.google.cloud.transfers"
_HIVE = "airflow.providers.apache.hive.transfers"
_DATAPROC_JOBS = ("hive_job", "presto_job", "spark_sql_job", "trino_job")

_table: dict[str, OperatorSpec] = {
    "airflow.providers.amazon.aws.operators.athena.AthenaOperator": OperatorSpec(
        sql="query",
        query_id="query_execution_id",
        event_id="value",
        conn_id="aws_conn_id",
        conn_type="athena",
        catalog="catalog",
        schema="database",
    ),
    "airflow.providers.amazon.aws.operators.redshift_data.RedshiftDataOperator": OperatorSpec(
        sql="sql",
        query_id="statement_id",
        conn_id="aws_conn_id",
        conn_type="redshift",
        catalog="database",
        user="db_user",
        batch_id="{id}:{number}",
        event_id="statement_id",
        waits="wait_for_completion",
    ),
    f"{_BIGQUERY}.BigQueryInsertJobOperator": OperatorSpec(
        sql="configuration.query.query",
        query_id="job_id",
        conn_id="gcp_conn_id",
        conn_type="gcpbigquery",
        catalog="project_id",
        schema="configuration.query.defaultDataset.datasetId",
        event_id="job_id",
        # The configured id is the beginning of the job's, which ends in a hash, and perhaps in the number of the try.
        id_form=r"_[0-9a-f]{32}(?:_\d+)?$",
        runs="not configuration.dryRun",
    ),
    f"{_BIGQUERY}.BigQueryCheckOperator": _bigquery_check("sql"),
    f"{_BIGQUERY}.BigQueryValueCheckOperator": _bigquery_check("sql"),
    f"{_BIGQUERY}.BigQueryIntervalCheckOperator": _bigquery_check("sql1", "sql2"),
    # A job has an id, but its statements have none.
    "airflow.providers.google.cloud.operators.dataproc.DataprocSubmitJobOperator": OperatorSpec(
        sql=tuple(f"job.{job}.query_list.queries" for job in _DATAPROC_JOBS),
        conn_id="gcp_conn_id",
        waits="not asynchronous",
    ),
    "airflow.providers.databricks.operators.databricks.DatabricksSQLStatementsOperator": OperatorSpec(
        sql="statement",
        query_id="statement_id",
        conn_id="databricks_conn_id",
        conn_type="databricks",
        catalog="catalog",
        schema="schema",
        waits="wait_for_termination",
    ),
    "airflow.providers.snowflake.operators.snowflake.SnowflakeSqlApiOperator": OperatorSpec(
        sql="sql",
        query_id="query_ids",
        event_id="statement_query_ids",
        conn_id="snowflake_conn_id",
        conn_type="snowflake",
        catalog="hook_params.database",
        schema="hook_params.schema",
    ),
    "airflow.providers.apache.hive.operators.hive.HiveOperator": OperatorSpec(
        sql="hql", conn_id="hive_cli_conn_id", conn_type="hive_cli", schema="schema", user="proxy_user"
    ),
    "airflow.providers.apache.spark.operators.spark_sql.SparkSqlOperator": OperatorSpec(
        sql="sql", conn_id="_conn_id", conn_type="spark_sql"
    ),
    "airflow_clickhouse_plugin.operators.clickhouse.ClickHouseOperator": OperatorSpec(
        sql="_sql",
        query_id="_query_id",
        conn_id="_clickhouse_conn_id",
        conn_type="clickhouse",
        schema="_database",
        is_id_chosen=True,
    ),
    # dbt's own statements are not seen; this is what it compiled, if Cosmos keeps it.
    "cosmos.operators.local.AbstractDbtLocalBase": OperatorSpec(
        sql="compiled_sql",
        conn_id="profile_config.profile_mapping.conn_id",
        conn_type="profile_config.profile_mapping.airflow_connection_type",
    ),
    "airflow.providers.teradata.operators.bteq.BteqOperator": OperatorSpec(
        sql="sql", conn_id="teradata_conn_id", conn_type="teradata"
    ),
    "airflow.providers.teradata.operators.tpt.DdlOperator": OperatorSpec(
        sql="ddl", conn_id="teradata_conn_id", conn_type="teradata"
    ),
    f"{_HIVE}.mssql_to_hive.MsSqlToHiveOperator": _transfer("mssql"),
    f"{_HIVE}.mysql_to_hive.MySqlToHiveOperator": _transfer("mysql"),
    f"{_HIVE}.vertica_to_hive.VerticaToHiveOperator": _transfer("vertica"),
    "airflow.providers.microsoft.azure.transfers.oracle_to_azure_data_lake.OracleToAzureDataLakeOperator": _transfer(
        "oracle"
    ),
    "airflow.providers.mysql.transfers.vertica_to_mysql.VerticaToMySqlOperator": _transfer("vertica"),
    "airflow.providers.oracle.transfers.oracle_to_oracle.OracleToOracleOperator": _transfer(
        "oracle", sql="source_sql", conn_id="oracle_source_conn_id"
    ),
    "airflow.providers.teradata.transfers.teradata_to_teradata.TeradataToTeradataOperator": _transfer(
        "teradata", conn_id="source_teradata_conn_id"
    ),
    f"{_GCS}.mssql_to_gcs.MSSQLToGCSOperator": _transfer("mssql"),
    f"{_GCS}.mysql_to_gcs.MySQLToGCSOperator": _transfer("mysql"),
    f"{_GCS}.oracle_to_gcs.OracleToGCSOperator": _transfer("oracle"),
    f"{_GCS}.postgres_to_gcs.PostgresToGCSOperator": _transfer("postgres"),
    f"{_GCS}.presto_to_gcs.PrestoToGCSOperator": _transfer("presto"),
    f"{_GCS}.trino_to_gcs.TrinoToGCSOperator": _transfer("trino"),
}
