"""Who or what made a query fail, by the codes of SQL's standard and of single engines.

A table holds only the codes that are not the user's errors: a code that is in no table means that the statement was
wrong. What took too much time, memory or disk is ``INSUFFICIENT_RESOURCES``; what came from outside (a kill, a lock, a
deadlock, a lost connection, a server that goes down) is ``EXTERNAL``. A login that a server refuses is the user's
error, because the password, the role or the database has to be corrected; a server that cannot be reached is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_ryft.ingest.query import ErrorType

USER, INTERNAL = ErrorType.USER_ERROR, ErrorType.INTERNAL_ERROR
RESOURCES, EXTERNAL = ErrorType.INSUFFICIENT_RESOURCES, ErrorType.EXTERNAL


def _table(**codes: Iterable[int | str]) -> Mapping[int | str, ErrorType]:
    return {code: ErrorType[kind] for kind, group in codes.items() for code in group}


# The first two characters of an SQLSTATE: ISO/IEC 9075-2, table 38, with PostgreSQL's (appendix A of its manual),
# ODBC's and Vertica's ("SQL State List" of its manual) own classes.
SQLSTATE_CLASSES: Mapping[str, tuple[ErrorType, str]] = {
    "02": (USER, "NO_DATA"),
    "03": (USER, "SQL_STATEMENT_NOT_YET_COMPLETE"),
    "07": (USER, "DYNAMIC_SQL_ERROR"),
    "08": (EXTERNAL, "CONNECTION_EXCEPTION"),
    "09": (USER, "TRIGGERED_ACTION_EXCEPTION"),
    "0A": (USER, "FEATURE_NOT_SUPPORTED"),
    "0B": (USER, "INVALID_TRANSACTION_INITIATION"),
    "0F": (USER, "LOCATOR_EXCEPTION"),
    "0L": (USER, "INVALID_GRANTOR"),
    "0P": (USER, "INVALID_ROLE_SPECIFICATION"),
    "20": (USER, "CASE_NOT_FOUND"),
    "21": (USER, "CARDINALITY_VIOLATION"),
    "22": (USER, "DATA_EXCEPTION"),
    "23": (USER, "INTEGRITY_CONSTRAINT_VIOLATION"),
    "24": (USER, "INVALID_CURSOR_STATE"),
    "25": (USER, "INVALID_TRANSACTION_STATE"),
    "26": (USER, "INVALID_SQL_STATEMENT_NAME"),
    "27": (USER, "TRIGGERED_DATA_CHANGE_VIOLATION"),
    "28": (USER, "INVALID_AUTHORIZATION_SPECIFICATION"),
    "2B": (USER, "DEPENDENT_PRIVILEGE_DESCRIPTORS_STILL_EXIST"),
    "2D": (USER, "INVALID_TRANSACTION_TERMINATION"),
    "2F": (USER, "SQL_ROUTINE_EXCEPTION"),
    "34": (USER, "INVALID_CURSOR_NAME"),
    "38": (USER, "EXTERNAL_ROUTINE_EXCEPTION"),
    "39": (USER, "EXTERNAL_ROUTINE_INVOCATION_EXCEPTION"),
    "3B": (USER, "SAVEPOINT_EXCEPTION"),
    "3D": (USER, "INVALID_CATALOG_NAME"),
    "3F": (USER, "INVALID_SCHEMA_NAME"),
    "40": (EXTERNAL, "TRANSACTION_ROLLBACK"),
    "42": (USER, "SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION"),
    "44": (USER, "WITH_CHECK_OPTION_VIOLATION"),
    "53": (RESOURCES, "INSUFFICIENT_RESOURCES"),
    "54": (RESOURCES, "PROGRAM_LIMIT_EXCEEDED"),
    "55": (USER, "OBJECT_NOT_IN_PREREQUISITE_STATE"),
    "57": (EXTERNAL, "OPERATOR_INTERVENTION"),
    "58": (EXTERNAL, "SYSTEM_ERROR"),
    "70": (EXTERNAL, "QUERY_INTERRUPTED"),
    "72": (EXTERNAL, "SNAPSHOT_FAILURE"),
    "F0": (INTERNAL, "CONFIG_FILE_ERROR"),
    "HV": (EXTERNAL, "FDW_ERROR"),
    "KD": (EXTERNAL, "DATASOURCE_ERROR"),
    "P0": (USER, "PLPGSQL_ERROR"),
    "V1": (EXTERNAL, "MULTI_NODE_ERROR"),
    "VX": (INTERNAL, "INTERNAL_ERROR"),
    "XX": (INTERNAL, "INTERNAL_ERROR"),
}

# States that say more than their class: who was at fault, and the names that PostgreSQL gave them.
SQLSTATES: Mapping[str, tuple[ErrorType, str]] = {
    "08001": (EXTERNAL, "SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION"),
    "08006": (EXTERNAL, "CONNECTION_FAILURE"),
    "22012": (USER, "DIVISION_BY_ZERO"),
    "22P02": (USER, "INVALID_TEXT_REPRESENTATION"),
    "23502": (USER, "NOT_NULL_VIOLATION"),
    "23503": (USER, "FOREIGN_KEY_VIOLATION"),
    "23505": (USER, "UNIQUE_VIOLATION"),
    "23514": (USER, "CHECK_VIOLATION"),
    "25P02": (USER, "IN_FAILED_SQL_TRANSACTION"),
    "25P03": (EXTERNAL, "IDLE_IN_TRANSACTION_SESSION_TIMEOUT"),
    "25P04": (RESOURCES, "TRANSACTION_TIMEOUT"),
    "28P01": (USER, "INVALID_PASSWORD"),
    "40001": (EXTERNAL, "SERIALIZATION_FAILURE"),
    "40P01": (EXTERNAL, "DEADLOCK_DETECTED"),
    "42501": (USER, "INSUFFICIENT_PRIVILEGE"),
    "42601": (USER, "SYNTAX_ERROR"),
    "42703": (USER, "UNDEFINED_COLUMN"),
    "42883": (USER, "UNDEFINED_FUNCTION"),
    "42P01": (USER, "UNDEFINED_TABLE"),
    "42P07": (USER, "DUPLICATE_TABLE"),
    "42S02": (USER, "UNDEFINED_TABLE"),
    "42S22": (USER, "UNDEFINED_COLUMN"),
    "53100": (RESOURCES, "DISK_FULL"),
    "53200": (RESOURCES, "OUT_OF_MEMORY"),
    "53300": (RESOURCES, "TOO_MANY_CONNECTIONS"),
    "53400": (RESOURCES, "CONFIGURATION_LIMIT_EXCEEDED"),
    "55P03": (EXTERNAL, "LOCK_NOT_AVAILABLE"),
    "55V03": (EXTERNAL, "LOCK_NOT_AVAILABLE"),
    "57014": (EXTERNAL, "QUERY_CANCELED"),
    "57P01": (EXTERNAL, "ADMIN_SHUTDOWN"),
    "57P02": (EXTERNAL, "CRASH_SHUTDOWN"),
    "57P03": (EXTERNAL, "CANNOT_CONNECT_NOW"),
    "57P05": (EXTERNAL, "IDLE_SESSION_TIMEOUT"),
    "58030": (EXTERNAL, "IO_ERROR"),
    "70100": (EXTERNAL, "QUERY_INTERRUPTED"),
    "V1001": (EXTERNAL, "LOST_CONNECTIVITY"),
    # Exasol: pyexasol's connection.py.
    "R0001": (RESOURCES, "QUERY_TIMEOUT"),
    "R0003": (EXTERNAL, "QUERY_ABORTED"),
    # ODBC: Microsoft, "Appendix A: ODBC error codes".
    "HY001": (RESOURCES, "MEMORY_ALLOCATION_ERROR"),
    "HY008": (EXTERNAL, "OPERATION_CANCELED"),
    "HY013": (RESOURCES, "MEMORY_MANAGEMENT_ERROR"),
    "HY117": (EXTERNAL, "CONNECTION_SUSPENDED"),
    "HYT00": (RESOURCES, "TIMEOUT_EXPIRED"),
    "HYT01": (EXTERNAL, "CONNECTION_TIMEOUT_EXPIRED"),
}

# MySQL's and MariaDB's server errors, and their clients' (2000-2999). Below 1000 are those of the server's file layer
# (MariaDB: include/mysys_err.h) and of storage engines (include/my_base.h): INTERNAL_ERROR, if they are not here.
MYSQL = _table(
    INSUFFICIENT_RESOURCES=[
        *(5, 20, 23, 28),  # memory, disk, file handles
        *(1021, 1028, 1037, 1038, 1040, 1041, 1104, 1114, 1135, 1203, 1206, 1226, 1436),
        *(1878, 1969, 3024, 3170),  # temporary file, max_statement_time, max_execution_time, memory
        2008,
    ],
    EXTERNAL=[
        *(1020, 1047, 1412),  # changed by another transaction, a Galera node that is not ready
        *(1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184),  # shutdown, aborted connection, network
        *(1205, 1213, 1317, 1429, 1430, 1613, 1614, 1927, 3058, 3572, 4031),  # locks, kills, remote servers
        *range(2001, 2008),
        *range(2009, 2014),
        *(2024, 2025, 2026, 2048, 2055),
    ],
    INTERNAL_ERROR=[1004, 1026, 1030, 1034, 1035, 1180, 1194, 1195, 1712, 1815],
)

# The error of the operating system or the storage engine (include/my_base.h) that a server's error is about.
MYSQL_INNER = _table(
    INSUFFICIENT_RESOURCES=[12, 23, 24, 28, 128, 135, 136, 147],  # memory, file handles, disk, full tables
    EXTERNAL=[123, 146, 149],  # changed record, lock wait, deadlock
)

# Primary result codes: "Result and Error Codes", SQLite's documentation.
SQLITE = _table(
    INSUFFICIENT_RESOURCES=[7, 13, 18],  # NOMEM, FULL, TOOBIG
    EXTERNAL=[3, 4, 5, 6, 9, 10, 14, 15, 26],  # PERM, ABORT, BUSY, LOCKED, INTERRUPT, IOERR, CANTOPEN, PROTOCOL, NOTADB
    INTERNAL_ERROR=[2, 11],  # INTERNAL, CORRUPT
)

# Snowflake's errors that its SQLSTATE does not distinguish; from 250000 on they are the connector's own.
SNOWFLAKE = _table(
    INSUFFICIENT_RESOURCES=[
        *(630, 90073, 390190),  # statement timeout, resource monitor
        *(300005, 300006),
    ],
    EXTERNAL=[
        *(604, 625, 627, 707, 90109),  # cancelled, lock holder aborted
        *(390111, 390112, 390114, 390195),  # session or token gone
        *range(250001, 250010),
        *(251004, 251011, 251012, 253002, 253003),
    ],
    INTERNAL_ERROR=[603, 300010],
)

# ClickHouse: src/Common/ErrorCodes.cpp.
CLICKHOUSE = _table(
    INSUFFICIENT_RESOURCES=[*(158, 159, 160, 173, 191, 201, 202, 241, 243, 252, 290, 307, 396, 439, 745)],
    EXTERNAL=[
        *(32, 74, 75, 76, 87, 88, 95, 96, 198, 203, 204, 209, 210, 225, 236, 242, 254),
        *(279, 285, 286, 319, 341, 364, 373, 394, 425, 473, 499, 571, 735, 999),
    ],
    INTERNAL_ERROR=[40, 49, 246, 99, 100, 101, 102, 1001, 1002],
)

# SQL Server: Microsoft, "Database Engine events and errors"; from 20000 to 20099 DB-Library's own.
SQL_SERVER = _table(
    INSUFFICIENT_RESOURCES=[-2, 701, 802, 1101, 1105, 3257, 8623, 8628, 8645, 8651, 8657, 9002, 10928, 10929, 40544],
    EXTERNAL=[
        *(233, 596, 1204, 1205, 1222, 3960, 10053, 10054, 10060, 10061, 17142, 17187),
        *(40197, 40501, 40613, 40615),
        *range(20002, 20013),
        *(20017, 20047, 20056),
    ],
    INTERNAL_ERROR=[605, 823, 824, 825, 3624, 8621],
)

# Oracle: "Database Error Messages"; TNS errors are EXTERNAL as a range. With names: errors that the driver makes.
ORACLE = _table(
    INSUFFICIENT_RESOURCES=[
        *(18, 20, 40, 257, 1536, 1555, 1628, 1650, 1652, 1653, 1654, 1655, 1658, 1688, 1691, 2391, 2392, 2393, 2394),
        *(2395, 4030, 4031, 4036, 12827, 12853, 30036),
        *("DPY-4005", "DPY-4024", "DPI-1067"),  # no connection in the pool, call timeout
    ],
    EXTERNAL=[
        *(22, 28, 31, 51, 54, 60, 1012, 1013, 1033, 1034, 1089, 1090, 1092, 2049, 2396, 2399, 3113, 3114, 3135, 4021),
        *(8176, 8177, 12805, 18014, 25402, 25408, 30006),
        *range(12150, 12700),
        *("DPY-1001", "DPY-4011", "DPI-1010", "DPI-1080"),  # not connected, connection closed
    ],
    INTERNAL_ERROR=[600, 7445, 1578],
)

# Teradata: "Database Messages".
TERADATA = _table(
    INSUFFICIENT_RESOURCES=[2644, 2646, 3149, 3151, 3710, 3712, 5991, 3156],
    EXTERNAL=[2631, 2633, 2639, 2828, 2971, 3110, 3111, 3119, 3120, 3127, 3897, 3624, 8024, 8055],
    INTERNAL_ERROR=[3610, 3799],
)

# The reasons in a Google API's error: "Error messages", BigQuery's documentation.
BIGQUERY = _table(
    INSUFFICIENT_RESOURCES=[
        *("billingTierLimitExceeded", "jobRateLimitExceeded", "quotaExceeded", "rateLimitExceeded"),
        *("resourcesExceeded", "timeout"),
    ],
    EXTERNAL=["backendError", "jobBackendError", "stopped", "tableUnavailable"],
    INTERNAL_ERROR=["internalError", "jobInternalError"],
)

# A deadline of Airflow's own: the reason, whatever it was that did not come in time.
DEADLINES = _table(
    INSUFFICIENT_RESOURCES=["AirflowSensorTimeout", "TaskDeferralTimeout", "DatabricksSqlExecutionTimeout"]
)

# Python's and Airflow's own exceptions, those of the libraries under the drivers, and PEP 249's classes, by the name of
# the class or of one of its bases.
CLASSES = _table(
    INSUFFICIENT_RESOURCES=[
        *("AirflowTaskTimeout", "MemoryError", "TimeoutError"),
        "PoolError",  # MySQL Connector, psycopg2: no connection is free
    ],
    EXTERNAL=[
        *("AirflowTaskTerminated", "KeyboardInterrupt", "SystemExit", "GeneratorExit", "CancelledError"),
        *("ConnectionError", "OSError", "EOFError", "NewConnectionError", "ProtocolError"),
        # Of thrift, google.auth, botocore and urllib3.
        *("TTransportException", "TransportError", "HTTPClientError", "MaxRetryError"),
    ],
)
PEP_249 = _table(
    USER_ERROR=["DataError", "IntegrityError", "ProgrammingError", "NotSupportedError"],
    INTERNAL_ERROR=["InternalError"],
    EXTERNAL=["OperationalError", "InterfaceError"],
)


def by_class(exception: BaseException, kinds: Mapping[Any, ErrorType]) -> ErrorType | None:
    """Look the classes of an exception up in one of these tables, the most special first."""
    for kind in type(exception).__mro__:
        if kind.__name__ in kinds:
            return kinds[kind.__name__]
    return None
