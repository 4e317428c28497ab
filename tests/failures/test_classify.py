"""Exceptions as ``failureInfo``: made by real drivers and servers where they run here, else of the drivers' shape."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.failures import codes
from airflow_provider_ryft.failures.classify import failure_info
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query

USER, INTERNAL = ErrorType.USER_ERROR, ErrorType.INTERNAL_ERROR
RESOURCES, EXTERNAL = ErrorType.INSUFFICIENT_RESOURCES, ErrorType.EXTERNAL


def of(run: Callable[[], Any]) -> FailureInfo:
    """Describe what a call raises."""
    with pytest.raises(BaseException) as caught:
        run()
    return described(caught.value)


def described(error: BaseException) -> FailureInfo:
    """Describe an exception, and see that the query's payload can carry the description."""
    info = failure_info(error)
    Query(
        query_id="1",
        query="select",
        query_state="FAILED",  # type: ignore[arg-type]
        timestamp="2026-03-10T12:00:00Z",  # type: ignore[arg-type]
        duration_ms=1,
        failure_info=info,
    ).encode()
    return info


def caused_by(outer: BaseException, cause: BaseException) -> BaseException:
    """Return an exception as ``raise outer from cause`` makes it."""
    try:
        raise outer from cause
    except BaseException as error:
        return error


def or_skip(connect: Callable[[], Any], server: str) -> Any:
    """Connect to a server; without one the test is skipped, unless the suite was told that there is one."""
    try:
        return connect()
    except Exception as error:
        if os.environ.get("RYFT_TEST_SERVICES") == "1":
            raise
        pytest.skip(f"no {server} on loopback: {type(error).__name__}")


# --- PostgreSQL


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
    """PostgreSQL's errors are told by their SQLSTATE and its name."""
    sql, kind, name = POSTGRES[case]
    info = of(lambda: postgres.cursor().execute(sql))
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
    info = of(lambda: cursor.execute("INSERT INTO ryft_person VALUES (%s)", ["bob@example.com"]))
    assert info.error_name == "UNIQUE_VIOLATION"
    assert info.failure_message == 'duplicate key value violates unique constraint "ryft_person_pkey"'
    info = of(lambda: cursor.execute("SELECT nothing, 'some secret' FROM ryft_person"))
    assert info.failure_message == 'column "nothing" does not exist'


@pytest.mark.services
def test_postgres_lock_timeout_is_external(postgres: Any, driver: ModuleType) -> None:
    """Who waits for a lock in vain has done nothing wrong."""
    other = postgres_connection(driver)
    try:
        cursor = postgres.cursor()
        cursor.execute("CREATE TABLE IF NOT EXISTS ryft_lock (n int)")
        other.autocommit = False
        other.cursor().execute("LOCK TABLE ryft_lock IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SET lock_timeout = 20")
        info = of(lambda: cursor.execute("SELECT * FROM ryft_lock"))
    finally:
        other.close()
    assert (info.error_type, info.error_name) == (EXTERNAL, "LOCK_NOT_AVAILABLE")


@pytest.mark.services
def test_postgres_kill_is_external(postgres: Any, driver: ModuleType) -> None:
    """A statement that is cancelled, or whose session is ended by somebody, has done nothing wrong."""

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
            return of(lambda: cursor.execute("SELECT pg_sleep(30)"))
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
    assert of(lambda: postgres.cursor()).error_type is EXTERNAL


def test_postgres_that_is_not_there_is_external(driver: ModuleType) -> None:
    """A refused connection is nobody's mistake in the statement."""
    info = of(lambda: driver.connect(host="127.0.0.1", port=1, user="x", dbname="x", connect_timeout=2))
    assert info.error_type is EXTERNAL


@pytest.mark.services
@pytest.mark.parametrize("wrong", [{"user": "ryft_nobody"}, {"dbname": "ryft_nothing"}])
def test_postgres_that_refuses_a_login_is_the_users(postgres: Any, driver: ModuleType, wrong: dict[str, str]) -> None:
    """A role or a database that is not there is a mistake in the connection, as it is in a statement."""
    asked = {"host": "127.0.0.1", "user": "postgres", "dbname": "test", **wrong}
    info = of(lambda: driver.connect(**asked))
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
        info = of(lambda: connection.execute(sqlalchemy.text("SELECT * FROM ryft_no WHERE s = :s"), {"s": "hidden"}))
    assert info.failure_type == "psycopg2.errors.UndefinedTable"
    assert info.failure_message == 'relation "ryft_no" does not exist'


def test_sqlalchemy_without_a_driver_shows_no_parameters() -> None:
    """An error of SQLAlchemy's own says what was wrong, and not what was bound."""
    exceptions = pytest.importorskip("sqlalchemy.exc")
    info = described(exceptions.StatementError("wrong", "SELECT :s", {"s": "hidden"}, ValueError("wrong")))
    assert "hidden" not in str(info)


# --- MariaDB


@pytest.fixture
def mariadb() -> Iterator[Any]:
    """Return a connection to a real MariaDB."""
    connection = or_skip(mariadb_connection, "MariaDB")
    yield connection
    if connection.open:
        connection.close()


def mariadb_connection() -> Any:
    pymysql = pytest.importorskip("pymysql")
    return pymysql.connect(
        host="127.0.0.1", user="root", database="test", autocommit=True, connect_timeout=5, read_timeout=60
    )


MARIADB = {
    "syntax": ("SELEC 1", USER, 1064, "ER_PARSE_ERROR"),
    "no table": ("SELECT * FROM ryft_nothing", USER, 1146, "ER_NO_SUCH_TABLE"),
    "no column": ("SELECT nothing FROM mysql.db", USER, 1054, "ER_BAD_FIELD_ERROR"),
    "no database": ("USE ryft_nothing", USER, 1049, "ER_BAD_DB_ERROR"),
    "timeout": ("SET STATEMENT max_statement_time=0.05 FOR SELECT SLEEP(30)", RESOURCES, 1969, "ER_STATEMENT_TIMEOUT"),
}


@pytest.mark.services
@pytest.mark.parametrize("case", MARIADB)
def test_mariadb(mariadb: Any, case: str) -> None:
    """MySQL's errors are told by their number, whatever class the driver gave them."""
    sql, kind, code, name = MARIADB[case]
    info = of(lambda: mariadb.cursor().execute(sql))
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)
    assert info.failure_type is not None
    assert info.failure_type.startswith("pymysql.err.")
    assert str(code) not in (info.failure_message or "")


@pytest.mark.services
@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT 1 FRM t WHERE pw = %s", "ER_PARSE_ERROR"),
        ("INSERT INTO ryft_secret (s) VALUES (%s)", "ER_DUP_ENTRY"),
        ("INSERT INTO ryft_secret VALUES ('1', %s)", "ER_TRUNCATED_WRONG_VALUE_FOR_FIELD"),
    ],
)
@pytest.mark.parametrize("language", ["en_US", "de_DE", "ja_JP"])
def test_mariadb_message_quotes_no_half_of_a_secret(mariadb: Any, sql: str, name: str, language: str) -> None:
    """The server cuts off what it quotes; the rest of a secret would be no secret that anybody knows."""
    secret = "S3cretPart-" + "abcdefghij" * 40
    cursor = mariadb.cursor()
    cursor.execute("CREATE TEMPORARY TABLE ryft_secret (s VARCHAR(500) PRIMARY KEY, n INT)")
    cursor.execute("INSERT INTO ryft_secret (s) VALUES (%s)", [secret])
    cursor.execute(f"SET lc_messages = {language}")
    info = of(lambda: cursor.execute(sql, [secret]))
    assert info.error_name == name
    assert info.failure_message
    assert "S3cret" not in info.failure_message


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (3, "Error writing file '/tmp/MYfd=7' (Errcode: 28 \"No space left on device\")", RESOURCES),
        (3, "Error writing file '/tmp/MY' (OS errno 28 - No space left on device)", RESOURCES),
        (3, "Error writing file '/tmp/MYfd=7' (Errcode: 5 \"Input/output error\")", INTERNAL),
        (1, "Can't create/write to file '/tmp/MLx' (Errcode: 13 \"Permission denied\")", INTERNAL),
        (5, "Out of memory (Needed 65536 bytes)", RESOURCES),
        (20, "Disk is full writing '/tmp/MY' (Errcode: 28). Waiting for someone to free space...", RESOURCES),
        (23, "Out of resources when opening file './x.MYD' (Errcode: 24)", RESOURCES),
        (28, "no", RESOURCES),
        (126, "Index for table 'x' is corrupt; try to repair it", INTERNAL),
        (1004, "Can't create file './x.frm' (errno: 28 \"No space left on device\")", RESOURCES),
        (1020, "Record has changed since last read in table 't'", EXTERNAL),
        (1026, "Error writing file './x' (errno: 5 \"Input/output error\")", INTERNAL),
        (1028, "Sort aborted: ", RESOURCES),
        (1030, 'Got error 28 "No space left on device" from storage engine Aria', RESOURCES),
        (1030, 'Got error 122 "Internal (unspecified) error in handler" from storage engine InnoDB', INTERNAL),
        (1047, "WSREP has not yet prepared node for application use", EXTERNAL),
        (1180, 'Got error 149 "Lock deadlock; Retry transaction" during COMMIT', EXTERNAL),
        (1180, 'Got error 1 "Operation not permitted" during COMMIT', INTERNAL),
        (1290, "The MariaDB server is running with the --read-only option", USER),
        (1698, "Access denied for user 'x'@'y'", USER),
    ],
)
def test_mysql_server_in_trouble(code: int, said: str, kind: ErrorType) -> None:
    """What the server's files, disk or storage engines say is never the user's error; an inner number may tell more."""
    info = described(shaped("MySQLdb", "OperationalError", code, said))
    assert (info.error_type, info.error_code) == (kind, code)


def test_mysql_message_keeps_what_was_quoted_whole() -> None:
    """A short quotation names the table or the column that the user has to look for."""
    said = "Table 'x' doesn't exist in the engine, nor in any other one that this server has, wherever one looked"
    info = described(shaped("MySQLdb", "ProgrammingError", 1932, said))
    assert info.failure_message == said
    info = described(shaped("MySQLdb", "ProgrammingError", 1064, "You have an error to use near 'x' at line 1"))
    assert info.failure_message == "You have an error to use"


@pytest.mark.services
def test_mariadb_kill_is_external(mariadb: Any) -> None:
    """A query, or a connection, that somebody kills has done nothing wrong."""

    def kill(what: str) -> FailureInfo:
        victim = mariadb_connection()

        def stop() -> None:
            for _ in range(1_000):
                watch = mariadb.cursor()
                watch.execute("SELECT info FROM information_schema.processlist WHERE id = %s", [victim.thread_id()])
                row = watch.fetchone()
                if row and row[0] and "SLEEP" in row[0]:
                    watch.execute(f"KILL {what} {victim.thread_id()}")
                    return
                time.sleep(0.01)

        thread = threading.Thread(target=stop)
        thread.start()
        try:
            return of(lambda: victim.cursor().execute("SELECT SLEEP(30)"))
        finally:
            thread.join()

    assert kill("CONNECTION").error_type is EXTERNAL
    query = kill("QUERY")
    assert (query.error_type, query.error_code) == (EXTERNAL, 1317)


@pytest.mark.services
def test_mariadb_deadlock_is_external(mariadb: Any) -> None:
    """The victim of a deadlock has done nothing wrong."""
    other = mariadb_connection()
    setup = mariadb.cursor()
    setup.execute("CREATE TABLE IF NOT EXISTS ryft_deadlock (n INT PRIMARY KEY) ENGINE=InnoDB")
    setup.execute("INSERT IGNORE INTO ryft_deadlock VALUES (1), (2)")
    lock = "SELECT * FROM ryft_deadlock WHERE n = %s FOR UPDATE"
    failures: list[BaseException] = []

    def take(connection: Any, first: int, second: int, both_hold: threading.Barrier) -> None:
        cursor = connection.cursor()
        try:
            connection.begin()
            cursor.execute(lock, [first])
            both_hold.wait(30)
            cursor.execute(lock, [second])
        except Exception as error:
            failures.append(error)
        connection.rollback()

    barrier = threading.Barrier(2)
    thread = threading.Thread(target=take, args=(other, 2, 1, barrier))
    thread.start()
    take(mariadb, 1, 2, barrier)
    thread.join()
    other.close()
    (failure,) = failures
    info = described(failure)
    assert (info.error_type, info.error_code, info.error_name) == (EXTERNAL, 1213, "ER_LOCK_DEADLOCK")


def test_mariadb_that_is_not_there_is_external() -> None:
    """The client's own errors are numbers, too."""
    pymysql = pytest.importorskip("pymysql")
    info = of(lambda: pymysql.connect(host="127.0.0.1", port=1, connect_timeout=2))
    assert (info.error_type, info.error_code, info.error_name) == (EXTERNAL, 2003, "CR_CONN_HOST_ERROR")


# --- engines in this process


def test_sqlite(tmp_path: Any) -> None:
    """SQLite's errors are told by their result code; a misspelt table is the user's, a locked one is not."""
    path = str(tmp_path / "x.db")
    first, second = sqlite3.connect(path, timeout=0), sqlite3.connect(path, timeout=0)
    first.execute("CREATE TABLE t (n INTEGER PRIMARY KEY CHECK (n > 0))")
    assert of(lambda: first.execute("SELECT * FROM nothing")).error_type is USER
    assert of(lambda: first.execute("SELEC 1")).error_type is USER
    refused = of(lambda: first.execute("INSERT INTO t VALUES (-1)"))
    assert refused.error_type is USER
    first.rollback()
    first.execute("BEGIN EXCLUSIVE")
    locked = of(lambda: second.execute("SELECT * FROM t"))
    assert locked.error_type is EXTERNAL
    assert locked.failure_message == "database is locked"
    first.rollback()
    first.execute("PRAGMA max_page_count = 2")
    full = of(lambda: first.execute("CREATE TABLE big AS SELECT randomblob(100000) AS b"))
    assert full.error_type is RESOURCES
    interrupted: list[FailureInfo] = []
    second.set_progress_handler(lambda: 1, 1)
    interrupted.append(of(lambda: second.execute("SELECT count(*) FROM t")))
    assert interrupted[0].error_type is EXTERNAL
    if sys.version_info >= (3, 11):
        assert (locked.error_code, locked.error_name) == (5, "SQLITE_BUSY")
        assert refused.error_name == "SQLITE_CONSTRAINT_CHECK"
    first.close()
    second.close()
    assert of(lambda: sqlite3.connect(str(tmp_path / "no" / "x.db"))).error_type is EXTERNAL


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
    """DuckDB's errors are told by their class."""
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    missing = of(lambda: connection.execute("SELECT * FROM nothing"))
    assert (missing.error_type, missing.error_name) == (USER, "Catalog")
    assert of(lambda: connection.execute("SELEC 1")).error_name == "Parser"
    assert of(lambda: connection.execute("SELECT CAST('x' AS INT)")).error_type is USER
    connection.execute("SET memory_limit = '1MB'")
    connection.execute("SET temp_directory = ''")
    memory = of(lambda: connection.execute("CREATE TABLE t AS SELECT range::VARCHAR AS s FROM range(10000000)"))
    assert (memory.error_type, memory.error_name) == (RESOURCES, "OutOfMemory")
    assert of(lambda: connection.execute("SELECT * FROM '/nowhere/x.parquet'")).error_type is EXTERNAL
    connection.interrupt()


# --- drivers whose servers do not run here: their real classes if they are installed


def trino_error(kind: str, name: str = "SOME_ERROR", code: int = 1) -> Any:
    exceptions = pytest.importorskip("trino.exceptions")
    error = {"errorType": kind, "errorName": name, "errorCode": code, "message": "line 1:8: no", "failureInfo": {}}
    return exceptions.TrinoQueryError(error, query_id="20260310_120000_00001_abcde")


@pytest.mark.parametrize("kind", ["USER_ERROR", "INTERNAL_ERROR", "INSUFFICIENT_RESOURCES", "EXTERNAL"])
def test_trino_says_it_itself(kind: str) -> None:
    """Trino's own error type, code and name are taken as they are, as in its own history."""
    info = described(trino_error(kind, "TABLE_NOT_FOUND", 46))
    assert info == FailureInfo(
        error_type=ErrorType(kind),
        error_code=46,
        error_name="TABLE_NOT_FOUND",
        failure_message="line 1:8: no",
        failure_type="trino.exceptions.TrinoQueryError",
    )


def test_trino_connection_is_external() -> None:
    """An error that Trino's coordinator did not make has a class only."""
    exceptions = pytest.importorskip("trino.exceptions")
    assert described(exceptions.TrinoConnectionError("failed to execute")).error_type is EXTERNAL
    assert described(exceptions.Http503Error("busy")).error_type is EXTERNAL


@pytest.mark.parametrize("module", ["trino", "prestodb"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, EXTERNAL), (502, EXTERNAL), (503, EXTERNAL), (504, EXTERNAL), (429, RESOURCES), (401, USER), (404, USER)],
)
def test_a_proxy_that_answers_for_trino_is_told_by_its_status(module: str, status: int, kind: ErrorType) -> None:
    """What is not from the coordinator is an HTTP status, which the client turns into an exception."""
    client = pytest.importorskip(f"{module}.client")
    answer = SimpleNamespace(status_code=status, content=b"<html>")
    request = getattr(client, f"{module.removesuffix('db').capitalize()}Request")
    info = of(lambda: request.raise_response_error(*(() if module == "trino" else (None,)), answer))
    assert (info.error_type, info.error_code, info.error_name) == (kind, None, None)
    assert (info.failure_message or "").startswith(f"error {status}")


SNOWFLAKE = [
    (1003, "42000", USER, "SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION"),
    (2003, "02000", USER, "NO_DATA"),
    (604, "57014", EXTERNAL, "QUERY_CANCELED"),
    (630, "57014", RESOURCES, "QUERY_CANCELED"),
    (603, "XX000", INTERNAL, "INTERNAL_ERROR"),
    (390100, "08001", USER, "SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION"),
    (390114, "08001", EXTERNAL, "SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION"),
    (251001, None, USER, None),
    (250001, "08001", EXTERNAL, "SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION"),
]


@pytest.mark.parametrize(("code", "state", "kind", "name"), SNOWFLAKE)
def test_snowflake(code: int, state: str | None, kind: ErrorType, name: str | None) -> None:
    """Snowflake's numbers go before its SQLSTATE, which does not tell a timeout from a cancel."""
    errors = pytest.importorskip("snowflake.connector.errors")
    info = described(errors.ProgrammingError(msg="it is so", errno=code, sqlstate=state, sfqid="01a"))
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)
    assert info.failure_message == "it is so"


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("InternalServerError", 500, EXTERNAL),
        ("BadGatewayError", 502, EXTERNAL),
        ("ServiceUnavailableError", 503, EXTERNAL),
        ("GatewayTimeoutError", 504, EXTERNAL),
        ("TooManyRequests", 429, RESOURCES),
        ("ForbiddenError", 403, USER),
        ("OtherHTTPRetryableError", 0, EXTERNAL),
        ("HttpError", None, EXTERNAL),
        ("RequestExceedMaxRetryError", None, EXTERNAL),
        ("TokenExpiredError", None, EXTERNAL),
        ("RefreshTokenError", None, EXTERNAL),
        ("BindUploadError", None, USER),
    ],
)
def test_snowflakes_http_errors(name: str, code: int | None, kind: ErrorType) -> None:
    """What the connector could not get through to Snowflake is told by its HTTP status, or else by its class."""
    errors = pytest.importorskip("snowflake.connector.errors")
    info = described(getattr(errors, name)(msg="no", **({} if code is None else {"errno": code})))
    assert (info.error_type, info.error_code) == (kind, None if code is None else 290000 + code)


CLICKHOUSE = [
    (60, USER, "UNKNOWN_TABLE"),
    (62, USER, "SYNTAX_ERROR"),
    (241, RESOURCES, "MEMORY_LIMIT_EXCEEDED"),
    (159, RESOURCES, "TIMEOUT_EXCEEDED"),
    (243, RESOURCES, "NOT_ENOUGH_SPACE"),
    (210, EXTERNAL, "NETWORK_ERROR"),
    (394, EXTERNAL, "QUERY_WAS_CANCELLED"),
    (49, INTERNAL, "LOGICAL_ERROR"),
]


@pytest.mark.parametrize(("code", "kind", "name"), CLICKHOUSE)
def test_clickhouse_driver(code: int, kind: ErrorType, name: str) -> None:
    """ClickHouse's errors are told by their number, and named from the driver's own list."""
    errors = pytest.importorskip("clickhouse_driver.errors")
    info = described(errors.ServerException("DB::Exception: no. Stack trace:\n0. DB::f()", code))
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)
    assert info.failure_message == "DB::Exception: no."


@pytest.mark.parametrize(("code", "kind", "name"), CLICKHOUSE)
def test_clickhouse_connect(code: int, kind: ErrorType, name: str) -> None:
    """The other driver has number and name in the text, older ones nowhere else."""
    exceptions = pytest.importorskip("clickhouse_connect.driver.exceptions")
    text = f"Received ClickHouse exception, code: {code}, server response: Code: {code}. DB::Exception: no. ({name})"
    info = described(exceptions.DatabaseError(text))
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)


@pytest.mark.parametrize(
    ("code", "said", "quoted"),
    [
        (
            62,
            "Syntax error: failed at position 10 (FRM) (line 1, col 10)",
            ": FRM t WHERE pw = 'S3cr... . Expected one of",
        ),
        (62, "Syntax error: failed at position 10 ('FRM')", ": FRM t WHERE pw = 'S3cr. Expected one of"),
        (
            62,
            "Syntax error: failed at position 10",
            " ('S3cr) (line 1...): 'S3cr) (line 1, col 1): ... . Expected one of",
        ),
        (62, "Cannot parse expression of type String", " here: 'S3cr"),
        (27, "Cannot parse input: expected ','", " before: '\\'S3cr'"),
        (60, "Unknown table here: t", ""),
    ],
)
def test_clickhouse_message_quotes_no_half_of_a_secret(code: int, said: str, quoted: str) -> None:
    """The server quotes a piece of the statement, whose end may be half of a secret."""
    errors = pytest.importorskip("clickhouse_driver.errors")
    info = described(errors.ServerException(f"{said}{quoted}. Stack trace:\n0. DB::f()", code))
    assert (info.failure_message or "").removesuffix(".") == said


DATABRICKS = [
    ("[TABLE_OR_VIEW_NOT_FOUND] The table `x` cannot be found. SQLSTATE: 42P01", USER, "TABLE_OR_VIEW_NOT_FOUND"),
    ("[PARSE_SYNTAX_ERROR] Syntax error at or near 'x'. SQLSTATE: 42601 (line 1, pos 7)", USER, "PARSE_SYNTAX_ERROR"),
    ("[CANNOT_READ_FILE.NO_MEMORY] no. SQLSTATE: 53200", RESOURCES, "CANNOT_READ_FILE.NO_MEMORY"),
    ("[FAILED_READ_FILE.DBR_FILE_NOT_EXIST] no. SQLSTATE: KD001", EXTERNAL, "FAILED_READ_FILE.DBR_FILE_NOT_EXIST"),
    ("[INTERNAL_ERROR] no. SQLSTATE: XX000", INTERNAL, "INTERNAL_ERROR"),
    ("Query execution failed", USER, None),
]


@pytest.mark.parametrize(("text", "kind", "name"), DATABRICKS)
def test_databricks(text: str, kind: ErrorType, name: str | None) -> None:
    """Databricks has Spark's error class and SQLSTATE in the text."""
    exceptions = pytest.importorskip("databricks.sql.exc")
    info = described(exceptions.ServerOperationError(text))
    assert (info.error_type, info.error_name, info.failure_message) == (kind, name, text)
    lost = described(exceptions.RequestError("connection reset"))
    assert lost.error_type is EXTERNAL


EXASOL = [
    ("ExaQueryError", "42000", USER, "SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION"),
    ("ExaQueryError", "40001", EXTERNAL, "SERIALIZATION_FAILURE"),
    ("ExaQueryTimeoutError", "R0001", RESOURCES, "QUERY_TIMEOUT"),
    ("ExaQueryAbortError", "R0003", EXTERNAL, "QUERY_ABORTED"),
    ("ExaRequestError", "08003", EXTERNAL, "08003"),
    ("ExaAuthError", "08004", USER, "08004"),
    ("ExaCommunicationError", None, EXTERNAL, None),
    ("ExaConnectionFailedError", None, EXTERNAL, None),
    ("ExaConcurrencyError", None, USER, None),
]


def exasol(name: str, code: str | None) -> BaseException:
    """Make an error of the real driver, which prints all that it knows of a connection."""
    exceptions = pytest.importorskip("pyexasol.exceptions")
    options = {"dsn": "host:8563", "user": "somebody", "verbose_error": True}
    connection = SimpleNamespace(options=options, current_schema=lambda: "S", session_id=lambda: "1")
    query = ["SELECT 'hidden'"] if "Query" in name else []
    made: BaseException = getattr(exceptions, name)(connection, *query, *([code] if code else []), "it is so")
    return made


@pytest.mark.parametrize(("kind", "code", "judged", "name"), EXASOL)
def test_exasol(kind: str, code: str | None, judged: ErrorType, name: str | None) -> None:
    """Exasol's errors are told by their SQLSTATE, else by their class, and say no more than the engine said."""
    info = described(exasol(kind, code))
    assert (info.error_type, info.error_code, info.error_name) == (judged, None, name)
    assert info.failure_message == "it is so"


def test_exasols_import_is_told_by_what_its_threads_failed_with() -> None:
    """An import runs in two threads, and its error holds theirs."""
    exceptions = pytest.importorskip("pyexasol.exceptions")
    lost = exasol("ExaQueryTimeoutError", "R0001")
    info = described(exceptions.ExaImportError(None, (ValueError("wrong"), None, lost)))
    assert (info.error_type, info.error_name) == (RESOURCES, "QUERY_TIMEOUT")
    info = described(exceptions.ExaImportError(None, (ValueError("wrong"),)))
    assert info.error_type is USER
    assert info.failure_message == "Error in executing `import_from_callback` (1 sub-exception)"


VERTICA = [
    ("42V01", 4566, USER, "42V01"),
    ("55V03", 5156, EXTERNAL, "LOCK_NOT_AVAILABLE"),
    ("V1001", 4534, EXTERNAL, "LOST_CONNECTIVITY"),
    ("53200", 3587, RESOURCES, "OUT_OF_MEMORY"),
    ("VX001", 1, INTERNAL, "VX001"),
]


@pytest.mark.parametrize(("state", "code", "kind", "name"), VERTICA)
def test_vertica(state: str, code: int, kind: ErrorType, name: str) -> None:
    """Vertica's errors are told by their SQLSTATE, and the statement that the driver adds is left out."""
    errors = pytest.importorskip("vertica_python.errors")
    messages = pytest.importorskip("vertica_python.vertica.messages.backend_messages.error_response")
    fields = f"SERROR\0C{state}\0Mit is so\0V{code}\0\0"
    info = described(errors.QueryError.from_error_response(messages.ErrorResponse(fields.encode()), "SELECT 'hidden'"))
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)
    assert info.failure_message == "it is so"
    assert described(errors.ConnectionError("closed")).error_type is EXTERNAL


# --- drivers that are not installed: exceptions of their shape, from modules of their names


def shaped(module: str, name: str, *args: Any, bases: tuple[str, ...] = (), **attributes: Any) -> BaseException:
    """Make an exception as a driver does, of a class with the driver's module, name and bases."""
    base: type[BaseException] = Exception
    for inherited in reversed(bases):
        base = type(inherited, (base,), {"__module__": module})
    error: BaseException = type(name, (base,), {"__module__": module})(*args)
    for attribute, value in attributes.items():
        setattr(error, attribute, value)
    return error


def oracle(code: int) -> BaseException:
    said = SimpleNamespace(code=code, full_code=f"ORA-{code:05}", message=f"ORA-{code:05}: no")
    return shaped("oracledb.exceptions", "DatabaseError", said)


def oracle_driver(name: str, kind: str, said: str, *, recoverable: bool = False) -> BaseException:
    """Make an error of oracledb's own, whose code is 0: taken down from oracledb 26.1."""
    error = SimpleNamespace(code=0, full_code=name, message=f"{name}: {said}", isrecoverable=recoverable)
    return shaped("oracledb.exceptions", kind, error, bases=("DatabaseError", "Error"))


def oracle_parallel(inner: int) -> BaseException:
    message = f"ORA-12801: error signaled in parallel query server P003\nORA-{inner:05}: no"
    said = SimpleNamespace(code=12801, full_code="ORA-12801", message=message)
    return shaped("oracledb.exceptions", "DatabaseError", said)


def odbc(state: str, said: str, native: int) -> BaseException:
    text = f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{said} ({native}) (SQLExecDirectW)"
    return shaped("pyodbc", "ProgrammingError" if state == "42000" else "Error", state, text)


def teradata_driver(code: str, said: str) -> BaseException:
    """Make an error of teradatasql's own: taken down from teradatasql 20.0."""
    text = f"[Version 20.0.0.72] [Session 0] [Teradata SQL Driver] [Error {code}] {said}\n at gosqldriver/x"
    return shaped("teradatasql", "OperationalError", text)


def redshift(said: str) -> BaseException:
    return shaped("redshift_connector.error", "ProgrammingError", {"C": "XX000", "M": said, "D": "on table - 1"})


def hive(state: str, code: int) -> BaseException:
    status = SimpleNamespace(sqlState=state, errorCode=code, errorMessage="Error while compiling")
    return shaped("pyhive.exc", "OperationalError", SimpleNamespace(status=status))


def google(status: int, reason: str | None) -> BaseException:
    errors = [{"reason": reason}] if reason else []
    return shaped("google.api_core.exceptions", "GoogleAPICallError", code=status, errors=errors, message="no")


def amazon(status: int, code: str) -> BaseException:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return shaped("botocore.exceptions", "ClientError", response=response)


def mysqlclient(code: int) -> BaseException:
    return shaped("MySQLdb", "OperationalError", code, "no")


def connector(code: int) -> BaseException:
    return shaped("mysql.connector.errors", "DatabaseError", errno=code, sqlstate="HY000", msg="no")


SHAPED: list[tuple[BaseException, ErrorType, int | None, str | None]] = [
    (oracle(942), USER, 942, "ORA-00942"),
    (oracle(60), EXTERNAL, 60, "ORA-00060"),
    (oracle(12541), EXTERNAL, 12541, "ORA-12541"),
    (oracle(1652), RESOURCES, 1652, "ORA-01652"),
    (oracle(600), INTERNAL, 600, "ORA-00600"),
    (oracle(4021), EXTERNAL, 4021, "ORA-04021"),
    (oracle(2049), EXTERNAL, 2049, "ORA-02049"),
    (oracle(2392), RESOURCES, 2392, "ORA-02392"),
    (oracle(2394), RESOURCES, 2394, "ORA-02394"),
    (oracle_parallel(1652), RESOURCES, 12801, "ORA-12801"),
    (oracle_parallel(60), EXTERNAL, 12801, "ORA-12801"),
    (oracle_parallel(1722), USER, 12801, "ORA-12801"),
    (oracle_driver("DPY-4005", "DatabaseError", "timed out waiting for the pool"), RESOURCES, None, "DPY-4005"),
    (oracle_driver("DPY-4024", "DatabaseError", "call timeout of 5 ms exceeded"), RESOURCES, None, "DPY-4024"),
    (oracle_driver("DPY-1001", "InterfaceError", "not connected to database"), EXTERNAL, None, "DPY-1001"),
    (oracle_driver("DPY-4011", "DatabaseError", "connection closed", recoverable=True), EXTERNAL, None, "DPY-4011"),
    (oracle_driver("DPY-6005", "OperationalError", "cannot connect to database"), EXTERNAL, None, "DPY-6005"),
    (oracle_driver("DPY-9999", "DatabaseError", "gone", recoverable=True), EXTERNAL, None, "DPY-9999"),
    (oracle_driver("DPY-2006", "ProgrammingError", "named bind parameters"), USER, None, "DPY-2006"),
    (oracle_driver("DPY-5003", "InternalError", "unexpected data"), INTERNAL, None, "DPY-5003"),
    (
        shaped(
            "oracledb",
            "DatabaseError",
            SimpleNamespace(code=24457, full_code="DPY-4005", message="timed out\nORA-24457"),
        ),
        RESOURCES,
        24457,
        "DPY-4005",
    ),
    (
        shaped("cx_Oracle", "DatabaseError", SimpleNamespace(code=0, message="DPI-1010: not connected")),
        EXTERNAL,
        None,
        "DPI-1010",
    ),
    (hive("42S02", 10001), USER, 10001, "UNDEFINED_TABLE"),
    (hive("08S01", 2), EXTERNAL, 2, "08S01"),
    (shaped("pyhive.exc", "OperationalError", "TSocket read 0 bytes"), EXTERNAL, None, None),
    (google(400, "invalidQuery"), USER, 400, "invalidQuery"),
    (google(403, "quotaExceeded"), RESOURCES, 403, "quotaExceeded"),
    (google(400, "jobRateLimitExceeded"), RESOURCES, 400, "jobRateLimitExceeded"),
    (google(400, "resourcesExceeded"), RESOURCES, 400, "resourcesExceeded"),
    (google(503, None), EXTERNAL, 503, None),
    (amazon(400, "InvalidRequestException"), USER, 400, "InvalidRequestException"),
    (amazon(400, "ThrottlingException"), RESOURCES, 400, "ThrottlingException"),
    (amazon(400, "TooManyRequestsException"), RESOURCES, 400, "TooManyRequestsException"),
    (amazon(400, "ActiveStatementsExceededException"), RESOURCES, 400, "ActiveStatementsExceededException"),
    (amazon(400, "RequestLimitExceeded"), RESOURCES, 400, "RequestLimitExceeded"),
    (amazon(400, "QueryTimeoutException"), RESOURCES, 400, "QueryTimeoutException"),
    (amazon(503, "SlowDown"), RESOURCES, 503, "SlowDown"),
    (amazon(500, "InternalServerException"), EXTERNAL, 500, "InternalServerException"),
    (mysqlclient(1146), USER, 1146, None),
    (mysqlclient(2006), EXTERNAL, 2006, None),
    (connector(1205), EXTERNAL, 1205, None),
    (shaped("mysql.connector.errors", "PoolError", "no", errno=-1, msg="no"), RESOURCES, None, None),
    (shaped("pymssql.exceptions", "OperationalError", 208, b"Invalid object name 'x'."), USER, 208, None),
    (shaped("pymssql.exceptions", "OperationalError", (1205, b"deadlock victim")), EXTERNAL, 1205, None),
    (shaped("pymssql.exceptions", "OperationalError", 4060, b"Cannot open database 'x'"), USER, 4060, None),
    (shaped("pymssql.exceptions", "OperationalError", 701, b"no memory"), RESOURCES, 701, None),
    (shaped("pyodbc", "ProgrammingError", "42S02", "[42S02] no (208)"), USER, None, "UNDEFINED_TABLE"),
    (shaped("pyodbc", "OperationalError", "HYT00", "[HYT00] Query timeout"), RESOURCES, None, "TIMEOUT_EXPIRED"),
    (shaped("pyodbc", "Error", "HY000", "[HY000] no", bases=()), USER, None, "HY000"),
    (odbc("42000", "Incorrect syntax near 'x'.", 102), USER, 102, "SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION"),
    (odbc("42000", "Lock request time out.", 1222), EXTERNAL, 1222, None),
    (odbc("42000", "insufficient memory", 701), RESOURCES, 701, None),
    (odbc("42000", "The log is full", 9002), RESOURCES, 9002, None),
    (odbc("40001", "deadlocked", 1205), EXTERNAL, 1205, "SERIALIZATION_FAILURE"),
    (odbc("HY000", "the session is in the kill state", 596), EXTERNAL, 596, None),
    (odbc("08S01", "Communication link failure", 0), EXTERNAL, None, "08S01"),
    (odbc("01000", "Unexpected EOF from the server", 20017), EXTERNAL, 20017, None),
    (odbc("01000", "Communication link failure", 0), EXTERNAL, None, None),
    (shaped("redshift_connector.error", "ProgrammingError", {"C": "42P01", "M": "no"}), USER, None, "UNDEFINED_TABLE"),
    (redshift("1023"), EXTERNAL, None, "SERIALIZATION_FAILURE"),
    (redshift("Serializable isolation violation on table - 1"), EXTERNAL, None, "SERIALIZATION_FAILURE"),
    (redshift("Assert"), INTERNAL, None, "INTERNAL_ERROR"),
    (
        shaped("redshift_connector.error", "ProgrammingError", {"C": "57014", "M": "no"}),
        EXTERNAL,
        None,
        "QUERY_CANCELED",
    ),
    (shaped("teradatasql", "OperationalError", "[Version 1] [Error 3807] Object 'x' no.\n at g"), USER, 3807, None),
    (shaped("teradatasql", "OperationalError", "[Version 1] [Error 2646] No more spool."), RESOURCES, 2646, None),
    (
        teradata_driver("444", "[SQLState 08001] Failed to connect to 127.0.0.1"),
        EXTERNAL,
        444,
        "SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION",
    ),
    (teradata_driver("493", "[SQLState 08000] Hostname lookup failed"), EXTERNAL, 493, "CONNECTION_EXCEPTION"),
    (teradata_driver("3807", "Socket closed"), EXTERNAL, 3807, None),
    (shaped("vertica_python.errors", "QueryError", "no", sqlstate="53200"), RESOURCES, None, "OUT_OF_MEMORY"),
    (shaped("prestodb.exceptions", "TimeoutError", "no"), RESOURCES, None, None),
    (shaped("pyexasol.exceptions", "ExaQueryError", "no"), USER, None, None),
    (shaped("some.driver", "OperationalError", "no"), EXTERNAL, None, None),
    (shaped("some.driver", "InternalError", "no"), INTERNAL, None, None),
    (shaped("some.driver", "Special", "no", bases=("ProgrammingError", "DatabaseError", "Error")), USER, None, None),
]


@pytest.mark.parametrize(
    ("error", "kind", "code", "name"), SHAPED, ids=[f"{n}-{type(case[0]).__module__}" for n, case in enumerate(SHAPED)]
)
def test_other_drivers(error: BaseException, kind: ErrorType, code: int | None, name: str | None) -> None:
    """A driver's exceptions are told by what they hold; what holds nothing, by its PEP 249 class."""
    info = described(error)
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)
    assert info.failure_message
    assert not info.failure_message.startswith("(")  # the representation of several arguments


@pytest.mark.parametrize(
    "module", ["trino.x", "pymysql.err", "snowflake.x", "oracledb", "pyodbc", "google.x", "botocore.x", "psycopg2"]
)
def test_an_exception_of_an_unknown_shape_is_told_by_its_class(module: str) -> None:
    """A driver's exception without what its others have is still described."""
    info = described(shaped(module, "OperationalError", "gone"))
    assert (info.error_type, info.failure_message) == (EXTERNAL, "gone")
    assert described(shaped(module, "OperationalError")).error_type is EXTERNAL


# --- chains


def test_the_drivers_exception_is_found_behind_those_around_it() -> None:
    """Hooks wrap what a driver raised; the statement's failure is the driver's."""
    driver = shaped(
        "oracledb.exceptions", "DatabaseError", SimpleNamespace(code=942, full_code="ORA-00942", message="no")
    )
    for depth in range(1, 8):
        wrapped: BaseException = driver
        for _ in range(depth):
            wrapped = caused_by(RuntimeError("Error running SQL statement: SELECT 'secret'"), wrapped)
        info = described(wrapped)
        assert (info.error_code, info.failure_message) == (942, "no")


def test_what_was_being_handled_counts_unless_it_was_hidden() -> None:
    """An exception raised while the driver's was handled belongs to it, unless it was raised ``from None``."""
    for hidden, code in ((False, 942), (True, None)):
        wrapped = RuntimeError("wrapped")
        wrapped.__context__ = oracle(942)
        wrapped.__suppress_context__ = hidden
        assert described(wrapped).error_code == code


def test_the_outermost_driver_wins() -> None:
    """What failed last is what failed; what was handled before it is history."""
    assert described(caused_by(oracle(942), oracle(60))).error_code == 942


def test_a_chain_that_bites_its_tail_is_read_once() -> None:
    """A circle of causes, or an endless chain, ends."""
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert described(first).failure_message == "a"
    long: BaseException = oracle(942)
    for _ in range(5_000):
        outer = RuntimeError("x")
        outer.__cause__ = long
        long = outer
    assert described(long).failure_type == "RuntimeError"


def airflow_exception(name: str) -> type[BaseException]:
    try:
        from airflow.sdk import exceptions
    except ImportError:
        from airflow import exceptions
    found: type[BaseException] = getattr(exceptions, name)
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [("AirflowTaskTimeout", RESOURCES), ("AirflowTaskTerminated", EXTERNAL), ("AirflowException", USER)],
)
def test_airflows_own(name: str, kind: ErrorType) -> None:
    """A task that ran out of time, or was stopped, is not the user's error, and says so."""
    error = airflow_exception(name)
    info = described(error("said"))
    assert (info.error_type, info.failure_message) == (kind, "said")
    assert info.failure_type == f"{error.__module__}.{name}"
    if kind is not USER:
        assert "Airflow stopped the task" in (described(error()).failure_message or "")


def test_an_interruption_goes_before_what_it_interrupted() -> None:
    """A timeout hits a driver in the middle of anything, and is the reason, whatever was being handled."""
    timeout = airflow_exception("AirflowTaskTimeout")("Timeout")
    timeout.__context__ = oracle(942)
    info = described(timeout)
    assert (info.error_type, info.error_code) == (RESOURCES, None)


@pytest.mark.parametrize("name", ["TaskDeferralTimeout", "AirflowSensorTimeout"])
def test_airflows_deadlines(name: str) -> None:
    """Waiting that took too long is no mistake in a statement, whatever happened last."""
    try:
        kind = airflow_exception(name)
    except AttributeError:
        pytest.skip(f"this Airflow has no {name}")
    timeout = caused_by(kind("late"), oracle(942))
    info = described(timeout)
    assert (info.error_type, info.error_code, info.failure_message) == (RESOURCES, None, "late")


def test_databricks_deadline_goes_before_what_it_cancelled() -> None:
    """The hook closes the cursor at its own timeout; that it was closed is the consequence."""
    exceptions = pytest.importorskip("airflow.providers.databricks.exceptions")
    closed = shaped("databricks.sql.exc", "CursorAlreadyClosedError", "closed", bases=("InterfaceError", "Error"))
    info = described(caused_by(exceptions.DatabricksSqlExecutionTimeout("late"), closed))
    assert (info.error_type, info.failure_message) == (RESOURCES, "late")


LIBRARIES = [
    ("thrift.transport.TTransport", "TTransportException", (4, "TSocket read 0 bytes"), {}, EXTERNAL),
    ("botocore.exceptions", "ConnectionClosedError", (), {"endpoint_url": "x"}, EXTERNAL),
    ("botocore.exceptions", "EndpointConnectionError", (), {"endpoint_url": "x"}, EXTERNAL),
    ("urllib3.exceptions", "ProtocolError", ("Connection broken",), {}, EXTERNAL),
    ("urllib3.exceptions", "MaxRetryError", (None, "/", None), {}, EXTERNAL),
    ("urllib3.exceptions", "EmptyPoolError", (None, "no free one"), {}, RESOURCES),
    ("google.auth.exceptions", "TransportError", ("no",), {}, EXTERNAL),
    ("google.api_core.exceptions", "RetryError", ("Timeout of 600.0s exceeded", None), {}, RESOURCES),
    ("google.api_core.exceptions", "DeadlineExceeded", ("no",), {}, RESOURCES),
    ("google.api_core.exceptions", "ServiceUnavailable", ("no",), {}, EXTERNAL),
    ("google.api_core.exceptions", "Aborted", ("Transaction was aborted",), {}, EXTERNAL),
    ("google.api_core.exceptions", "Cancelled", ("no",), {}, EXTERNAL),
    ("google.api_core.exceptions", "Conflict", ("Already exists",), {}, USER),
    ("psycopg2.pool", "PoolError", ("connection pool exhausted",), {}, RESOURCES),
    ("mysql.connector.errors", "PoolError", ("pool exhausted",), {}, RESOURCES),
]


@pytest.mark.parametrize(("module", "name", "args", "kwargs", "kind"), LIBRARIES)
def test_lost_connections_below_the_drivers(
    module: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], kind: ErrorType
) -> None:
    """The libraries that drivers use have their own exceptions, outside Python's and PEP 249's."""
    error = getattr(pytest.importorskip(module), name)(*args, **kwargs)
    info = described(error)
    assert info.error_type is kind
    assert info.failure_message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyboardInterrupt(), EXTERNAL),
        (SystemExit(1), EXTERNAL),
        (GeneratorExit(), EXTERNAL),
        (asyncio.CancelledError(), EXTERNAL),
        (MemoryError(), RESOURCES),
        (TimeoutError("late"), RESOURCES),
        (ConnectionResetError("reset"), EXTERNAL),
        (BrokenPipeError(), EXTERNAL),
        (EOFError("Unexpected EOF while reading bytes"), EXTERNAL),
        (OSError(28, "No space left on device"), EXTERNAL),
        (ValueError("wrong"), USER),
        (KeyError("x"), USER),
    ],
)
def test_pythons_own(error: BaseException, kind: ErrorType) -> None:
    """Lost connections, kills and exhaustion are not the user's errors."""
    info = described(error)
    assert info.error_type is kind
    assert info.failure_type == type(error).__qualname__ or "." in (info.failure_type or "")


def test_an_exception_that_cannot_speak_is_described() -> None:
    """Neither ``__str__`` nor odd attributes keep a failure from being reported."""

    class Mute(Exception):
        sqlstate = 5
        orig = "not an exception"

        def __str__(self) -> str:
            raise RuntimeError("no")

    info = described(Mute())
    assert info.error_type is USER
    assert info.failure_message in ("", None)
    assert info.failure_type is not None
    assert info.failure_type.endswith("Mute")


def test_codes_that_are_no_numbers_are_left_out() -> None:
    """The payload's code is a number, of a size that every reader of JSON can hold."""
    for code in ("1", 1 << 60, True, None, 1.5):
        error = {"errorType": "USER_ERROR", "errorName": "X" * 1_000, "errorCode": code, "message": "no"}
        attributes = {"error_type": "USER_ERROR", "error_code": code, "error_name": error["errorName"], "message": "no"}
        info = described(shaped("trino.exceptions", "TrinoQueryError", **attributes))
        assert info.error_code is None
        assert len(info.error_name or "") == 200


# --- tables


def test_sqlstates_agree_with_their_classes() -> None:
    """A single state may be more exact than its class; here is where it judges otherwise."""
    otherwise = {
        state
        for state, (kind, _) in codes.SQLSTATES.items()
        if codes.SQLSTATE_CLASSES.get(state[:2], (kind,))[0] is not kind
    }
    assert otherwise == {"25P03", "25P04", "55P03", "55V03"}


def test_names_of_sqlstates_are_postgresqls() -> None:
    """The names are those that the driver knows, too."""
    driver_codes = pytest.importorskip("psycopg2.errorcodes")
    known = {value: name for name, value in vars(driver_codes).items() if isinstance(value, str) and len(value) == 5}
    for state, (_, name) in codes.SQLSTATES.items():
        if state in known:
            assert known[state] in (name, f"{name}_")
    classes = {value: name for name, value in vars(driver_codes).items() if isinstance(value, str) and len(value) == 2}
    for state, (_, name) in codes.SQLSTATE_CLASSES.items():
        if state in classes and state not in ("F0", "HV", "P0"):  # which the driver spells out
            assert name in classes[state]


def test_mysqls_codes_are_what_they_are_meant_to_be() -> None:
    """No number of a lock, a kill or a lost connection is taken for another error's."""
    names = pytest.importorskip("pymysql.constants.ER")
    for name in ("LOCK_WAIT_TIMEOUT", "LOCK_DEADLOCK", "QUERY_INTERRUPTED", "SERVER_SHUTDOWN"):
        assert codes.MYSQL[getattr(names, name)] is EXTERNAL
    for name in (
        "OUTOFMEMORY",
        "DISK_FULL",
        "OUT_OF_RESOURCES",
        "RECORD_FILE_FULL",
        "QUERY_TIMEOUT",
        "STATEMENT_TIMEOUT",
    ):
        assert codes.MYSQL[getattr(names, name)] is RESOURCES
    for name in ("PARSE_ERROR", "NO_SUCH_TABLE", "BAD_FIELD_ERROR", "DUP_ENTRY", "ACCESS_DENIED_ERROR", "BAD_DB_ERROR"):
        assert getattr(names, name) not in codes.MYSQL


@pytest.mark.parametrize(
    "table",
    [
        *(
            codes.MYSQL,
            codes.MYSQL_INNER,
            codes.SQLITE,
            codes.SNOWFLAKE,
            codes.CLICKHOUSE,
        ),
        *(codes.SQL_SERVER, codes.ORACLE, codes.TERADATA, codes.BIGQUERY),
    ],
)
def test_tables_hold_what_is_not_the_users_error(table: Any) -> None:
    """A table's default is the user's error, so it need not list any."""
    assert USER not in table.values()
