"""PostgreSQL's errors: of a real server where it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo
from support.failures import EXTERNAL, INTERNAL, RESOURCES, USER, described, failure_of, or_skip


@pytest.fixture(params=["psycopg2", "psycopg"])
def driver(request: pytest.FixtureRequest) -> ModuleType:
    """Return a driver of PostgreSQL."""
    module: ModuleType = pytest.importorskip(request.param)
    return module


@pytest.fixture
def postgres(driver: ModuleType) -> Iterator[Any]:
    """Return a connection to a real PostgreSQL."""
    connection = or_skip(lambda: postgres_connection(driver), "PostgreSQL")
    yield connection
    connection.close()


def postgres_connection(driver: ModuleType) -> Any:
    connection = driver.connect(host="127.0.0.1", port=5432, user="postgres", dbname="test", connect_timeout=5)
    connection.autocommit = True
    return connection


POSTGRES = {
    "syntax": ("SELEC 1", USER, "SYNTAX_ERROR"),
    "no table": ("SELECT * FROM ryft_nothing", USER, "UNDEFINED_TABLE"),
    "no column": ("SELECT nothing FROM pg_class", USER, "UNDEFINED_COLUMN"),
    "division": ("SELECT 1/0", USER, "DIVISION_BY_ZERO"),
    "cast": ("SELECT 'x'::int", USER, "INVALID_TEXT_REPRESENTATION"),
    "recursion": ("SELECT repeat('x', 1073741824)", RESOURCES, "PROGRAM_LIMIT_EXCEEDED"),
    "timeout": ("SET statement_timeout = 20; SELECT pg_sleep(30)", RESOURCES, "QUERY_CANCELED"),
    "no memory": ("DO $$ BEGIN RAISE 'no' USING ERRCODE = '53200'; END $$", RESOURCES, "OUT_OF_MEMORY"),
    "no disk": ("DO $$ BEGIN RAISE 'no' USING ERRCODE = '53100'; END $$", RESOURCES, "DISK_FULL"),
    "own state": ("DO $$ BEGIN RAISE 'no' USING ERRCODE = 'RY001'; END $$", USER, "RY001"),
    "bug": ("DO $$ BEGIN RAISE 'no' USING ERRCODE = 'XX000'; END $$", INTERNAL, "INTERNAL_ERROR"),
    "bad index": ("DO $$ BEGIN RAISE 'no' USING ERRCODE = 'XX002'; END $$", INTERNAL, "INDEX_CORRUPTED"),
    "serialization": ("DO $$ BEGIN RAISE 'no' USING ERRCODE = '40001'; END $$", EXTERNAL, "SERIALIZATION_FAILURE"),
}


@pytest.mark.services
@pytest.mark.parametrize("case", POSTGRES)
def test_postgres(postgres: Any, case: str) -> None:
    """PostgreSQL's errors are classified by their SQLSTATE and its name."""
    sql, kind, name = POSTGRES[case]
    info = failure_of(lambda: postgres.cursor().execute(sql))
    assert (info.error_type, info.error_name) == (kind, name)
    assert info.failure_type is not None
    assert info.failure_type.startswith(("psycopg2.", "psycopg."))
    assert info.error_code is None


@pytest.mark.services
def test_postgres_message_quotes_neither_statement_nor_data(postgres: Any) -> None:
    """The lines that PostgreSQL adds quote the statement, and the values that a constraint refused."""
    cursor = postgres.cursor()
    cursor.execute("CREATE TEMPORARY TABLE ryft_person (email text PRIMARY KEY)")
    cursor.execute("INSERT INTO ryft_person VALUES ('bob@example.com')")
    info = failure_of(lambda: cursor.execute("INSERT INTO ryft_person VALUES (%s)", ["bob@example.com"]))
    assert info.error_name == "UNIQUE_VIOLATION"
    assert info.failure_message == 'duplicate key value violates unique constraint "ryft_person_pkey"'
    info = failure_of(lambda: cursor.execute("SELECT nothing, 'some secret' FROM ryft_person"))
    assert info.failure_message == 'column "nothing" does not exist'


@pytest.mark.services
def test_postgres_lock_timeout_is_external(postgres: Any, driver: ModuleType) -> None:
    """A statement that waits for a lock in vain has done nothing wrong."""
    other = postgres_connection(driver)
    try:
        cursor = postgres.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS ryft_lock (n int)")
        other.autocommit = False
        other.cursor().execute("LOCK TABLE ryft_lock IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SET lock_timeout = 20")
        info = failure_of(lambda: cursor.execute("SELECT * FROM ryft_lock"))
    finally:
        other.close()
    assert (info.error_type, info.error_name) == (EXTERNAL, "LOCK_NOT_AVAILABLE")


@pytest.mark.services
def test_postgres_kill_is_external(postgres: Any, driver: ModuleType) -> None:
    """A statement that is cancelled, or whose session is ended by an administrator, has done nothing wrong."""

    def stop_after(function: str) -> FailureInfo:
        victim = postgres_connection(driver)
        cursor = victim.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

        def stop() -> None:
            for _ in range(1_000):
                watch = postgres.cursor()
                watch.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND query LIKE '%%pg_sleep%%'", [pid])
                if watch.fetchone():
                    watch.execute(f"SELECT {function}(%s)", [pid])
                    return
                time.sleep(0.01)

        thread = threading.Thread(target=stop)
        thread.start()
        try:
            return failure_of(lambda: cursor.execute("SELECT pg_sleep(30)"))
        finally:
            thread.join()
            victim.close()

    cancelled = stop_after("pg_cancel_backend")
    assert (cancelled.error_type, cancelled.error_name) == (EXTERNAL, "QUERY_CANCELED")
    ended = stop_after("pg_terminate_backend")
    assert ended.error_type is EXTERNAL
    assert ended.error_name in ("ADMIN_SHUTDOWN", None)  # libpq may notice the closed connection first


@pytest.mark.services
def test_postgres_lost_connection_is_external(postgres: Any, driver: ModuleType) -> None:
    """A connection that is gone has no SQLSTATE, only a class."""
    postgres.close()
    assert failure_of(lambda: postgres.cursor()).error_type is EXTERNAL


def test_postgres_that_is_not_there_is_external(driver: ModuleType) -> None:
    """A refused connection is no mistake in the statement."""
    info = failure_of(lambda: driver.connect(host="127.0.0.1", port=1, user="x", dbname="x", connect_timeout=2))
    assert info.error_type is EXTERNAL


@pytest.mark.services
@pytest.mark.parametrize("wrong", [{"user": "ryft_nobody"}, {"dbname": "ryft_nothing"}])
def test_postgres_that_refuses_a_login_is_the_users(postgres: Any, driver: ModuleType, wrong: dict[str, str]) -> None:
    """A role or a database that is not there is a mistake in the connection, as it is in a statement."""
    asked = {"host": "127.0.0.1", "user": "postgres", "dbname": "test", **wrong}
    info = failure_of(lambda: driver.connect(**asked))
    assert info.error_type is USER
    assert "does not exist" in (info.failure_message or "")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ('FATAL:  password authentication failed for user "x"', USER),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "x", database "y", no encryption', USER),
        ("fe_sendauth: no password supplied", USER),
        ("FATAL:  sorry, too many clients already", RESOURCES),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", RESOURCES),
        ("FATAL:  the database system is starting up", EXTERNAL),
        ("Connection refused", EXTERNAL),
    ],
)
def test_postgres_that_does_not_let_in(driver: ModuleType, said: str, kind: ErrorType) -> None:
    """Libpq has no SQLSTATE for what happens while it connects."""
    error = driver.OperationalError(f'connection to server at "127.0.0.1", port 5432 failed: {said}\n')
    assert described(error).error_type is kind


@pytest.mark.services
def test_sqlalchemy_shows_neither_parameters_nor_itself() -> None:
    """SQLAlchemy's error is the driver's; its own message lists the bound parameters."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine("postgresql+psycopg2://postgres@127.0.0.1/test")
    connection = or_skip(engine.connect, "PostgreSQL")
    with connection:
        info = failure_of(
            lambda: connection.execute(sqlalchemy.text("SELECT * FROM ryft_no WHERE s = :s"), {"s": "hidden"})
        )
    assert info.failure_type == "psycopg2.errors.UndefinedTable"
    assert info.failure_message == 'relation "ryft_no" does not exist'


def test_sqlalchemy_without_a_driver_shows_no_parameters() -> None:
    """An error of SQLAlchemy's own says what was wrong, and not what was bound."""
    exceptions = pytest.importorskip("sqlalchemy.exc")
    info = described(exceptions.StatementError("wrong", "SELECT :s", {"s": "hidden"}, ValueError("wrong")))
    assert "hidden" not in str(info)
