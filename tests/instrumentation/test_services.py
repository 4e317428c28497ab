"""Observing hooks on real engines, against what the engines themselves say."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

services = pytest.mark.services


# --- PostgreSQL, which logs for its client each statement and its duration


@pytest.fixture
def postgres(connect: Callable[..., str]) -> Iterator[Any]:
    psycopg2 = pytest.importorskip("psycopg2", reason="needs psycopg2")
    from airflow.providers.postgres.hooks import postgres as module

    class Telling(module.PostgresHook):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.connections: list[Any] = []
            self.notices: list[str] = []

        def get_conn(self) -> Any:
            connection = super().get_conn()
            self.connections.append(connection)
            if hasattr(connection, "add_notice_handler"):  # psycopg 3
                connection.add_notice_handler(
                    lambda notice: self.notices.append(f"{notice.severity}:  {notice.message_primary}\n")
                )
            else:
                connection.notices = self.notices
            return connection

        @property
        def engine_log(self) -> list[tuple[str, float]]:
            """The statements that the engine ran, with its own durations, without those of the driver."""
            pattern = re.compile(r"LOG:  duration: ([\d.]+) ms  (?:statement|execute <unnamed>): (.*)\n", re.DOTALL)
            found = [pattern.fullmatch(line) for line in self.notices]
            pairs = [(match[2], float(match[1])) for match in found if match]
            return [(text, duration) for text, duration in pairs if text not in ("BEGIN", "COMMIT", "ROLLBACK")]

    options = "-c client_min_messages=log -c log_min_duration_statement=0"
    definition = {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": 5432,
        "login": "postgres",
        "schema": "test",
        "extra": {"options": options},
    }
    hook = Telling(connect(json.dumps(definition)))
    table = "ryft_capture"
    with (
        psycopg2.connect(host="127.0.0.1", user="postgres", dbname="test") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DROP TABLE IF EXISTS {table}")
        cursor.execute(f"CREATE TABLE {table} (n INTEGER PRIMARY KEY, s TEXT)")
    connection.close()
    yield hook
    for connection in hook.connections:
        connection.close()


@services
def test_postgres_agrees(processor: Any, postgres: Any) -> None:
    """The texts are those that the engine ran, in its order; no statement was shorter than the engine says."""
    from airflow.providers.postgres.hooks.postgres import USE_PSYCOPG3

    if USE_PSYCOPG3:
        from psycopg import sql
    else:
        from psycopg2 import sql
    postgres.run("SELECT 1; SELECT pg_sleep(0.01);", split_statements=True)
    composed = sql.SQL("SELECT {} FROM {}").format(sql.Identifier("n"), sql.Identifier("ryft_capture"))
    postgres.run([composed], handler=lambda cursor: cursor.fetchall())
    postgres.get_first("SELECT count(*) FROM ryft_capture")
    engine_log = postgres.engine_log
    assert processor.texts == [text for text, _ in engine_log]
    assert 'SELECT "n" FROM "ryft_capture"' in processor.texts
    for statement, (_, duration) in zip(processor.ended, engine_log, strict=True):
        assert statement.duration_ms >= duration
    assert re.match(r"\d+\.\d+", processor.ended[0].server_version)


@services
def test_postgres_failure(processor: Any, postgres: Any) -> None:
    """The driver's own error is reported, with its code."""
    with pytest.raises(Exception, match="nope") as raised:
        postgres.run(["SELECT 1", "SELECT nope"])
    assert processor.texts == ["SELECT 1", "SELECT nope"]
    assert processor.ended[1].error is raised.value
    assert getattr(raised.value, "pgcode", None) or raised.value.sqlstate == "42703"


@services
def test_postgres_rows(processor: Any, postgres: Any) -> None:
    """Every way of inserting rows is one record, and what the dialect asks for it is not reported."""
    rows = [(n, f"secret {n}") for n in range(30)]
    postgres.insert_rows("ryft_capture", rows, ["n", "s"], commit_every=7)
    postgres.insert_rows("ryft_capture", rows, ["n", "s"], replace=True, replace_index="n", executemany=True)
    postgres.insert_rows("ryft_capture", [(n + 100, s) for n, s in rows], ["n", "s"], fast_executemany=True)
    postgres.insert_rows("public.ryft_capture", rows, ["n", "s"], replace=True)  # asks for the primary key
    with pytest.raises(Exception, match="duplicate key"):
        postgres.insert_rows("ryft_capture", rows, ["n", "s"])
    assert len(processor.texts) == 5
    assert all("ryft_capture (n, s) VALUES" in text for text in processor.texts)
    assert any("information_schema" in text for text, _ in postgres.engine_log)
    assert "secret" not in "".join(processor.texts)
    assert [statement.error is None for statement in processor.ended] == [True] * 4 + [False]
    assert postgres.get_first("SELECT count(*) FROM ryft_capture") == (60,)


@services
def test_postgres_copy(processor: Any, postgres: Any, tmp_path: Path) -> None:
    """``COPY`` through a file is reported as the statement that it is."""
    path = tmp_path / "rows.tsv"
    path.write_text("1\ta\n2\tb\n")
    postgres.copy_expert("COPY ryft_capture FROM STDIN", str(path))
    postgres.bulk_dump("ryft_capture", str(tmp_path / "dump.tsv"))
    with pytest.raises(Exception, match="duplicate key"):
        postgres.bulk_load("ryft_capture", str(path))
    assert processor.texts == [
        "COPY ryft_capture FROM STDIN",
        "COPY ryft_capture TO STDOUT",
        "COPY ryft_capture FROM STDIN",
    ]
    assert processor.first_texts == processor.texts
    assert [statement.error is None for statement in processor.ended] == [True, True, False]


@services
def test_postgres_copy_of_a_composed_statement(processor: Any, postgres: Any, tmp_path: Path) -> None:
    """A statement that its driver has to write out is reported as it was executed."""
    from airflow.providers.postgres.hooks.postgres import USE_PSYCOPG3

    if USE_PSYCOPG3:
        pytest.skip("with psycopg 3 the hook takes text only")
    from psycopg2 import sql

    composed = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier("ryft_capture"))
    postgres.copy_expert(composed, str(tmp_path / "rows.tsv"))
    assert processor.only.text == 'COPY "ryft_capture" TO STDOUT'


@services
def test_postgres_engine(processor: Any, postgres: Any) -> None:
    """An engine of SQLAlchemy reports what it was asked, and not what its dialect asks: versions, savepoints, types."""
    from sqlalchemy import MetaData, Table, text

    engine = postgres.get_sqlalchemy_engine()
    with engine.begin() as connection:
        with connection.begin_nested():
            connection.execute(text("INSERT INTO ryft_capture VALUES (:n, :s)"), {"n": 1, "s": "secret"})
        with pytest.raises(Exception, match="nope"), connection.begin_nested():
            connection.execute(text("SELECT nope"))
    table = Table("ryft_capture", MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        assert connection.execute(table.select()).fetchall() == [(1, "secret")]
    postgres.get_table_schema("ryft_capture")
    engine.dispose()
    texts = [" ".join(text.split()) for text in processor.texts]
    assert texts == [
        "INSERT INTO ryft_capture VALUES (%(n)s, %(s)s)",
        "SELECT nope",
        "SELECT ryft_capture.n, ryft_capture.s FROM ryft_capture",
    ]
    assert {statement.conn_id for statement in processor.ended} == {"warehouse"}


@services
def test_postgres_data_frames(processor: Any, postgres: Any) -> None:
    """A data frame runs through SQLAlchemy inside of the hook, and is one statement."""
    pytest.importorskip("pandas", reason="needs pandas")
    try:
        postgres.get_df("SELECT 1 AS n")
    except AttributeError:
        pytest.skip("this pandas does not know this SQLAlchemy")
    assert sum(len(chunk) for chunk in postgres.get_df_by_chunks("SELECT generate_series(1, 5)", chunksize=2)) == 5
    with pytest.raises(Exception, match="nope"):
        postgres.get_df("SELECT nope")
    assert processor.texts == ["SELECT 1 AS n", "SELECT generate_series(1, 5)", "SELECT nope"]
    assert [statement.error is None for statement in processor.ended] == [True, True, False]


# --- MariaDB, through PyMySQL in the place of its C twin


@pytest.fixture
def mysql(connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Any:
    pymysql = pytest.importorskip("pymysql", reason="needs PyMySQL")
    module = pytest.importorskip("airflow.providers.mysql.hooks.mysql", reason="needs the MySQL provider")
    for name in ("MySQLdb", "MySQLdb.cursors", "MySQLdb.connections"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "MySQLdb", pymysql)
    definition = {
        "conn_type": "mysql",
        "host": "127.0.0.1",
        "port": 3306,
        "login": "root",
        "schema": "test",
        "extra": {"local_infile": True},
    }
    hook = module.MySqlHook(connect(json.dumps(definition)), local_infile=True)
    with pymysql.connect(host="127.0.0.1", user="root", database="test") as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS ryft_capture")
        cursor.execute("CREATE TABLE ryft_capture (n INTEGER PRIMARY KEY, s TEXT)")
    return hook


@services
def test_mysql(processor: Any, mysql: Any, tmp_path: Path) -> None:
    """Queries, rows and loads are reported, whether they succeed or not."""
    mysql.run(["SELECT 1", "SELECT 2"])
    mysql.insert_rows("ryft_capture", [(1, "secret"), (2, "secret")], ["n", "s"])
    with pytest.raises(Exception, match="nope"):
        mysql.get_records("SELECT nope")
    path = tmp_path / "rows.tsv"
    path.write_text("3\tc\n")
    mysql.bulk_load("ryft_capture", str(path))
    with pytest.raises(Exception, match="doesn't exist"):
        mysql.bulk_load("ryft_missing", str(path))
    with pytest.raises(ValueError, match="Invalid table name"):
        mysql.bulk_load("ryft;missing", str(path))
    mysql.bulk_load_custom("ryft_capture", str(path), "REPLACE", "(n, s)")
    assert processor.texts == [
        "SELECT 1",
        "SELECT 2",
        "INSERT INTO ryft_capture (n, s) VALUES (%s,%s)",
        "SELECT nope",
        "LOAD DATA LOCAL INFILE %s INTO TABLE `ryft_capture`",
        "LOAD DATA LOCAL INFILE %s INTO TABLE `ryft_missing`",
        "LOAD DATA LOCAL INFILE %s REPLACE INTO TABLE `ryft_capture` (n, s)",
    ]
    assert processor.first_texts == processor.texts
    assert [statement.error is None for statement in processor.ended] == [True, True, True, False, True, False, True]
    assert "MariaDB" in processor.ended[0].server_version
    assert not processor.ended[0].server_version.startswith("5.5.5-")


# --- DuckDB, which is always at hand


def test_duckdb(processor: Any, connect: Callable[..., str], tmp_path: Path) -> None:
    """An embedded engine behind another package's hook."""
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb")
    module = pytest.importorskip("duckdb_provider.hooks.duckdb_hook", reason="needs airflow-provider-duckdb")
    definition = {"conn_type": "duckdb", "host": str(tmp_path / "test.duckdb")}
    hook = module.DuckDBHook(connect(json.dumps(definition)))
    hook.run(["CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (1)"])
    assert hook.get_records("SELECT n FROM t") == [(1,)]
    with pytest.raises(duckdb.Error):
        hook.run("SELECT nope")
    assert processor.texts == [
        "CREATE TABLE t (n INTEGER)",
        "INSERT INTO t VALUES (1)",
        "SELECT n FROM t",
        "SELECT nope",
    ]
    assert [statement.error is None for statement in processor.ended] == [True, True, True, False]
    assert {statement.server_version for statement in processor.ended} == {duckdb.__version__}
