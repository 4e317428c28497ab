"""What the exceptions of each driver hold in memory: one small reader for each.

Nothing is imported: a driver is known by the name of its module.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from airflow_provider_ryft.failures import codes
from airflow_provider_ryft.ingest.fields import ErrorType


class DriverError(NamedTuple):
    """What a driver's exception holds; no ``error_type`` if that depends on its class alone."""

    error_type: ErrorType | None = None
    code: object = None
    name: object = None
    message: object = None


def read_driver_error(exception: BaseException) -> DriverError | None:
    """Return what the driver that made an exception has put into it; ``None`` if none made it.

    The reader of its driver is asked, and then the one that goes by what drivers have in common.
    """
    readers = [_READERS[root] for root in package_names(exception) if root in _READERS][:1]
    for reader in [*readers, _sqlstate_attribute]:
        try:
            driver_error = reader(exception)
        except Exception:  # it is not like the other exceptions of its driver
            driver_error = None
        if driver_error is not None:
            return driver_error
    return None


def package_names(exception: BaseException) -> Iterator[str]:
    """Yield the packages that an exception's classes come from, the most special first."""
    for kind in type(exception).__mro__:
        yield str(kind.__module__).split(".")[0]


def decode_text(value: object) -> str:
    """Return a text of a driver, some of which are bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


# --- SQLSTATE

_SQLSTATE = re.compile(r"(?!00|01)[0-9A-Z]{5}")


def _sqlstate(state: object, message: object = None, *, code: object = None, name: object = None) -> DriverError | None:
    """Classify by an SQLSTATE; ``None`` if it is none, or that of a success."""
    if not isinstance(state, str) or _SQLSTATE.fullmatch(state) is None:
        return None
    kind, known_as = codes.SQLSTATES.get(state, (None, None))
    if kind is None:
        kind, of_class = codes.SQLSTATE_CLASSES.get(state[:2], (None, None))
        known_as = of_class if state.endswith("000") else None
    if state == "57014" and "timeout" in str(message):
        kind = ErrorType.INSUFFICIENT_RESOURCES  # not a person's cancel, which has the same state
    if state == "XX000" and (message == "1023" or "Serializable isolation violation" in str(message)):
        kind, known_as = codes.SQLSTATES["40001"]  # Redshift's number, or what explains it
    return DriverError(kind, code, name or known_as or state, message)


def _sqlstate_attribute(exception: BaseException) -> DriverError | None:
    return _sqlstate(getattr(exception, "sqlstate", None) or getattr(exception, "pgcode", None))


# --- drivers, one small reader each: what its exceptions hold, or None if the engine did not cause this one


_POSTGRES_USER_ERRORS = (
    *("does not exist", "authentication failed", "no password supplied", "no pg_hba.conf entry"),
    *("not permitted to log in", "permission denied for database"),
)
_POSTGRES_LIMITS = ("too many", "remaining connection slots")  # connections, or clients already
_POSTGRES_REFUSALS = {
    **dict.fromkeys(_POSTGRES_USER_ERRORS, ErrorType.USER_ERROR),
    **dict.fromkeys(_POSTGRES_LIMITS, ErrorType.INSUFFICIENT_RESOURCES),
}


def _postgres(exception: Any) -> DriverError | None:
    """Read psycopg 2 and 3.

    Only the first part of the message: the others quote the statement, perhaps from the middle of a secret, and the
    data that a constraint refused. Errors while libpq connects have no SQLSTATE, even if they are the server's.
    """
    state = getattr(exception, "sqlstate", None) or getattr(exception, "pgcode", None)
    if state is None and "connection to server" in str(exception):
        found = (kind for words, kind in _POSTGRES_REFUSALS.items() if words in str(exception))
        return DriverError(next(found, ErrorType.EXTERNAL))
    name = None
    if state not in codes.SQLSTATES and type(exception).__module__.endswith(".errors"):
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(exception).__name__).upper().rstrip("_")
    return _sqlstate(state, exception.diag.message_primary or str(exception), name=name)


def _postgres_fields(exception: Any) -> DriverError | None:
    """Read redshift_connector and pg8000: the fields of the protocol's error message."""
    fields = exception.args[0]
    return _sqlstate(fields["C"], fields["M"]) if isinstance(fields, dict) else None


_TRINO_STATUS = re.compile(r"error (\d{3})\b")


def _trino(exception: Any) -> DriverError | None:
    """Read trino and presto-python-client: the engine's own judgement, or the HTTP status of who answered instead.

    ``raise_response_error`` in the clients' ``client.py``: "error 502: bad gateway" of a proxy, and the like.
    """
    if codes.by_class(exception, {"HttpError": ErrorType.EXTERNAL}):
        status = _TRINO_STATUS.match(str(exception))
        return DriverError(_by_status(int(status[1])) if status else ErrorType.EXTERNAL)
    if exception.error_type is None:
        return None
    try:
        kind = ErrorType(exception.error_type)
    except ValueError:
        kind = ErrorType.INTERNAL_ERROR
    return DriverError(kind, exception.error_code, exception.error_name, exception.message)


def _mysql(exception: Any) -> DriverError | None:
    """Read PyMySQL, mysqlclient (code and message are the arguments) and MySQL Connector (attributes)."""
    code, message = getattr(exception, "errno", None), getattr(exception, "msg", None)
    if code is None:
        code, message = exception.args
    if not isinstance(code, int) or code <= 0:
        return None
    text = decode_text(message)
    kind = codes.MYSQL.get(code) or (ErrorType.INTERNAL_ERROR if code < 1000 else ErrorType.USER_ERROR)
    inner = _MYSQL_INNER.search(text) if kind is ErrorType.INTERNAL_ERROR else None
    if inner is not None:
        kind = codes.MYSQL_INNER.get(int(inner[1]), kind)
    return DriverError(kind, code, _mysql_name(exception, code), _mysql_message(code, text))


# "(Errcode: 28 "No space left on device")", "(OS errno 28 - ...)", "Got error 149 "Lock deadlock..." during COMMIT"
_MYSQL_INNER = re.compile(r"(?:[Ee]rrcode:|errno:?|\bGot error) *(\d{1,4})\b")


_MYSQL_QUOTED = re.compile(r"(?<!\w)'[^']*'?")
_MYSQL_MIN_CUT_LENGTH = 60


def _mysql_message(code: int, message: str) -> str:
    """Leave out what the server quotes and has cut off: half of a secret is not known as one any more.

    A syntax error quotes 80 characters of the statement from the middle, in every language between the first quotes;
    other errors quote a value, and cut it after 64 characters or more (``%-.80T`` and the like in MariaDB's
    ``errmsg-utf8.txt``). A whole value, if it is a secret, is masked later.
    """
    if code == 1064:
        return message.partition(" near '")[0].partition("'")[0].rstrip(" :")
    return _MYSQL_QUOTED.sub(lambda found: found[0] if len(found[0]) < _MYSQL_MIN_CUT_LENGTH else "'...'", message)


def _mysql_name(exception: BaseException, code: int) -> str | None:
    """Find the error's name among the constants that the driver has loaded."""
    for root in package_names(exception):
        for constants, prefix in (("constants.ER", "ER_"), ("constants.CR", ""), ("errorcode", "")):
            module = sys.modules.get(f"{root}.{constants}") or sys.modules.get(f"{root}.connector.{constants}")
            for name, value in vars(module).items() if module else ():
                if value == code and not name.startswith(("_", "ERROR_")):
                    return name if name.startswith(("ER_", "CR_")) else f"{prefix}{name}"
    return None


_SQLITE_WORDS = {
    **dict.fromkeys(("locked", "disk I/O", "unable to open", "interrupted"), ErrorType.EXTERNAL),
    **dict.fromkeys(("disk is full", "out of memory"), ErrorType.INSUFFICIENT_RESOURCES),
}


def _sqlite(exception: Any) -> DriverError | None:
    code = getattr(exception, "sqlite_errorcode", None)
    if code is not None:
        kind = codes.SQLITE.get(code & 0xFF, ErrorType.USER_ERROR)
        return DriverError(kind, code, exception.sqlite_errorname)
    if codes.by_class(exception, {"OperationalError": ErrorType.EXTERNAL}) is None:
        return None
    # Python 3.10 has only the message, and OperationalError for a misspelt table, too.
    found = (kind for words, kind in _SQLITE_WORDS.items() if words in str(exception))
    return DriverError(next(found, ErrorType.USER_ERROR))


_DUCKDB = {
    "OutOfMemoryException": ErrorType.INSUFFICIENT_RESOURCES,
    "InterruptException": ErrorType.EXTERNAL,
    "FatalException": ErrorType.INTERNAL_ERROR,
}


def _duckdb(exception: BaseException) -> DriverError | None:
    return DriverError(codes.by_class(exception, _DUCKDB), None, type(exception).__name__.removesuffix("Exception"))


_SNOWFLAKE = dict.fromkeys(
    ("HttpError", "PresignedUrlExpiredError", "RefreshTokenError", "RequestExceedMaxRetryError", "TokenExpiredError"),
    ErrorType.EXTERNAL,
)


def _snowflake(exception: Any) -> DriverError | None:
    """Read snowflake-connector-python; from 290000 on a number is an HTTP status (its ``errorcode.py``)."""
    code = exception.errno if isinstance(exception.errno, int) and exception.errno > 0 else None
    message = getattr(exception, "raw_msg", None) or exception.msg
    kind = codes.SNOWFLAKE.get(code) if code else codes.by_class(exception, _SNOWFLAKE)
    if code and 290000 <= code < 291000:
        kind = _by_status(code - 290000) if code > 290000 else ErrorType.EXTERNAL
    if code and 390000 <= code < 391000 and kind is None:
        kind = ErrorType.USER_ERROR  # the server refused the login, with the state of a lost connection
    driver_error = _sqlstate(exception.sqlstate, message, code=code) or DriverError(None, code, None, message)
    return driver_error if kind is None else driver_error._replace(error_type=kind)


_CLICKHOUSE_CODE = re.compile(r"\bCode: *(\d+)")
_CLICKHOUSE_QUOTED = re.compile(
    r"failed at position \d+(?: \((?:'\w+'|\w+|end of query)\))?(?: \(line \d+, col \d+\))?|(?= (?:before|here): )"
)
_CLICKHOUSE_NAME = re.compile(r"\(([A-Z][A-Z0-9]*_[A-Z0-9_]+)\)")


def _clickhouse(exception: Any) -> DriverError | None:
    """Read clickhouse-driver and clickhouse-connect; older versions of the latter have the code in the text only."""
    message = str(getattr(exception, "message", None) or exception)
    code = getattr(exception, "code", None)
    if code is None:
        found = _CLICKHOUSE_CODE.search(message)
        code = int(found[1]) if found else None
    if not isinstance(code, int):
        return None
    named = _CLICKHOUSE_NAME.findall(message)
    name = getattr(exception, "name", None) or (named[-1] if named else _clickhouse_name(code))
    # The driver appends the stack trace of the server.
    message = message.partition("Stack trace:")[0].strip()
    if code in (27, 62):
        # Here it quotes up to 160 characters of the statement, perhaps half of a secret: SHOW_CHARS_ON_SYNTAX_ERROR.
        quoted = _CLICKHOUSE_QUOTED.search(message)
        message = message[: quoted.end()] if quoted else message
    return DriverError(codes.CLICKHOUSE.get(code, ErrorType.USER_ERROR), code, name, message)


def _clickhouse_name(code: int) -> str | None:
    codes = getattr(sys.modules.get("clickhouse_driver.errors"), "ErrorCodes", None)
    return next((name for name, value in vars(codes).items() if value == code), None) if codes else None


_SPARK_STATE = re.compile(r"SQLSTATE[:=]? *([0-9A-Z]{5})\b")
_SPARK_NAME = re.compile(r"\[([A-Z][A-Z0-9_]*(?:\.[A-Z][A-Z0-9_]*)*)\]")


def _databricks(exception: Any) -> DriverError | None:
    """Read databricks-sql-connector, which has Spark's error class and SQLSTATE in the text only."""
    message = str(getattr(exception, "message", None) or exception)
    states, name = _SPARK_STATE.findall(message), _SPARK_NAME.search(message)
    if states:
        return _sqlstate(states[-1], message, name=name[1] if name else None)
    return DriverError(None, None, name[1], message) if name else None


def _hive(exception: Any) -> DriverError | None:
    """Read PyHive and Impyla: the server's status is the argument, or there is none."""
    status = getattr(exception.args[0], "status", None)
    if status is None:
        return None
    driver_error = _sqlstate(status.sqlState, status.errorMessage, code=status.errorCode)
    return driver_error or DriverError(None, status.errorCode, None, status.errorMessage)


_EXASOL = dict.fromkeys(("ExaCommunicationError", "ExaConnectionError"), ErrorType.EXTERNAL)


def _exasol(exception: Any) -> DriverError | None:
    """Read pyexasol: ``exceptions.py``. The text of its exceptions is a list of who ran what where."""
    for inner in getattr(exception, "exceptions", ()):  # what the threads of an import or export failed with
        driver_error = None if hasattr(inner, "exceptions") else read_driver_error(inner)
        if driver_error is not None:
            return driver_error
    driver_error = _sqlstate(getattr(exception, "code", None), exception.message)
    if driver_error is None:
        return DriverError(codes.by_class(exception, _EXASOL), message=exception.message)
    is_refused = type(exception).__name__ == "ExaAuthError"  # 08004: wrong user or password
    return driver_error._replace(error_type=ErrorType.USER_ERROR) if is_refused else driver_error


_ORACLE_WRAPPED = re.compile(r"\bORA-(\d{5})\b")


def _oracle(exception: Any) -> DriverError | None:
    """Read oracledb and cx_Oracle.

    The driver's own errors (DPY, DPI: its ``errors.py``) have no number, only a name. Errors of parallel servers and of
    recursive statements come inside another one, which only says so.
    """
    error = exception.args[0]
    code, message = error.code, decode_text(error.message)
    name = getattr(error, "full_code", None) or (f"ORA-{code:05}" if code else message.partition(":")[0])
    kind = codes.ORACLE.get(code) or codes.ORACLE.get(name)
    if code in (604, 12801):
        inner = (int(found) for found in _ORACLE_WRAPPED.findall(message))
        kind = next((codes.ORACLE.get(other) for other in inner if other not in (604, 12801)), None)
    if kind is None and getattr(error, "isrecoverable", False):
        kind = ErrorType.EXTERNAL
    return DriverError(kind or (ErrorType.USER_ERROR if code else None), code or None, name, message)


def _sql_server(exception: Any) -> DriverError | None:
    """Read pymssql, whose arguments are code and message, or one tuple of both."""
    code, message = (exception.args[0] if isinstance(exception.args[0], tuple) else exception.args)[:2]
    if not isinstance(code, int):
        return None
    return DriverError(codes.SQL_SERVER.get(code, ErrorType.USER_ERROR), code, None, message)


_ODBC_NATIVE = re.compile(r"\((-?\d+)\) \(SQL\w+\)")


def _odbc(exception: Any) -> DriverError | None:
    """Read pyodbc: its arguments are an SQLSTATE and a message with the engine's own code in parentheses.

    SQL Server's code is more exact than the state, which is that of a syntax error for a lock's timeout or a full disk,
    too. A driver manager that cannot load the driver raises a state of class 01, a warning, and so does FreeTDS for a
    lost connection.
    """
    state, message = exception.args[:2]
    driver_error = _sqlstate(state, message)
    if driver_error is None and str(state).startswith("01"):
        driver_error = DriverError(ErrorType.EXTERNAL, message=message)
    native = _ODBC_NATIVE.search(message) if "[SQL Server]" in message else None
    if driver_error is None or native is None or not int(native[1]):
        return driver_error
    code = int(native[1])
    kind = codes.SQL_SERVER.get(code, driver_error.error_type)
    name = driver_error.name if kind is driver_error.error_type else None
    return driver_error._replace(error_type=kind, code=code, name=name)


_TERADATA_CODE = re.compile(r"\[Error (\d+)\] (?:\[SQLState (\w{5})\] )?(.*)")


def _teradata(exception: Any) -> DriverError | None:
    """Read teradatasql: an error of the database's, or one of the driver's, whose numbers are others."""
    text = str(exception)
    found = _TERADATA_CODE.search(text)
    if found is None:
        return None
    code, state, message = int(found[1]), found[2], found[3]
    if "[Teradata SQL Driver]" in text[: found.start()]:
        return _sqlstate(state, message, code=code) or DriverError(None, code, None, message)
    return DriverError(codes.TERADATA.get(code, ErrorType.USER_ERROR), code, None, message)


def _vertica(exception: Any) -> DriverError | None:
    """Read vertica-python, whose text holds the whole statement."""
    return _sqlstate(exception.sqlstate, exception.message, code=int(exception.error_code))


_GOOGLE = {
    "RetryError": ErrorType.INSUFFICIENT_RESOURCES,  # the deadline of all retries is over
    "GatewayTimeout": ErrorType.INSUFFICIENT_RESOURCES,  # and its DeadlineExceeded
    "Aborted": ErrorType.EXTERNAL,  # by another transaction
    "Cancelled": ErrorType.EXTERNAL,
}


def _google(exception: Any) -> DriverError | None:
    """Read google-api-core (its ``exceptions.py``) and what is built on it."""
    kind = codes.by_class(exception, _GOOGLE)
    if getattr(exception, "code", None) is None:
        return None if kind is None else DriverError(kind)
    status = int(exception.code)
    reason = next((error.get("reason") for error in exception.errors or () if isinstance(error, dict)), None)
    kind = codes.BIGQUERY.get(str(reason)) or kind or _by_status(status)
    return DriverError(kind, status, reason, exception.message)


_AMAZON_LIMITS = re.compile("Throttl|TooManyRequests|Exceeded|Timeout|SlowDown")


def _amazon(exception: Any) -> DriverError | None:
    """Read botocore: a limit is named in the code, and has the status of a bad request in most services."""
    error, status = exception.response["Error"], exception.response["ResponseMetadata"]["HTTPStatusCode"]
    kind = ErrorType.INSUFFICIENT_RESOURCES if _AMAZON_LIMITS.search(error["Code"]) else _by_status(status)
    return DriverError(kind, status, error["Code"], error["Message"])


def _by_status(status: int) -> ErrorType:
    if status in (408, 429):
        return ErrorType.INSUFFICIENT_RESOURCES
    return ErrorType.EXTERNAL if status >= 500 else ErrorType.USER_ERROR


_PACKAGES: Mapping[Callable[[Any], DriverError | None], tuple[str, ...]] = {
    _amazon: ("botocore",),
    _clickhouse: ("clickhouse_connect", "clickhouse_driver"),
    _databricks: ("databricks",),
    _duckdb: ("_duckdb", "duckdb"),
    _exasol: ("pyexasol",),
    _google: ("google",),
    _hive: ("impala", "pyhive"),
    _mysql: ("MySQLdb", "mysql", "pymysql"),
    _odbc: ("pyodbc",),
    _oracle: ("cx_Oracle", "oracledb"),
    _postgres: ("psycopg", "psycopg2"),
    _postgres_fields: ("pg8000", "redshift_connector"),
    _snowflake: ("snowflake",),
    _sql_server: ("pymssql",),
    _sqlite: ("sqlite3",),
    _teradata: ("teradatasql",),
    _trino: ("prestodb", "trino"),
    _vertica: ("vertica_python",),
}
_READERS = {package: reader for reader, packages in _PACKAGES.items() for package in packages}
