"""One task for each way in which a task runs SQL, and for each way in which a task ends. No word of Ryft in it.

Each statement holds the name of its task, so that records, and the lines of a server's own log, can be assigned to it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator, dag, task
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.providers.common.sql.operators.sql import (
    SQLCheckOperator,
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLValueCheckOperator,
)
from airflow.providers.common.sql.sensors.sql import SqlSensor
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

try:
    from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
except ImportError:
    from airflow.triggers.temporal import TimeDeltaTrigger

START = datetime(2024, 1, 1, tzinfo=timezone.utc)


class MariaDbHook(DbApiHook):
    """A hook that a user wrote."""

    conn_name_attr = "maria_conn_id"
    default_conn_name = "maria"
    conn_type = "mysql"

    def get_conn(self) -> Any:
        import pymysql

        login = self.get_connection(self.get_conn_id())
        return pymysql.connect(
            host=login.host, port=login.port, user=login.login, password=login.password or "", database=login.schema
        )


class Deferring(BaseOperator):
    """Runs SQL, defers, and runs SQL when it is resumed."""

    def execute(self, context: Any) -> None:
        PostgresHook("pg").run("SELECT 'deferred' AS before")
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=0)), method_name="resume")

    def resume(self, context: Any, event: Any = None) -> None:
        PostgresHook("pg").run("SELECT 'deferred' AS after")


@dag(schedule=None, start_date=START, catchup=False, tags=["matrix"], default_args={"owner": "ann"})
def every_way() -> None:
    """Every way."""
    SQLExecuteQueryOperator(
        task_id="operator",
        conn_id="pg",
        sql="SELECT 'operator' AS one; SELECT 'operator' AS two",
        split_statements=True,
    )
    SQLExecuteQueryOperator(task_id="operator_list", conn_id="pg", sql=[f"SELECT 'operator_list', {n}" for n in (1, 2)])
    SQLExecuteQueryOperator(task_id="operator_fails", conn_id="pg", sql="SELECT nothing AS operator_fails")
    SQLExecuteQueryOperator(task_id="operator_retries", conn_id="pg", sql="SELECT 1 / 0 AS operator_retries", retries=1)
    SQLExecuteQueryOperator.partial(task_id="mapped", conn_id="pg").expand(
        sql=[f"SELECT 'mapped', {number}" for number in range(3)]
    )
    SQLCheckOperator(task_id="check", conn_id="pg", sql="SELECT 'check', 1")
    SQLValueCheckOperator(task_id="value_check", conn_id="pg", sql="SELECT 'value_check'", pass_value="other")
    SQLColumnCheckOperator(
        task_id="column_check",
        conn_id="pg",
        table="pg_class",
        column_mapping={"relname": {"null_check": {"equal_to": 0}}},
    )
    SqlSensor(task_id="poke", conn_id="pg", sql="SELECT 1 AS poke", poke_interval=1, mode="poke")
    SqlSensor(task_id="reschedule", conn_id="pg", sql="SELECT 0 AS reschedule", poke_interval=60, mode="reschedule")
    Deferring(task_id="deferred")

    @task
    def hook_methods() -> None:
        hook = PostgresHook("pg")
        hook.run("CREATE TEMP TABLE IF NOT EXISTS hook_methods (a int); SELECT 'hook_methods', 'run'")
        hook.get_records("SELECT 'hook_methods', 'get_records', %s", parameters=("a-bound-parameter",))
        hook.get_first("SELECT 'hook_methods', 'get_first'")
        hook.run(["SELECT 'hook_methods', 'same'"] * 5)

    @task
    def insert_rows() -> None:
        hook = PostgresHook("pg")
        hook.run("DROP TABLE IF EXISTS insert_rows; CREATE TABLE insert_rows (a int, b text)")
        hook.insert_rows("insert_rows", [(number, "row-value") for number in range(25)], target_fields=["a", "b"])

    @task
    def skips() -> None:
        PostgresHook("pg").run("SELECT 'skips'")
        raise AirflowSkipException

    @task
    def catches() -> str:
        try:
            PostgresHook("pg").run("SELECT * FROM catches_no_such_table")
        except Exception:
            PostgresHook("pg").run("SELECT 'catches'")
        return "went on"

    @task
    def threads() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: PostgresHook("pg").run(f"SELECT 'threads', {number}"), range(40)))

    @task
    def engine() -> None:
        with PostgresHook("pg").get_sqlalchemy_engine().connect() as connection:
            connection.exec_driver_sql("SELECT 'engine'").fetchall()

    @task(execution_timeout=timedelta(seconds=2))
    def times_out() -> None:
        MariaDbHook("maria").run("SELECT 'times_out', SLEEP(60)")

    @task
    def maria() -> None:
        MariaDbHook("maria").run(["SELECT 'maria', 1", "SELECT maria FROM no_such_table"])

    @task
    def sqlite() -> None:
        hook = SqliteHook("lite")
        hook.run(["CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2)"])
        assert hook.get_first("SELECT count(*) AS sqlite FROM t") == (2,)

    @task
    def duckdb() -> None:
        from duckdb_provider.hooks.duckdb_hook import DuckDBHook

        assert DuckDBHook("duck").get_first("SELECT 42 AS duckdb") == (42,)

    @task
    def no_sql() -> str:
        return "nothing to report"

    @task
    def takes_long() -> None:
        PostgresHook("pg").run("SELECT 'takes_long', pg_sleep(0.5)")

    hook_methods(), insert_rows(), skips(), catches(), threads(), engine(), times_out()
    maria(), sqlite(), duckdb(), no_sql(), takes_long()


every_way()
