"""Which attributes of which operator hold its SQL, the engine's ids and the connection."""

from __future__ import annotations

from typing import NamedTuple


class OperatorSpec(NamedTuple):
    """Where an operator keeps what it ran; each is the name of an attribute, or a path of names and keys with dots."""

    sql: str | tuple[str, ...]  # the text, or a list of texts; several paths lead to several texts
    query_id: str | None = None  # the engine's id, or a list of ids
    conn_id: str | None = None  # the id of its connection
    conn_type: str | None = None  # the type of its connection, itself and not a path, or a path with a dot
    catalog: str | None = None  # the catalog of unqualified names
    schema: str | None = None  # the schema of unqualified names
    user: str | None = None  # the user that ran it
    batch_id: str | None = None  # the id of one text in a list, from the ``{id}`` of all and its ``{number}`` from 1
    # where the event has the engine's id, or ids, with which the task is resumed when it was deferred
    event_id: str | None = None
    # what the engine's ids look like, where the attribute may hold another, as a regular expression
    id_form: str | None = None
    is_id_chosen: bool = False  # whether the id is the user's, so that it does not show that the text was run
    # a condition without which it runs nothing here: a path to what must be true, or ``not`` and a path
    runs: str | None = None
    waits: str | None = None  # a condition without which it does not wait for the end of the statement
    does_more: bool = False  # whether it goes on when its statement has ended, so that its failure may be another one


def _transfer(engine: str, *, sql: str = "sql", conn_id: str | None = None) -> OperatorSpec:
    """Describe an operator that reads from a database, with a cursor of its own, and writes elsewhere."""
    return OperatorSpec(sql=sql, conn_id=conn_id or f"{engine}_conn_id", conn_type=engine, does_more=True)


def _bigquery_check(*sql: str) -> OperatorSpec:
    """Describe a check that is deferred; one that is not runs its statement through a hook that is observed."""
    return OperatorSpec(
        sql=sql, conn_id="gcp_conn_id", conn_type="gcpbigquery", catalog="project_id", runs="deferrable", does_more=True
    )


_BIGQUERY = "airflow.providers.google.cloud.operators.bigquery"
_GCS = "airflow.providers.google.cloud.transfers"
_HIVE = "airflow.providers.apache.hive.transfers"
_DATAPROC_JOBS = ("hive_job", "presto_job", "spark_sql_job", "trino_job")

OPERATOR_SPECS: dict[str, OperatorSpec] = {
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
