"""What a driver's objects hold in memory about a statement; nothing here asks an engine."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

# Trino, Databricks and PyAthena; Snowflake; BigQuery.
_CURSOR_IDS = ("query_id", "sfqid", "job_id")
_ERROR_IDS = ("sfqid", "query_id")

# Their ``execute`` returns with the first page of the answer; the work ends when the last one is fetched.
_LAZY_DRIVERS = frozenset({"trino", "prestodb"})


def statement_text(sql: Any, context: Any = None) -> str:
    """Return a statement as the engine reads it.

    :param sql: text, bytes, a list of them, a psycopg ``Composable``, a SQLAlchemy clause, or ``None``
    :param context: the cursor or the connection, which psycopg needs to quote names
    """
    if isinstance(sql, str):
        return str.__str__(sql)
    if sql is None:
        return ""
    if isinstance(sql, bytes):
        return sql.decode(errors="replace")
    if isinstance(sql, (list, tuple)):
        return "; ".join(statement_text(part, context) for part in sql)
    as_string = getattr(sql, "as_string", None)
    if callable(as_string):
        try:
            return str(as_string(context))
        except Exception:  # without a connection of its own psycopg2 can't quote
            return str(sql)
    return str(sql)


def cursor_engine_id(cursor: Any) -> str | None:
    """Return the engine's id of what a cursor ran last."""
    found = _first_text(cursor, _CURSOR_IDS)
    if found is None and returns_early(cursor):
        stats = getattr(cursor, "stats", None)  # of prestodb, whose cursor does not say it otherwise
        found = stats.get("queryId") if isinstance(stats, dict) else None
    return found


def error_engine_ids(error: BaseException | None) -> Iterator[str]:
    """Yield the ids of queries that an error names; hooks like to wrap the driver's error, so its causes are asked."""
    for cause in causes(error):
        found = _first_text(cause, _ERROR_IDS)
        if found:
            yield found


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _first_text(source: Any, names: tuple[str, ...]) -> str | None:
    for name in names:
        value = getattr(source, name, None)
        if isinstance(value, str) and value:
            return value
    return None


def is_of_the_driver(error: BaseException, connection: Any) -> bool:
    """Return whether an error, or what it came from, may be the driver's or the engine's, or ended the task."""
    package = _package(connection)
    return any(
        isinstance(cause, (OSError, MemoryError))
        or not isinstance(cause, Exception)
        or any(part.__name__ == "Error" or _package_of(part.__module__) == package for part in type(cause).__mro__)
        for cause in causes(error)
    )


def execution_seconds(connection: Any) -> float | None:
    """Return for how long the engine worked at a connection's last statement, if its driver has measured it."""
    return statement_seconds(getattr(connection, "last_stmt", None)) if _package(connection) == "pyexasol" else None


def statement_seconds(statement: Any) -> float | None:
    """Return for how long the engine worked at a driver's statement, if its driver has measured it."""
    seconds = getattr(statement, "execution_time", None) if _package(statement) == "pyexasol" else None
    return seconds if isinstance(seconds, float) else None


def returns_early(cursor: Any) -> bool:
    """Return whether the driver's ``execute`` returns before the engine's work is done."""
    return _package(cursor) in _LAZY_DRIVERS


def is_done(cursor: Any) -> bool:
    """Return whether the engine said that it had finished; only for drivers that return early."""
    stats = getattr(cursor, "stats", None)
    return isinstance(stats, dict) and stats.get("state") == "FINISHED"


def engine_seconds(cursor: Any) -> float:
    """Return for how long the engine has said that it was at work; only for drivers that return early."""
    stats = getattr(cursor, "stats", None)
    elapsed = stats.get("elapsedTimeMillis") if isinstance(stats, dict) else None
    return elapsed / 1000 if isinstance(elapsed, (int, float)) else 0.0


def server_version(connection: Any) -> str | None:
    """Return the engine's version where its driver has it in memory.

    :param connection: the driver's connection
    """
    read = _VERSIONS.get(_package(connection))
    value = read(connection) if read else None
    # MariaDB puts this in front of its version for the sake of old replicas.
    return value.removeprefix("5.5.5-") or None if isinstance(value, str) else None


def _package(thing: Any) -> str:
    return _package_of(type(thing).__module__)


@functools.cache  # there are but so many modules
def _package_of(module: str) -> str:
    return module.partition(".")[0]


def _module(name: str, attribute: str) -> Callable[[Any], Any]:
    return lambda _connection: getattr(sys.modules.get(name), attribute, None)


# Each is a value of the greeting that the driver keeps, or of a library that is the engine.
_VERSIONS: dict[str, Callable[[Any], Any]] = {
    "psycopg2": lambda connection: connection.get_parameter_status("server_version"),
    "psycopg": lambda connection: connection.info.parameter_status("server_version"),
    "pymysql": lambda connection: connection.get_server_info(),
    "MySQLdb": lambda connection: connection.get_server_info(),
    "sqlite3": _module("sqlite3", "sqlite_version"),
    "duckdb": _module("duckdb", "__version__"),
    "_duckdb": _module("duckdb", "__version__"),
    "vertica_python": lambda connection: connection.parameters.get("server_version"),
    "pyexasol": lambda connection: connection.login_info.get("releaseVersion"),
    "oracledb": lambda connection: connection.version,
}
