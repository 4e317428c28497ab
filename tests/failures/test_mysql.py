"""MariaDB's and MySQL's errors: of a real server where it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo
from support.failures import EXTERNAL, INTERNAL, RESOURCES, USER, described, failure_of, or_skip, shaped


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
    """MySQL's errors are classified by their number, whatever class the driver gave them."""
    sql, kind, code, name = MARIADB[case]
    info = failure_of(lambda: mariadb.cursor().execute(sql))
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
    """The server cuts off what it quotes; what is left of a secret is unknown to the masker."""
    secret = "S3cretPart-" + "abcdefghij" * 40
    cursor = mariadb.cursor()
    cursor.execute("CREATE TEMPORARY TABLE ryft_secret (s VARCHAR(500) PRIMARY KEY, n INT)")
    cursor.execute("INSERT INTO ryft_secret (s) VALUES (%s)", [secret])
    cursor.execute(f"SET lc_messages = {language}")
    info = failure_of(lambda: cursor.execute(sql, [secret]))
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
def test_mysql_server_that_fails_internally(code: int, said: str, kind: ErrorType) -> None:
    """Errors of the server's files, disk or storage engines are never the user's; an inner number may be more exact."""
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
    """A query, or a connection, that is killed has done nothing wrong."""

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
            return failure_of(lambda: victim.cursor().execute("SELECT SLEEP(30)"))
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
    info = failure_of(lambda: pymysql.connect(host="127.0.0.1", port=1, connect_timeout=2))
    assert (info.error_type, info.error_code, info.error_name) == (EXTERNAL, 2003, "CR_CONN_HOST_ERROR")
