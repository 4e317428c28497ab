"""What is reported of an engine's error message."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, QueryState
from airflow_provider_ryft.query_builder import failure_message
from airflow_provider_ryft.query_builder.statement_text import WITHHELD
from support.built_queries import Refused, connection, make_statement, query_builder
from support.failures import shaped
from support.masker import SECRET

pytestmark = pytest.mark.usefixtures("mask_secret")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error running SELECT * FROM t WHERE s = 'private': no", "Error running (the statement): no"),
        ("near 's = 'private'' at line 1", "near …"),
        ("Duplicate entry 'private' for key 'k'", "Duplicate entry …"),
        ("no such table: t", "no such table: t"),
        ("first\nDETAIL: private", "first"),
    ],
)
def test_what_a_failure_quotes_is_masked_with_the_literals(message: str, expected: str) -> None:
    """With the option, a message shows nothing that the text does not."""
    statement = make_statement("SELECT * FROM t WHERE s = 'private'", error=Refused(message))
    failure: Any = query_builder(mask_literals=True).query(statement).failure_info
    assert failure.failure_message == expected


@pytest.mark.parametrize(
    ("conn_type", "text", "message", "expected"),
    [
        ("duckdb", "SELECT error('sekret customer 4711')", "Invalid Input Error: sekret customer 4711", None),
        ("postgres", "DO $$ BEGIN PERFORM f('sekret'); END $$", "sekret", "?"),
        ("mysql", "CALL f('sekret bob')", "Nobody is called sekret bob here", "Nobody is called ? here"),
        ("gcpbigquery", "SELECT CAST('sekret' AS INT64)", "Bad int64 value: sekret", "Bad int64 value: …"),
        ("oracle", "ALTER USER x IDENTIFIED BY sekret", "sekret is too short", "? is too short"),
        ("trino", "SELECT a FROM t -- sekret", "sekret", "?"),
        (None, "SELECT `sekret` FROM t", "no sekret", "no sekret"),
    ],
)
def test_what_a_failure_repeats_without_quotes_is_masked(
    conn_type: str | None, text: str, message: str, expected: str | None
) -> None:
    """Engines repeat the arguments of functions such as ``error()`` as they are."""
    held = conn_type and connection(conn_type)
    failure: Any = (
        query_builder(mask_literals=True)
        .query(make_statement(text, connection=held, error=Refused(message)))
        .failure_info
    )
    assert failure.failure_message == (expected or "Invalid Input Error: ?")
    unmasked: Any = query_builder().query(make_statement(text, connection=held, error=Refused(message))).failure_info
    assert unmasked.failure_message == message


@pytest.mark.parametrize(
    "error",
    [
        shaped(
            "psycopg.errors",
            "RaiseException",
            "row of bob",
            sqlstate="P0001",
            diag=SimpleNamespace(message_primary="row of bob"),
        ),
        shaped("redshift_connector.error", "ProgrammingError", {"C": "P0001", "M": "row of bob"}),
        shaped("pymysql.err", "OperationalError", 1644, "row of bob"),
        shaped("pyodbc", "Error", "45000", "row of bob"),
        shaped(
            "oracledb.exceptions",
            "DatabaseError",
            SimpleNamespace(code=20001, full_code="ORA-20001", message="row of bob"),
        ),
        shaped("pymssql.exceptions", "OperationalError", 50001, b"row of bob"),
        shaped("databricks.sql.exc", "ServerOperationError", "[USER_RAISED_EXCEPTION] row of bob SQLSTATE: P0001"),
        shaped("clickhouse_driver.errors", "ServerException", code=395, message="row of bob"),
        shaped(
            "trino.exceptions",
            "TrinoUserError",
            error_type="USER_ERROR",
            error_code=0,
            error_name="GENERIC_USER_ERROR",
            message="row of bob",
        ),
    ],
)
def test_what_sql_code_says_itself_is_withheld_with_the_literals(error: BaseException) -> None:
    """An exception that SQL code raised may hold anything, rows of a table included."""
    failure: Any = (
        query_builder(mask_literals=True).query(make_statement("CALL check_rows()", error=error)).failure_info
    )
    assert failure.failure_message == failure_message.RAISED_BY_SQL
    failure = query_builder().query(make_statement("CALL check_rows()", error=error)).failure_info
    assert "row of bob" in failure.failure_message


@pytest.mark.parametrize("text", ["SELECT 1 " + "-- x" * 300 + "\n'sekret'", None])
def test_a_message_that_cannot_be_compared_is_withheld(text: Any) -> None:
    """The literals of a text that is cut are not known."""
    builder = query_builder(mask_literals=True, max_query_length=1_000)
    failure: Any = builder.query(make_statement(text, error=Refused("no sekret"))).failure_info
    assert failure.failure_message == WITHHELD


def test_a_failure_quotes_no_piece_of_a_secret() -> None:
    """An engine cuts what it quotes where it likes, also in the middle of a secret that the masker knows whole."""
    statement = make_statement(f"COPY t KEY '{SECRET}'", error=Refused(f"syntax error near 'KEY '{SECRET[:9]}'"))
    failure: Any = query_builder().query(statement).failure_info
    assert failure.failure_message == "syntax error near …"


def test_a_failure_that_cannot_be_read_is_still_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task may have no file left to import with, just when its statement fails."""
    monkeypatch.setitem(sys.modules, "airflow_provider_ryft.query_builder.failure_message", None)
    builder = query_builder()
    statement = make_statement(error=Refused("no"))
    builder.build_interrupted(statement)
    query = builder.query(statement)
    assert query.query_state is QueryState.FAILED
    assert query.duration_ms == 12.5
    assert query.failure_info == FailureInfo(error_type=ErrorType.USER_ERROR)
    assert builder.omitted_parts == {"failure": 1}
