"""The catalog, schema and user of a statement, from what Airflow holds of its connection.

One rule for each connection type says what the provider's own hook sends to the engine, and so what unqualified names
mean there. No rule asks the engine or a cloud, and none reads a password. ``[ryft] contexts`` goes before all of them,
because Ryft's name of a catalog is rarely the one in a connection.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from airflow_provider_ryft.capture.statement import DeclaredConnection
from airflow_provider_ryft.settings import Context


class ConnectionContext(NamedTuple):
    """Where a statement ran, and as whom."""

    catalog: str | None = None
    schema: str | None = None
    user: str | None = None


class ConnectionFields:
    """A connection, its extra and its hook, each of which may be absent."""

    def __init__(self, connection: Any, extra: Mapping[str, Any], hook: Any) -> None:
        self.connection = connection
        self.extra = extra
        self.hook = hook

    @property
    def login(self) -> Any:
        """The connection's user."""
        return getattr(self.connection, "login", None)

    @property
    def schema(self) -> Any:
        """The connection's schema, which is a database in many engines."""
        return getattr(self.connection, "schema", None)

    def of_hook(self, attribute: str) -> Any:
        """Return what the hook was told beside its connection, without running any of its code."""
        return getattr(self.hook, "__dict__", {}).get(attribute)

    def of_extra(self, name: str, old_prefix: str = "") -> Any:
        """Return a field of the extra, which older Airflows kept under a longer name."""
        return self.extra.get(name) or (self.extra.get(f"{old_prefix}{name}") if old_prefix else None)


def sql_dialect(connection: Any, hook: Any) -> str | None:
    """Return the connection type that says which SQL is spoken: the connection's if it is known here, or the hook's.

    :param connection: Airflow's connection, if there is one
    :param hook: the hook, if there is one
    """
    of_connection = _type_of(connection)
    if of_connection in _RULES or isinstance(connection, DeclaredConnection):
        return of_connection
    of_hook = _type_of(hook)
    if of_hook in _RULES:
        return of_hook
    # The hooks for ClickHouse have no connection type: any will do.
    if "clickhouse" in type(hook).__name__.lower():
        return "clickhouse"
    return of_connection or of_hook


def connection_context(connection: Any, hook: Any) -> ConnectionContext:
    """Tell where a statement ran, as far as its connection and its hook know.

    :param connection: Airflow's connection, or a :class:`DeclaredConnection`
    :param hook: the hook that holds it
    """
    if isinstance(connection, DeclaredConnection):
        return ConnectionContext(connection.catalog, connection.schema, connection.user)
    if connection is None:
        return ConnectionContext()
    known = ConnectionFields(connection, _extra(connection), hook)
    found = _RULES.get(sql_dialect(connection, hook) or "", _generic)(known)
    return ConnectionContext(*(_text(part) for part in found))


def apply_overrides(
    found: ConnectionContext, contexts: Mapping[str, Context], conn_id: str | None, *conn_types: str | None
) -> ConnectionContext:
    """Put what ``[ryft] contexts`` says before what was found.

    :param found: what the connection says
    :param contexts: the option, by connection id or type
    :param conn_id: the connection's id, which goes before its type
    :param conn_types: what the connection's type may be called, the weakest first
    """
    for key in (*conn_types, conn_id):
        if key is not None and key in contexts:
            found = found._replace(**contexts[key])
    return found


def _type_of(holder: Any) -> str | None:
    conn_type = getattr(holder, "conn_type", None)
    return conn_type if isinstance(conn_type, str) and conn_type else None


def _extra(connection: Any) -> Mapping[str, Any]:
    extra = getattr(connection, "extra_dejson", None)
    return extra if isinstance(extra, Mapping) else {}


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, (str, int)) and str(value).strip() else None


# --- rules: what the hook of each type sends; the providers' own lineage agrees, where it knows more than a name


def _catalog(known: ConnectionFields) -> ConnectionContext:
    """Take the connection's schema for what it is in most engines: the database, which contains the schemas."""
    return ConnectionContext(known.schema, None, known.login)


def _schema(known: ConnectionFields) -> ConnectionContext:
    """Take the connection's schema as it is: these engines have no catalogs, or do not let a connection choose one."""
    return ConnectionContext(None, known.schema, known.login)


_generic = _schema


def _user(known: ConnectionFields) -> ConnectionContext:
    """Take only the user: the connection's schema is something else here, such as the scheme of an address."""
    return ConnectionContext(None, None, known.login)


def _nothing(_known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext()


def _postgres(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(known.of_hook("database") or known.schema, None, known.login)


def _mysql(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, known.of_hook("schema") or known.schema, known.login)


def _sql_server(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(known.of_hook("schema") or known.schema, None, known.login)


def _odbc(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(known.of_hook("_database") or known.schema, None, known.login)


def _trino(known: ConnectionFields) -> ConnectionContext:
    """Read Trino and Presto, whose hooks name a catalog even if the connection does not."""
    user = known.login
    if str(known.extra.get("impersonate_as_owner", False)).lower() == "true":
        user = os.environ.get("AIRFLOW_CTX_DAG_OWNER") or user
    return ConnectionContext(known.extra.get("catalog", "hive"), known.schema, user)


def _redshift(known: ConnectionFields) -> ConnectionContext:
    """Read Redshift, whose hook passes all of the extra to the driver, over the connection's fields."""
    user = known.login
    if known.extra.get("iam"):
        # Without servers, the user is that of a role, which only AWS knows.
        user = known.extra.get("db_user") or (None if known.extra.get("is_serverless") else user)
    return ConnectionContext(known.extra.get("database") or known.schema, None, known.extra.get("user") or user)


def _snowflake(known: ConnectionFields) -> ConnectionContext:
    database = known.of_hook("database") or known.of_extra("database", "extra__snowflake__")
    schema = known.of_hook("schema") or known.schema
    # With OAuth the login is the id of a client, and the hook does not send it.
    oauth = (known.of_hook("authenticator") or known.extra.get("authenticator")) == "oauth"
    return ConnectionContext(database, schema, None if oauth else known.login)


def _databricks(known: ConnectionFields) -> ConnectionContext:
    catalog = known.of_hook("catalog") or known.extra.get("catalog")
    schema = known.of_hook("schema") or known.extra.get("schema") or "default"
    # "token" stands for a personal access token, which belongs to a user that the connection does not name.
    return ConnectionContext(catalog, schema, None if known.login == "token" else known.login)


def _athena(known: ConnectionFields) -> ConnectionContext:
    """Read Athena; the login is the id of an access key, so it is no user, and nobody's business."""
    return ConnectionContext(known.extra.get("catalog", "AwsDataCatalog"), known.schema or "default", None)


_GOOGLE = "extra__google_cloud_platform__"


def _google(known: ConnectionFields) -> ConnectionContext:
    """Read the project and the service account, from a key in the connection if it holds one."""
    key = known.of_extra("keyfile_dict", _GOOGLE) or {}
    if isinstance(key, str):
        try:
            key = json.loads(key)
        except ValueError:
            key = {}
    named = key if isinstance(key, Mapping) else {}
    project = known.of_extra("project", _GOOGLE) or known.of_hook("_cached_project_id") or named.get("project_id")
    impersonated = known.of_hook("impersonation_chain") or known.of_extra("impersonation_chain", _GOOGLE)
    user = impersonated if isinstance(impersonated, str) else named.get("client_email")
    return ConnectionContext(project, None, user)


def _spanner(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(known.extra.get("database_id"), None, None)


def _oracle(known: ConnectionFields) -> ConnectionContext:
    """Read Oracle, whose connection's schema is the service if no other is named, and then the current schema too."""
    service, sid = known.extra.get("service_name"), known.extra.get("sid")
    service = service or (None if sid else known.schema)
    return ConnectionContext(service or sid, known.schema if service else None, known.login)


def _hive(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, known.schema or "default", known.login)


def _drill(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, known.extra.get("storage_plugin", "dfs"), known.login)


def _druid(known: ConnectionFields) -> ConnectionContext:
    """Druid has one catalog and one schema for tables; the connection's schema is the scheme of its address."""
    return ConnectionContext("druid", "druid", known.login)


def _exasol(known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, known.of_hook("schema") or known.schema, known.login)


def _teradata(known: ConnectionFields) -> ConnectionContext:
    user = known.login or "dbc"
    return ConnectionContext(None, known.schema or user, user)


def _clickhouse(known: ConnectionFields) -> ConnectionContext:
    database = known.of_hook("_schema") or known.of_hook("_database") or known.schema or known.extra.get("database")
    return ConnectionContext(None, database or "default", known.login or "default")


def _duckdb(known: ConnectionFields) -> ConnectionContext:
    """Name the database as DuckDB does: as its file, or as MotherDuck's database; without a file it is ``memory``."""
    host = getattr(known.connection, "host", None)
    name = PurePath(str(host)).stem if host else known.schema
    return ConnectionContext("memory" if not name or name == ":memory:" else name, "main", None)


def _sqlite(_known: ConnectionFields) -> ConnectionContext:
    return ConnectionContext(None, "main", None)


_RULES: Mapping[str, Callable[[ConnectionFields], ConnectionContext]] = {
    "athena": _athena,
    "aws": _athena,
    "clickhouse": _clickhouse,
    "databricks": _databricks,
    "drill": _drill,
    "druid": _druid,
    "duckdb": _duckdb,
    "duckdb_aws": _duckdb,
    "elasticsearch": _user,
    "exasol": _exasol,
    "gcpbigquery": _google,
    "gcpcloudsqldb": _catalog,
    "gcpspanner": _spanner,
    "generic": _generic,
    "google_cloud_platform": _google,
    "hive_cli": _hive,
    "hiveserver2": _hive,
    "impala": _hive,
    "jdbc": _catalog,
    "mssql": _sql_server,
    "mysql": _mysql,
    "odbc": _odbc,
    "oracle": _oracle,
    "pinot": _user,
    "postgres": _postgres,
    "presto": _trino,
    "redshift": _redshift,
    "snowflake": _snowflake,
    "spark": _nothing,
    "spark_connect": _nothing,
    "spark_jdbc": _nothing,
    "spark_sql": _nothing,
    "sqlite": _sqlite,
    "teradata": _teradata,
    "trino": _trino,
    "vertica": _catalog,
}
