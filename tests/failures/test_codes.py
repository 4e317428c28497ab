"""The tables of error codes."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ryft.failures import codes
from support.failures import EXTERNAL, RESOURCES, USER


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
