"""Errors of drivers whose servers do not run here: of their real classes if they are installed, else of their shape."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo
from support.failures import EXTERNAL, INTERNAL, RESOURCES, USER, described, failure_of, oracle, shaped


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
def test_a_proxy_that_answers_for_trino_is_classified_by_its_status(module: str, status: int, kind: ErrorType) -> None:
    """What is not from the coordinator is an HTTP status, which the client turns into an exception."""
    client = pytest.importorskip(f"{module}.client")
    answer = SimpleNamespace(status_code=status, content=b"<html>")
    request = getattr(client, f"{module.removesuffix('db').capitalize()}Request")
    info = failure_of(lambda: request.raise_response_error(*(() if module == "trino" else (None,)), answer))
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
    """Snowflake's numbers go before its SQLSTATE, which does not distinguish a timeout from a cancel."""
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
    """What did not get through to Snowflake is classified by its HTTP status, or else by its class."""
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
    """ClickHouse's errors are classified by their number, and named from the driver's own list."""
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
    """Exasol's errors are classified by their SQLSTATE, else by their class, and only the engine's message is kept."""
    info = described(exasol(kind, code))
    assert (info.error_type, info.error_code, info.error_name) == (judged, None, name)
    assert info.failure_message == "it is so"


def test_exasols_import_is_classified_by_what_its_threads_failed_with() -> None:
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
    """Vertica's errors are classified by their SQLSTATE, and the statement that the driver adds is left out."""
    errors = pytest.importorskip("vertica_python.errors")
    messages = pytest.importorskip("vertica_python.vertica.messages.backend_messages.error_response")
    fields = f"SERROR\0C{state}\0Mit is so\0V{code}\0\0"
    info = described(errors.QueryError.from_error_response(messages.ErrorResponse(fields.encode()), "SELECT 'hidden'"))
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)
    assert info.failure_message == "it is so"
    assert described(errors.ConnectionError("closed")).error_type is EXTERNAL


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
def test_other_drivers(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, kind: ErrorType, code: int | None, name: str | None
) -> None:
    """A driver's exceptions are classified by what they hold; what holds nothing, by its PEP 249 class."""
    monkeypatch.delitem(sys.modules, "mysql.connector.errorcode", raising=False)  # the names of MySQL Connector's codes
    info = described(error)
    assert (info.error_type, info.error_code, info.error_name) == (kind, code, name)
    assert info.failure_message
    assert not info.failure_message.startswith("(")  # the representation of several arguments


@pytest.mark.parametrize(
    "module", ["trino.x", "pymysql.err", "snowflake.x", "oracledb", "pyodbc", "google.x", "botocore.x", "psycopg2"]
)
def test_an_exception_of_an_unknown_shape_is_classified_by_its_class(module: str) -> None:
    """A driver's exception without what its others have is still described."""
    info = described(shaped(module, "OperationalError", "gone"))
    assert (info.error_type, info.failure_message) == (EXTERNAL, "gone")
    assert described(shaped(module, "OperationalError")).error_type is EXTERNAL
