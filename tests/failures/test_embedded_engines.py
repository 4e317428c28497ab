"""Errors of the engines that run in this process: SQLite and DuckDB."""

from __future__ import annotations

import sqlite3
import sys
from typing import Any

import pytest

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo
from support.failures import EXTERNAL, RESOURCES, USER, described, failure_of


def test_sqlite(tmp_path: Any) -> None:
    """SQLite's errors are classified by their result code; a misspelt table is the user's, a locked one is not."""
    path = str(tmp_path / "x.db")
    first, second = sqlite3.connect(path, timeout=0), sqlite3.connect(path, timeout=0)
    first.execute("CREATE TABLE t (n INTEGER PRIMARY KEY CHECK (n > 0))")
    assert failure_of(lambda: first.execute("SELECT * FROM nothing")).error_type is USER
    assert failure_of(lambda: first.execute("SELEC 1")).error_type is USER
    refused = failure_of(lambda: first.execute("INSERT INTO t VALUES (-1)"))
    assert refused.error_type is USER
    first.rollback()
    first.execute("BEGIN EXCLUSIVE")
    locked = failure_of(lambda: second.execute("SELECT * FROM t"))
    assert locked.error_type is EXTERNAL
    assert locked.failure_message == "database is locked"
    first.rollback()
    first.execute("PRAGMA max_page_count = 2")
    full = failure_of(lambda: first.execute("CREATE TABLE big AS SELECT randomblob(100000) AS b"))
    assert full.error_type is RESOURCES
    interrupted: list[FailureInfo] = []
    second.set_progress_handler(lambda: 1, 1)
    interrupted.append(failure_of(lambda: second.execute("SELECT count(*) FROM t")))
    assert interrupted[0].error_type is EXTERNAL
    if sys.version_info >= (3, 11):
        assert (locked.error_code, locked.error_name) == (5, "SQLITE_BUSY")
        assert refused.error_name == "SQLITE_CONSTRAINT_CHECK"
    first.close()
    second.close()
    assert failure_of(lambda: sqlite3.connect(str(tmp_path / "no" / "x.db"))).error_type is EXTERNAL


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("no such table: t", USER),
        ("database is locked", EXTERNAL),
        ("disk I/O error", EXTERNAL),
        ("database or disk is full", RESOURCES),
        ("interrupted", EXTERNAL),
    ],
)
def test_sqlite_of_python_3_10(message: str, kind: ErrorType) -> None:
    """Before Python 3.11 there is only the message."""
    assert described(sqlite3.OperationalError(message)).error_type is kind


def test_duckdb() -> None:
    """DuckDB's errors are classified by their class."""
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    missing = failure_of(lambda: connection.execute("SELECT * FROM nothing"))
    assert (missing.error_type, missing.error_name) == (USER, "Catalog")
    assert failure_of(lambda: connection.execute("SELEC 1")).error_name == "Parser"
    assert failure_of(lambda: connection.execute("SELECT CAST('x' AS INT)")).error_type is USER
    connection.execute("SET memory_limit = '1MB'")
    connection.execute("SET temp_directory = ''")
    memory = failure_of(lambda: connection.execute("CREATE TABLE t AS SELECT range::VARCHAR AS s FROM range(10000000)"))
    assert (memory.error_type, memory.error_name) == (RESOURCES, "OutOfMemory")
    assert failure_of(lambda: connection.execute("SELECT * FROM '/nowhere/x.parquet'")).error_type is EXTERNAL
    connection.interrupt()
